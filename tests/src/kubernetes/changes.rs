//! Create, change and delete.

use std::sync::Arc;

use serde_json::{Value, json};

use super::{
    admission,
    cluster::Cluster,
    garbage, job_controller, kubelet, pod_security, quota,
    resources::{JOBS, NAMESPACES, PODS, QUOTAS, Query, Resource, Target},
    selector::Selector,
    server::Answer,
    status::Failure,
};

/// Creates an object.
pub(super) fn create(
    cluster: &Arc<Cluster>,
    target: &Target,
    query: &Query,
    body: Option<Value>,
) -> Result<Answer, Failure> {
    let resource = target.resource;
    let mut object = body.filter(Value::is_object).ok_or_else(|| {
        Failure::bad_request(
            "the object provided is unrecognized (must be of type Job): couldn't get version/kind; json parse error",
        )
    })?;
    let unknown = admission::unknown_fields(resource, &object)?;
    if !unknown.is_empty() && query.get("fieldValidation") == Some("Strict") {
        let fields: Vec<String> = unknown.iter().map(|field| format!("unknown field {field:?}")).collect();
        let (version, kind) = (resource.version, resource.kind);
        let message = format!(
            "{kind} in version {version:?} cannot be handled as a {kind}: strict decoding error: {}",
            fields.join(", ")
        );
        return Err(Failure::bad_request(message));
    }
    if resource.namespaced {
        if cluster.get(&NAMESPACES, "", &target.namespace).is_none() {
            return Err(Failure::not_found(&NAMESPACES, &target.namespace));
        }
        object["metadata"]["namespace"] = json!(target.namespace);
    }
    if object["metadata"]["name"].is_null()
        && let Some(prefix) = object["metadata"]["generateName"].as_str()
    {
        object["metadata"]["name"] = json!(format!("{prefix}{}", random_suffix()));
    }
    let name = object["metadata"]["name"].as_str().unwrap_or_default().to_owned();
    let mut warnings = Vec::new();
    if query.get("fieldValidation") != Some("Ignore") {
        warnings.extend(unknown.iter().map(|field| format!("unknown field {field:?}")));
    }
    prepare(cluster, resource, &target.namespace, &mut object, &mut warnings)?;
    if query.get("dryRun").is_none() {
        let now = cluster.clock.now();
        // Looked up and created under one lock: of two creates at once one wins.
        let created = cluster.store(|store| match store.get(resource, &target.namespace, &name) {
            Some(present) => {
                Err(Failure::already_exists(resource, &name, !present["metadata"]["deletionTimestamp"].is_null()))
            }
            None => Ok(store.create(resource, &now, object)),
        })?;
        start(cluster, resource, &created);
        object = Value::clone(&created);
    }
    let mut answer = Answer::json(201, &object);
    answer.warnings = warnings;
    Ok(answer)
}

fn prepare(
    cluster: &Cluster,
    resource: &'static Resource,
    namespace: &str,
    object: &mut Value,
    warnings: &mut Vec<String>,
) -> Result<(), Failure> {
    let name = object["metadata"]["name"].as_str().unwrap_or_default().to_owned();
    if resource == &JOBS {
        admission::validate(resource, object)?;
        if let Some(violation) = pod_security::violation(cluster, namespace, &object["spec"]["template"]["spec"]) {
            warnings.push(format!("would violate {violation}"));
        }
        if cluster.get(resource, namespace, &name).is_none()
            && let Some(why) = quota::refuses_job(cluster, namespace)
        {
            return Err(Failure::forbidden(resource, &name, &why));
        }
        admission::default_job(object);
    } else if resource == &PODS {
        admission::validate(resource, object)?;
        if let Some(violation) = pod_security::violation(cluster, namespace, &object["spec"]) {
            return Err(Failure::forbidden(resource, &name, &format!("violates {violation}")));
        }
        if let Some(why) = quota::refuses_pod(cluster, namespace, &object["spec"]) {
            return Err(Failure::forbidden(resource, &name, &why));
        }
        admission::complete_new_pod(object);
    } else if resource == &QUOTAS {
        object["status"] = json!({});
    } else if resource == &NAMESPACES {
        let labels = object["metadata"]["labels"].clone();
        *object = super::cluster::namespace_object(&name);
        for (label, value) in labels.as_object().into_iter().flatten() {
            object["metadata"]["labels"][label] = value.clone();
        }
    }
    Ok(())
}

/// Starts the part of the cluster that cares for a new object.
pub(super) fn start(cluster: &Arc<Cluster>, resource: &Resource, object: &Value) {
    let text = |field: &str| object["metadata"][field].as_str().unwrap_or_default().to_owned();
    if resource == &JOBS {
        cluster.spawn(job_controller::run(cluster.clone(), text("namespace"), text("name"), text("uid")));
    } else if resource == &PODS {
        cluster.spawn(kubelet::run(cluster.clone(), text("namespace"), text("name"), text("uid")));
    }
}

