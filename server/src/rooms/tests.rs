//! Rooms driven through their public handle, with real tables in a directory of their own, real outboxes, and clients that
//! hold replicas and speak the room socket's framing.

mod convergence;
mod edits;
mod failures;
mod harness;
mod lifetimes;
mod merge_cost;
mod presence;
mod second_door;
mod space;
mod syncing;
mod two_nodes;
mod writes;
