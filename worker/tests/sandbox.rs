//! The real sandbox against code that means harm, and code that only behaves oddly.

mod sandbox {
    pub(crate) mod bench;
    mod hello;
}
