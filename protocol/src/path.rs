//! Paths of files in a task: the rules, and nothing that touches a disk.

/// Longest path in bytes.
pub const MAX_PATH_BYTES: usize = 1024;
/// Longest component in bytes.
pub const MAX_COMPONENT_BYTES: usize = 255;
/// Most components.
pub const MAX_DEPTH: usize = 32;
