//! Tasks, files, uploads and archives on real tables and objects, and the HTTP routes that lead there.

mod bench;
mod tree;