/// Five letters as the API appends them to names.
pub(super) fn random_suffix() -> String {
    const LETTERS: &[u8] = b"bcdfghjklmnpqrstvwxz2456789";
    let bytes: [u8; 5] = rand::random();
    bytes
        .iter()
        .filter_map(|byte| LETTERS.get(usize::from(*byte) % LETTERS.len()))
        .map(|letter| char::from(*letter))
        .collect()
}

/// Merge patch or replacement of an object.
pub(super) fn change(
    cluster: &Cluster,
    target: &Target,
    replace: bool,
    body: Option<Value>,
) -> Result<Answer, Failure> {
    let patch = body.ok_or_else(|| Failure::bad_request("error decoding patch"))?;
    let missing = || Failure::not_found(target.resource, &target.name);
    let present = cluster.get(target.resource, &target.namespace, &target.name).ok_or_else(missing)?;
    let wanted = patch["metadata"]["resourceVersion"].as_str();
    if wanted.is_some_and(|wanted| present["metadata"]["resourceVersion"] != wanted) {
        let message = format!(
            "Operation cannot be fulfilled on {} {:?}: the object has been modified; please apply your changes to the latest version and try again",
            target.resource.qualified(),
            target.name
        );
        return Err(Failure::new(409, "Conflict", message));
    }
    let changed = cluster.update(target.resource, &target.namespace, &target.name, |object| {
        let spec = object["spec"].clone();
        if replace {
            let meta = object["metadata"].clone();
            *object = patch.clone();
            for field in ["uid", "resourceVersion", "creationTimestamp", "generation"] {
                object["metadata"][field] = meta[field].clone();
            }
        } else {
            merge(object, &patch);
        }
        if object["spec"] != spec {
            object["metadata"]["generation"] = json!(object["metadata"]["generation"].as_u64().unwrap_or(0) + 1);
        }
    });
    garbage::finish_if_free(cluster, target.resource, &target.namespace, &target.name);
    changed.map(|object| Answer::json(200, &object)).ok_or_else(missing)
}

fn merge(object: &mut Value, patch: &Value) {
    let Some(fields) = patch.as_object() else {
        *object = patch.clone();
        return;
    };
    if !object.is_object() {
        *object = json!({});
    }
    for (name, value) in fields {
        if value.is_null() {
            object.as_object_mut().map(|object| object.remove(name));
        } else {
            merge(&mut object[name], value);
        }
    }
}

/// Deletes an object as its kind and the options say.
pub(super) fn delete(
    cluster: &Arc<Cluster>,
    target: &Target,
    query: &Query,
    options: Value,
) -> Result<Answer, Failure> {
    let (resource, namespace, name) = (target.resource, target.namespace.as_str(), target.name.as_str());
    let found = cluster.get(resource, namespace, name).ok_or_else(|| Failure::not_found(resource, name))?;
    let uid = found["metadata"]["uid"].as_str().unwrap_or_default();
    if let Some(wanted) = options["preconditions"]["uid"].as_str().filter(|wanted| *wanted != uid) {
        return Err(Failure::wrong_uid(resource, name, wanted, uid));
    }
    if resource == &JOBS {
        let policy = options["propagationPolicy"].as_str().or_else(|| query.get("propagationPolicy"));
        return Ok(garbage::delete_job(cluster, &found, policy));
    }
    if resource == &PODS {
        let grace = options["gracePeriodSeconds"]
            .as_u64()
            .or_else(|| query.get("gracePeriodSeconds").and_then(|text| text.parse().ok()));
        let deleted = garbage::delete_pod(cluster, namespace, name, grace).unwrap_or_else(|| Value::clone(&found));
        return Ok(Answer::json(200, &deleted));
    }
    if resource == &NAMESPACES {
        return Ok(garbage::delete_namespace(cluster, name));
    }
    cluster.store(|store| store.remove(resource, namespace, name));
    Ok(removed(resource, &found))
}

/// The `Status` that says that an object is gone.
pub(super) fn removed(resource: &Resource, object: &Value) -> Answer {
    let mut details = resource.details(object["metadata"]["name"].as_str(), resource.plural);
    details["uid"] = object["metadata"]["uid"].clone();
    Answer::json(
        200,
        &json!({"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success", "details": details}),
    )
}

/// Deletes all objects that the selectors name.
pub(super) fn delete_collection(
    cluster: &Arc<Cluster>,
    target: &Target,
    query: &Query,
    options: &Value,
) -> Result<Answer, Failure> {
    let selector = Selector::parse(query)?;
    let items: Vec<Value> = cluster
        .list(target.resource, &target.namespace)
        .iter()
        .filter(|object| selector.matches(object))
        .map(|object| Value::clone(object))
        .collect();
    for object in &items {
        let text = |field: &str| object["metadata"][field].as_str().unwrap_or_default().to_owned();
        let one = Target {
            resource: target.resource,
            namespace: text("namespace"),
            name: text("name"),
            subresource: String::new(),
        };
        // Gone meanwhile is gone.
        let _ = delete(cluster, &one, query, options.clone());
    }
    Ok(Answer::json(
        200,
        &json!({"kind": format!("{}List", target.resource.kind), "apiVersion": target.resource.api_version(), "metadata": {}, "items": items}),
    ))
}
