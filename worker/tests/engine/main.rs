//! The run engine over the real embedded services in a temporary directory.

mod crash;
mod drive;
mod fairness;
mod follow;
mod place;
mod queue;
mod stop;
mod submit;
