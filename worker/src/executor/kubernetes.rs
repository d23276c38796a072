//! The Kubernetes executor: the supervisor as process 1 of a pod, one Job for each run.

pub mod data_set;
mod job;
pub mod settings;
