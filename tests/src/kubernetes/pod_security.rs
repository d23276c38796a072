//! The Pod Security standard `restricted`, for namespaces that enforce it.

use serde_json::Value;

use super::{cluster::Cluster, resources::NAMESPACES};

/// What the pod violates, as `PodSecurity "restricted:latest": …`; `None` when nothing or when the namespace asks for nothing.
pub(super) fn violation(cluster: &Cluster, namespace: &str, spec: &Value) -> Option<String> {
    let space = cluster.get(&NAMESPACES, "", namespace)?;
    if space["metadata"]["labels"]["pod-security.kubernetes.io/enforce"] != "restricted" {
        return None;
    }
    let pod = &spec["securityContext"];
    let containers: Vec<&Value> =
        ["initContainers", "containers"].iter().filter_map(|list| spec[list].as_array()).flatten().collect();
    let failing = |test: &dyn Fn(&Value) -> bool| -> Vec<String> {
        containers
            .iter()
            .filter(|container| !test(&container["securityContext"]))
            .map(|container| container["name"].to_string())
            .collect()
    };
    let say = |names: &[String]| {
        format!("{} {}", if names.len() == 1 { "container" } else { "containers" }, names.join(", "))
    };
    let mut found = Vec::new();
    let names = failing(&|context| context["allowPrivilegeEscalation"] == false);
    if !names.is_empty() {
        let names = say(&names);
        found.push(format!(
            "allowPrivilegeEscalation != false ({names} must set securityContext.allowPrivilegeEscalation=false)"
        ));
    }
    let names = failing(&|context| {
        context["capabilities"]["drop"].as_array().is_some_and(|drop| drop.iter().any(|one| one == "ALL"))
    });
    if !names.is_empty() {
        let names = say(&names);
        found.push(format!("unrestricted capabilities ({names} must set securityContext.capabilities.drop=[\"ALL\"])"));
    }
    let non_root =
        |context: &Value| context["runAsNonRoot"].as_bool().or_else(|| pod["runAsNonRoot"].as_bool()) == Some(true);
    let names = failing(&non_root);
    if !names.is_empty() {
        let names = say(&names);
        found.push(format!("runAsNonRoot != true (pod or {names} must set securityContext.runAsNonRoot=true)"));
    }
    let profile = |context: &Value| {
        let own = context["seccompProfile"]["type"].as_str().or_else(|| pod["seccompProfile"]["type"].as_str());
        matches!(own, Some("RuntimeDefault" | "Localhost"))
    };
    let names = failing(&profile);
    if !names.is_empty() {
        found.push(format!(
            "seccompProfile (pod or containers {} must set securityContext.seccompProfile.type to \"RuntimeDefault\" or \"Localhost\")",
            names.join(", ")
        ));
    }
    (!found.is_empty()).then(|| format!("PodSecurity \"restricted:latest\": {}", found.join(", ")))
}
