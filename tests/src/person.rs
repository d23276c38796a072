//! A person (or program) at a server: HTTP calls and open documents.
