//! The real sandbox against code that means harm, and code that only behaves oddly.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::print_stderr,
    reason = "a test that cannot be set up has failed"
)]

mod sandbox {
    mod adopt;
    pub(crate) mod bench;
    mod endings;
    mod escapes;
    mod hello;
    mod levels;
    mod limits;
    mod log;
    mod output;
    mod stop;
}
