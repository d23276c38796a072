//! A deployment whose runs go to a simulated cluster: the cluster, and what its servers and workers are told.

use super::{Simulator, options::Options};
use crate::server::binaries;

/// Where the supervisor lies in every image.
const SUPERVISOR: &str = "/usr/local/bin/coderoom-supervisor";

/// Starts a cluster whose images have the supervisor of this build. `delays` is as in [`Options::delays`].
///
/// # Panics
/// When it does not start.
pub async fn start(delays: f64) -> Simulator {
    // Already installed is fine.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let supervisor = binaries().join("coderoom-supervisor");
    let options = Options { delays, image_files: vec![(supervisor, SUPERVISOR.to_owned())], ..Options::default() };
    Simulator::start(options).await.expect("the simulator starts")
}

/// The settings of servers and workers whose runs go there.
#[must_use]
pub fn settings(simulator: &Simulator) -> Vec<(&'static str, String)> {
    vec![
        ("CODEROOM_EXECUTOR", "kubernetes".to_owned()),
        ("CODEROOM_KUBERNETES_KUBECONFIG", simulator.kubeconfig().display().to_string()),
        ("CODEROOM_KUBERNETES_NAMESPACE", "demo".to_owned()),
        ("CODEROOM_KUBERNETES_IMAGES", "python=localhost/python:1".to_owned()),
    ]
}
