//! What the API server does to a Job or Pod before it stores it: unknown fields, validation, defaults.

use k8s_openapi::api::{batch::v1::Job, core::v1::Pod};
use serde::{Serialize, de::DeserializeOwned};
use serde_json::{Value, json};

use super::{
    quantity,
    resources::{JOBS, PODS, Resource},
    status::Failure,
    store::new_uid,
};

/// A cause of a 422: field, reason, message.
type Cause = (String, &'static str, String);

/// Fields that the API does not know, as `spec.bogus`; 400 when the object cannot be read at all.
pub(super) fn unknown_fields(resource: &Resource, object: &Value) -> Result<Vec<String>, Failure> {
    let known = match resource {
        _ if resource == &JOBS => read_back::<Job>(object),
        _ if resource == &PODS => read_back::<Pod>(object),
        _ => return Ok(Vec::new()),
    };
    let known = known.map_err(|error| {
        let (version, kind) = (resource.version, resource.kind);
        Failure::bad_request(format!("{kind} in version {version:?} cannot be handled as a {kind}: {error}"))
    })?;
    let mut unknown = Vec::new();
    compare(object, &known, "", &mut unknown);
    Ok(unknown)
}

fn read_back<T: DeserializeOwned + Serialize>(object: &Value) -> Result<Value, serde_json::Error> {
    serde_json::to_value(serde_json::from_value::<T>(object.clone())?)
}

fn compare(given: &Value, known: &Value, path: &str, unknown: &mut Vec<String>) {
    match (given, known) {
        (Value::Object(given), Value::Object(known)) => {
            for (name, value) in given {
                let path = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
                match known.get(name) {
                    Some(inner) => compare(value, inner, &path, unknown),
                    None if value.is_null() || value.as_array().is_some_and(Vec::is_empty) => {}
                    None => unknown.push(path),
                }
            }
        }
        (Value::Array(given), Value::Array(known)) => {
            for (at, (given, known)) in given.iter().zip(known).enumerate() {
                compare(given, known, &format!("{path}[{at}]"), unknown);
            }
        }
        _ => {}
    }
}

/// Refuses what the real API refuses of what a runner may get wrong.
pub(super) fn validate(resource: &Resource, object: &Value) -> Result<(), Failure> {
    let name = object["metadata"]["name"].as_str().unwrap_or_default();
    let mut causes: Vec<Cause> = Vec::new();
    if !is_subdomain(name) {
        let message = format!(
            "Invalid value: {name:?}: a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or \
             '.', and must start and end with an alphanumeric character (e.g. 'example.com', regex used for validation is \
             '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')"
        );
        causes.push(("metadata.name".to_owned(), "FieldValueInvalid", message));
    }
    let long =
        |value: &str| (value.len() > 63).then(|| format!("Invalid value: {value:?}: must be no more than 63 bytes"));
    let mut too_long = |field: &str, value: &str| {
        if let Some(message) = long(value) {
            causes.push((field.to_owned(), "FieldValueInvalid", message));
        }
    };
    let labels = |object: &Value| -> Vec<String> {
        object["metadata"]["labels"]
            .as_object()
            .map(|map| map.values().filter_map(Value::as_str).map(str::to_owned).collect())
            .unwrap_or_default()
    };
    labels(object).iter().for_each(|value| too_long("metadata.labels", value));
    let spec_path = if resource == &JOBS {
        let template = &object["spec"]["template"];
        labels(template).iter().for_each(|value| too_long("spec.template.labels", value));
        // The name becomes two labels of the pods.
        too_long("spec.template.labels", name);
        too_long("spec.template.labels", name);
        "spec.template.spec"
    } else {
        "spec"
    };
    let spec = object.pointer(&format!("/{}", spec_path.replace('.', "/"))).cloned().unwrap_or_default();
    if resource == &JOBS && !matches!(spec["restartPolicy"].as_str(), Some("Never" | "OnFailure")) {
        let message = "Required value: valid values: \"OnFailure\", \"Never\"".to_owned();
        causes.push((format!("{spec_path}.restartPolicy"), "FieldValueRequired", message));
    }
    if spec["containers"].as_array().is_none_or(Vec::is_empty) {
        causes.push((format!("{spec_path}.containers"), "FieldValueRequired", "Required value".to_owned()));
    }
    for list in ["initContainers", "containers"] {
        for (at, container) in spec[list].as_array().into_iter().flatten().enumerate() {
            validate_container(&spec, container, &format!("{spec_path}.{list}[{at}]"), &mut causes);
        }
    }
    if causes.is_empty() {
        return Ok(());
    }
    let subject = if resource.group.is_empty() {
        resource.kind.to_owned()
    } else {
        format!("{}.{}", resource.kind, resource.group)
    };
    Err(Failure::invalid(&subject, resource.kind, resource.group, name, &causes))
}

fn validate_container(spec: &Value, container: &Value, path: &str, causes: &mut Vec<Cause>) {
    for field in ["name", "image"] {
        if container[field].as_str().is_none_or(str::is_empty) {
            causes.push((format!("{path}.{field}"), "FieldValueRequired", "Required value".to_owned()));
        }
    }
    for mount in container["volumeMounts"].as_array().into_iter().flatten() {
        let volumes = spec["volumes"].as_array();
        if !volumes.is_some_and(|volumes| volumes.iter().any(|volume| volume["name"] == mount["name"])) {
            causes.push((
                format!("{path}.volumeMounts[0].name"),
                "FieldValueNotFound",
                format!("Not found: {}", mount["name"]),
            ));
        }
    }
    let resources = &container["resources"];
    for (name, request) in resources["requests"].as_object().into_iter().flatten() {
        let (Some(request), Some(limit)) = (request.as_str(), resources["limits"][name].as_str()) else { continue };
        if quantity::millis(request) > quantity::millis(limit) {
            let message = format!("Invalid value: {request:?}: must be less than or equal to {name} limit of {limit}");
            causes.push((format!("{path}.resources.requests"), "FieldValueInvalid", message));
        }
    }
}

fn is_subdomain(name: &str) -> bool {
    let plain = |letter: char| letter.is_ascii_lowercase() || letter.is_ascii_digit();
    !name.is_empty()
        && name.len() <= 253
        && name.split('.').all(|part| {
            part.starts_with(plain)
                && part.ends_with(plain)
                && part.chars().all(|letter| plain(letter) || letter == '-')
        })
}

/// Fills in what the API fills in of a Job.
pub(super) fn default_job(job: &mut Value) {
    let uid = new_uid();
    let name = job["metadata"]["name"].clone();
    let spec = &mut job["spec"];
    for (field, value) in [
        ("parallelism", json!(1)),
        ("completions", json!(1)),
        ("backoffLimit", json!(6)),
        ("manualSelector", json!(false)),
        ("completionMode", json!("NonIndexed")),
        ("suspend", json!(false)),
    ] {
        default_to(spec, field, value);
    }
    let replacement = if spec["podFailurePolicy"].is_null() { "TerminatingOrFailed" } else { "Failed" };
    default_to(spec, "podReplacementPolicy", json!(replacement));
    spec["selector"] = json!({"matchLabels": {"batch.kubernetes.io/controller-uid": uid}});
    let labels = &mut spec["template"]["metadata"]["labels"];
    for (label, value) in [
        ("batch.kubernetes.io/controller-uid", json!(uid)),
        ("batch.kubernetes.io/job-name", name.clone()),
        ("controller-uid", json!(uid)),
        ("job-name", name),
    ] {
        labels[label] = value;
    }
    default_pod_spec(&mut spec["template"]["spec"]);
    job["metadata"]["generation"] = json!(1);
    job["status"] = json!({});
}

/// Fills in what the API fills in of a Pod's `spec`.
fn default_pod_spec(spec: &mut Value) {
    for (field, value) in [
        ("restartPolicy", json!("Always")),
        ("terminationGracePeriodSeconds", json!(30)),
        ("dnsPolicy", json!("ClusterFirst")),
        ("securityContext", json!({})),
        ("schedulerName", json!("default-scheduler")),
    ] {
        default_to(spec, field, value);
    }
    for list in ["initContainers", "containers"] {
        for container in spec[list].as_array_mut().into_iter().flatten() {
            let image = container["image"].as_str().unwrap_or_default();
            let latest =
                image.ends_with(":latest") || !image.rsplit('/').next().unwrap_or_default().contains([':', '@']);
            let pull = if latest { "Always" } else { "IfNotPresent" };
            default_to(container, "imagePullPolicy", json!(pull));
            default_to(container, "terminationMessagePath", json!("/dev/termination-log"));
            default_to(container, "terminationMessagePolicy", json!("File"));
            default_to(container, "resources", json!({}));
            for (name, limit) in container["resources"]["limits"].as_object().cloned().into_iter().flatten() {
                default_to(&mut container["resources"]["requests"], &name, limit);
            }
        }
    }
    for volume in spec["volumes"].as_array_mut().into_iter().flatten() {
        for (source, mode) in [("configMap", 420), ("secret", 420), ("projected", 420), ("downwardAPI", 420)] {
            if volume[source].is_object() {
                default_to(&mut volume[source], "defaultMode", json!(mode));
            }
        }
        // Indexing a missing field adds it as null.
        if let Some(fields) = volume.as_object_mut() {
            fields.retain(|_, value| !value.is_null());
        }
    }
    if let Some(fields) = spec.as_object_mut() {
        fields.retain(|_, value| !value.is_null());
    }
}

/// Fills in what the API fills in of a new Pod.
pub(super) fn complete_new_pod(pod: &mut Value) {
    let spec = &mut pod["spec"];
    default_pod_spec(spec);
    for (field, value) in [
        ("serviceAccountName", json!("default")),
        ("enableServiceLinks", json!(true)),
        ("priority", json!(0)),
        ("preemptionPolicy", json!("PreemptLowerPriority")),
    ] {
        default_to(spec, field, value);
    }
    spec["serviceAccount"] = spec["serviceAccountName"].clone();
    let mut tolerations = spec["tolerations"].as_array().cloned().unwrap_or_default();
    for key in ["node.kubernetes.io/not-ready", "node.kubernetes.io/unreachable"] {
        tolerations.push(json!({"key": key, "operator": "Exists", "effect": "NoExecute", "tolerationSeconds": 300}));
    }
    spec["tolerations"] = json!(tolerations);
    let class = qos_class(spec);
    pod["metadata"]["generation"] = json!(1);
    pod["status"] = json!({"phase": "Pending", "qosClass": class});
}

fn qos_class(spec: &Value) -> &'static str {
    let containers: Vec<&Value> =
        ["initContainers", "containers"].iter().filter_map(|list| spec[list].as_array()).flatten().collect();
    let resources = |container: &&&Value| {
        container["resources"]["requests"].is_object() || container["resources"]["limits"].is_object()
    };
    let guaranteed = |container: &&Value| {
        let resources = &container["resources"];
        ["cpu", "memory"].iter().all(|name| {
            resources["limits"][name].is_string() && resources["limits"][name] == resources["requests"][name]
        })
    };
    if containers.iter().all(guaranteed) {
        "Guaranteed"
    } else if containers.iter().filter(resources).count() > 0 {
        "Burstable"
    } else {
        "BestEffort"
    }
}

fn default_to(object: &mut Value, field: &str, value: Value) {
    if object[field].is_null() {
        object[field] = value;
    }
}
