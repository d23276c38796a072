//! Tasks, files, uploads and archives on real tables and objects, and the HTTP routes that lead there.

mod archives;
mod bench;
mod sweep;
mod tree;
mod web;
