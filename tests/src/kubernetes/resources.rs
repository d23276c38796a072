//! What kinds of objects the simulated API server knows, and how their paths are read.

use serde_json::{Value, json};

/// One kind of object.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Resource {
    /// Empty for the core group.
    pub(super) group: &'static str,
    pub(super) version: &'static str,
    pub(super) plural: &'static str,
    pub(super) kind: &'static str,
    pub(super) namespaced: bool,
}

const fn resource(group: &'static str, plural: &'static str, kind: &'static str, namespaced: bool) -> Resource {
    Resource { group, version: "v1", plural, kind, namespaced }
}

pub(super) static JOBS: Resource = resource("batch", "jobs", "Job", true);
pub(super) static PODS: Resource = resource("", "pods", "Pod", true);
pub(super) static EVENTS: Resource = resource("", "events", "Event", true);
pub(super) static NODES: Resource = resource("", "nodes", "Node", false);
pub(super) static NAMESPACES: Resource = resource("", "namespaces", "Namespace", false);
pub(super) static QUOTAS: Resource = resource("", "resourcequotas", "ResourceQuota", true);
pub(super) static SECRETS: Resource = resource("", "secrets", "Secret", true);
pub(super) static CONFIG_MAPS: Resource = resource("", "configmaps", "ConfigMap", true);
pub(super) static SERVICE_ACCOUNTS: Resource = resource("", "serviceaccounts", "ServiceAccount", true);
pub(super) static ROLES: Resource = resource("rbac.authorization.k8s.io", "roles", "Role", true);
pub(super) static ROLE_BINDINGS: Resource = resource("rbac.authorization.k8s.io", "rolebindings", "RoleBinding", true);

static OTHERS: [Resource; 5] = [
    resource("", "persistentvolumeclaims", "PersistentVolumeClaim", true),
    resource("networking.k8s.io", "networkpolicies", "NetworkPolicy", true),
    resource("node.k8s.io", "runtimeclasses", "RuntimeClass", false),
    resource("scheduling.k8s.io", "priorityclasses", "PriorityClass", false),
    resource("", "limitranges", "LimitRange", true),
];

fn all() -> impl Iterator<Item = &'static Resource> {
    [
        &JOBS,
        &PODS,
        &EVENTS,
        &NODES,
        &NAMESPACES,
        &QUOTAS,
        &SECRETS,
        &CONFIG_MAPS,
        &SERVICE_ACCOUNTS,
        &ROLES,
        &ROLE_BINDINGS,
    ]
    .into_iter()
    .chain(&OTHERS)
}

impl Resource {
    /// `batch/v1` or `v1`.
    pub(super) fn api_version(&self) -> String {
        if self.group.is_empty() { self.version.to_owned() } else { format!("{}/{}", self.group, self.version) }
    }

    /// `jobs.batch` or `pods`, as in messages.
    pub(super) fn qualified(&self) -> String {
        if self.group.is_empty() { self.plural.to_owned() } else { format!("{}.{}", self.plural, self.group) }
    }

    /// The `details` of a `Status`.
    pub(super) fn details(&self, name: Option<&str>, kind: &str) -> Value {
        let mut details = json!({"kind": kind});
        if let Some(name) = name {
            details["name"] = json!(name);
        }
        if !self.group.is_empty() {
            details["group"] = json!(self.group);
        }
        details
    }
}

/// What a request's path names.
#[derive(Debug)]
pub(super) struct Target {
    pub(super) resource: &'static Resource,
    /// Empty: all namespaces, or an object without one.
    pub(super) namespace: String,
    /// Empty: the collection.
    pub(super) name: String,
    /// `log`, `status`…, or empty.
    pub(super) subresource: String,
}

/// Reads `/api/v1/…` and `/apis/GROUP/VERSION/…`; `None` for what this server does not serve.
pub(super) fn parse_path(path: &str) -> Option<Target> {
    let mut parts = path.trim_matches('/').split('/').map(decode).collect::<Vec<_>>().into_iter();
    let group = match parts.next()?.as_str() {
        "api" => String::new(),
        "apis" => parts.next()?,
        _ => return None,
    };
    let version = parts.next()?;
    let mut rest: Vec<String> = parts.collect();
    let mut namespace = String::new();
    if rest.first().is_some_and(|part| part == "namespaces") && rest.len() >= 3 {
        namespace = rest.remove(1);
        rest.remove(0);
    }
    let plural = rest.first()?;
    let resource = all().find(|known| known.group == group && known.version == version && known.plural == plural)?;
    if rest.len() > 3 {
        return None;
    }
    Some(Target {
        resource,
        namespace,
        name: rest.get(1).cloned().unwrap_or_default(),
        subresource: rest.get(2).cloned().unwrap_or_default(),
    })
}

/// Undoes percent encoding; what is not valid stays as it is.
pub(super) fn decode(text: &str) -> String {
    let bytes = text.as_bytes();
    let mut plain = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while let Some(&byte) = bytes.get(at) {
        let code =
            (byte == b'%').then(|| text.get(at + 1..at + 3)).flatten().and_then(|hex| u8::from_str_radix(hex, 16).ok());
        plain.push(code.unwrap_or(if byte == b'+' { b' ' } else { byte }));
        at += if code.is_some() { 3 } else { 1 };
    }
    String::from_utf8_lossy(&plain).into_owned()
}

/// The parameters of a query string.
#[derive(Clone, Debug, Default)]
pub(super) struct Query(Vec<(String, String)>);

impl Query {
    pub(super) fn parse(text: &str) -> Self {
        let pairs = text.split('&').filter(|pair| !pair.is_empty());
        Self(
            pairs.map(|pair| pair.split_once('=').unwrap_or((pair, ""))).map(|(k, v)| (decode(k), decode(v))).collect(),
        )
    }

    /// The value of `name`; `None` when absent or empty.
    pub(super) fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(key, value)| key == name && !value.is_empty()).map(|(_, value)| value.as_str())
    }

    pub(super) fn is_true(&self, name: &str) -> bool {
        self.get(name).is_some_and(|value| matches!(value, "true" | "1" | "True"))
    }
}
