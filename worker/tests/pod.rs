//! The supervisor as process 1 of a container, here a plain process: its files come over HTTP, its frames go to a pipe.

#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot be set up has failed")]

mod pod {
    mod bench;
    mod fetching;
    mod running;
    mod secrets;
    mod store;
}
