//! The run engine over the real embedded services in a temporary directory.

mod place;
mod queue;
mod stop;
mod submit;
