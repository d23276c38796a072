//! Scenarios: functions that take the deployment. The test files name them; nothing is written twice for the cluster.

pub mod command_line;
pub mod crash;
pub mod disk_full;
pub mod doors;
pub mod editing;
pub mod floods;
pub mod hostile_sequences;
pub mod hostile_sockets;
pub mod moments;
pub mod nodes;
pub mod pods;
pub mod running;
pub mod services;
pub mod storage;
pub mod strangers;
