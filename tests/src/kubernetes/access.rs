//! RBAC: what the roles bound to a service account allow, and the sentence of a refusal.

use serde_json::{Value, json};

use super::{
    cluster::{Cluster, User},
    resources::{ROLE_BINDINGS, ROLES, Target},
    status::Failure,
};

/// Refuses with 403 what `user` may not do.
pub(super) fn check(cluster: &Cluster, user: &User, verb: &str, target: &Target) -> Result<(), Failure> {
    let User::ServiceAccount { namespace, name } = user else { return Ok(()) };
    let resource = if target.subresource.is_empty() {
        target.resource.plural.to_owned()
    } else {
        format!("{}/{}", target.resource.plural, target.subresource)
    };
    if allowed_by(cluster, namespace, name, verb, target.resource.group, &resource, &target.namespace).is_some() {
        return Ok(());
    }
    let subject = if target.name.is_empty() { String::new() } else { format!(" {:?}", target.name) };
    let scope = if target.namespace.is_empty() {
        "at the cluster scope".to_owned()
    } else {
        format!("in the namespace {:?}", target.namespace)
    };
    let message = format!(
        "{}{subject} is forbidden: User \"system:serviceaccount:{namespace}:{name}\" cannot {verb} resource {resource:?} in API group {:?} {scope}",
        target.resource.qualified(),
        target.resource.group
    );
    let mut failure = Failure::new(403, "Forbidden", message);
    let named = (!target.name.is_empty()).then_some(target.name.as_str());
    failure.body["details"] = target.resource.details(named, target.resource.plural);
    Err(failure)
}

/// Answers a `SelfSubjectAccessReview`.
pub(super) fn review(cluster: &Cluster, user: &User, body: &Value) -> Value {
    let asked = &body["spec"]["resourceAttributes"];
    let text = |field: &str| asked[field].as_str().unwrap_or_default().to_owned();
    let mut status = json!({"allowed": true});
    if let User::ServiceAccount { namespace, name } = user {
        let resource = match text("subresource").as_str() {
            "" => text("resource"),
            sub => format!("{}/{sub}", text("resource")),
        };
        status = match allowed_by(
            cluster,
            namespace,
            name,
            &text("verb"),
            &text("group"),
            &resource,
            &text("namespace"),
        ) {
            Some((binding, role)) => json!({
                "allowed": true,
                "reason": format!(
                    "RBAC: allowed by RoleBinding \"{binding}/{}\" of Role {role:?} to ServiceAccount \"{name}/{namespace}\"",
                    text("namespace")
                ),
            }),
            None => json!({"allowed": false}),
        };
    }
    json!({
        "kind": "SelfSubjectAccessReview", "apiVersion": "authorization.k8s.io/v1", "metadata": {}, "spec": body["spec"], "status": status,
    })
}

/// The binding and the role that allow it.
fn allowed_by(
    cluster: &Cluster,
    account_namespace: &str,
    account: &str,
    verb: &str,
    group: &str,
    resource: &str,
    namespace: &str,
) -> Option<(String, String)> {
    if namespace.is_empty() {
        return None;
    }
    cluster.list(&ROLE_BINDINGS, namespace).iter().find_map(|binding| {
        let bound = binding["subjects"].as_array()?.iter().any(|subject| {
            subject["kind"] == "ServiceAccount"
                && subject["name"] == account
                && subject["namespace"].as_str().unwrap_or(namespace) == account_namespace
        });
        let role_name = binding["roleRef"]["name"].as_str()?;
        let role = cluster.get(&ROLES, namespace, role_name).filter(|_| bound)?;
        let allows = role["rules"].as_array()?.iter().any(|rule| {
            let has = |field: &str, wanted: &str| {
                rule[field].as_array().is_some_and(|list| list.iter().any(|entry| entry == wanted || entry == "*"))
            };
            has("apiGroups", group) && has("resources", resource) && has("verbs", verb)
        });
        allows.then(|| (binding["metadata"]["name"].as_str().unwrap_or_default().to_owned(), role_name.to_owned()))
    })
}
