//! What a simulated cluster is told at its start.

use std::path::PathBuf;

/// Settings of a simulated cluster.
#[derive(Clone, Debug)]
pub struct Options {
    /// What the delays of kubelet, scheduler and controllers are multiplied with: 1.0 is as recorded, 0.05 is quick. Seconds
    /// that stand in objects (deadlines, grace, TTL) are never scaled.
    pub delays: f64,
    /// Address to listen on; port 0 picks a free one.
    pub listen: String,
    /// Namespaces that exist at the start.
    pub namespaces: Vec<String>,
    /// CPU of the one node, in thousandths of a core.
    pub node_cpu_millis: u64,
    /// Memory of the one node in bytes.
    pub node_memory_bytes: u64,
    /// (host path, path in every image): what is in the images beside the host's `/usr` and `/etc`, read-only.
    pub image_files: Vec<(PathBuf, String)>,
    /// Size in bytes from which a running container's log is rotated.
    pub rotate_bytes: u64,
    /// Host directories that stand for claims and other volumes by the name of the claim.
    pub claims: Vec<(String, PathBuf)>,
}

/// Time between two checks of the log size on a real node, scaled like all delays; milliseconds.
pub(super) const ROTATE_CHECK_MS: u64 = 10_000;

impl Default for Options {
    fn default() -> Self {
        Self {
            delays: 0.05,
            listen: "127.0.0.1:0".to_owned(),
            namespaces: vec!["default".to_owned(), "demo".to_owned()],
            node_cpu_millis: 32_000,
            node_memory_bytes: 64 << 30,
            image_files: Vec::new(),
            rotate_bytes: 10 << 20,
            claims: Vec::new(),
        }
    }
}
