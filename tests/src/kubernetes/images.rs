//! Images: which are there, and what is said of those that are not.

use serde_json::Value;

use super::cluster::Cluster;

/// Why an image cannot be used.
#[derive(Clone, Debug)]
pub(super) enum Problem {
    /// With the text of the parser.
    InvalidName(String),
    NeverPull,
    /// With the text of the pull.
    Pull(String),
}

/// What is wrong with a container's image, if anything. Every image is present but those of the host `registry.invalid`,
/// those named `absent`, and all while a test lets them be missing.
pub(super) fn problem(cluster: &Cluster, container: &Value) -> Option<Problem> {
    let image = container["image"].as_str().unwrap_or_default();
    let repository = image.split_once('/').map_or(image, |(_, rest)| rest).split([':', '@']).next().unwrap_or_default();
    if repository.chars().any(|letter| letter.is_ascii_uppercase() || letter.is_whitespace()) {
        return Some(Problem::InvalidName(format!(
            "Failed to apply default image tag {image:?}: couldn't parse image name {image:?}: invalid reference format: \
             repository name ({repository}) must be lowercase"
        )));
    }
    let present = !(cluster.faults.read(|faults| faults.images_absent)
        || image.starts_with("registry.invalid/")
        || repository.rsplit('/').next() == Some("absent"));
    if present {
        return None;
    }
    if container["imagePullPolicy"] == "Never" {
        return Some(Problem::NeverPull);
    }
    let host = image.split('/').next().unwrap_or_default();
    let (path, tag) =
        image.split_once('/').map_or((image, "latest"), |(_, rest)| rest.rsplit_once(':').unwrap_or((rest, "latest")));
    Some(Problem::Pull(format!(
        "failed to pull and unpack image {image:?}: failed to resolve reference {image:?}: failed to do request: Head \
         \"https://{host}/v2/{path}/manifests/{tag}\": dial tcp: lookup {host} on 10.0.0.53:53: no such host"
    )))
}
