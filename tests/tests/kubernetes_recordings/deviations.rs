//! What is known to differ from the real cluster, each with its reason. A difference that is not here fails its test.

/// (recording or empty for all, part of the difference's text, why)
const KNOWN: &[(&str, &str, &str)] = &[
    ("", "managedFields", "the simulator does not track who owns which field"),
    (
        "",
        ".status.resources",
        "a real kubelet shrinks the resources shown of an ended pod, at a time that is not fixed",
    ),
    ("", ".status.allocatedResources", "as above"),
    (
        "01-success",
        "log?container=main&follow=true: status",
        "whether the pod has its node yet is a race; recording 25 fixes the answer",
    ),
    ("01-success", "log?container=main&follow=true: text", "as above"),
    (
        "01-success",
        "sinceSeconds=1: text",
        "the delays are shorter than a second here, so that the lines are still young",
    ),
    (
        "",
        "&sinceTime=20",
        "which lines fall into the same second differs from run to run; the rule is checked in kubernetes_simulator",
    ),
    (
        "04b-pod-active-deadline",
        "text \"tick",
        "the container starts earlier here, so that it counts further before its deadline",
    ),
    ("12-rbac", "GET demo/pods: field .items[]", "the pod is younger here when it is listed"),
    ("12-rbac", "GET demo/jobs: field .items[].status", "whether the controller has come to the job yet is a race"),
    ("12-rbac", "GET demo/jobs/rb: field .status", "as above"),
    ("12-rbac", "/apis: ", "the list of API groups is empty; clients of Jobs do not ask for it"),
    ("12-rbac", "/api: ", "the address of the server is left out"),
    ("12-rbac", "/version: ", "the build is another"),
];

/// Whether a difference is known.
pub(crate) fn is_known(file: &str, difference: &str) -> bool {
    KNOWN.iter().any(|(of, part, _)| (of.is_empty() || *of == file) && difference.contains(part))
}
