//! Lists: selectors, pages with `limit` and `continue`, and what an asked-for resource version means.

use base64::{Engine, engine::general_purpose::STANDARD};
use serde_json::{Value, json};

use super::{
    cluster::Cluster,
    resources::{Query, Target},
    selector::Selector,
    server::Answer,
    status::Failure,
};

/// How long a list at a version of the future waits, before scaling; milliseconds.
const FUTURE_WAIT_MS: u64 = 3_000;

/// Answers one list.
pub(super) async fn answer(cluster: &Cluster, target: &Target, query: &Query) -> Result<Answer, Failure> {
    let selector = Selector::parse(query)?;
    let wanted = version(query)?;
    let (current, compacted) = cluster.store(|store| (store.revision(), store.compacted()));
    if wanted > current {
        cluster.pause(FUTURE_WAIT_MS).await;
        return Err(Failure::future_version(wanted, current));
    }
    if wanted > 0 && wanted < compacted && query.get("resourceVersionMatch") == Some("Exact") {
        return Err(Failure::expired("The resourceVersion for the provided list is too old."));
    }
    let after = query.get("continue").map(|token| read_token(token, compacted)).transpose()?;
    let mut items = cluster.list(target.resource, &target.namespace);
    items.retain(|object| selector.matches(object));
    if let Some(after) = &after {
        items.retain(|object| key(object) > *after);
    }
    let limit =
        query.get("limit").and_then(|limit| limit.parse().ok()).filter(|limit| *limit > 0).unwrap_or(usize::MAX);
    let mut meta = json!({"resourceVersion": current.to_string()});
    if items.len() > limit {
        meta["remainingItemCount"] = json!(items.len() - limit);
        items.truncate(limit);
        let last = items.last().map(|object| key(object)).unwrap_or_default();
        meta["continue"] =
            json!(STANDARD.encode(json!({"v": "meta.k8s.io/v1", "rv": current, "start": last}).to_string()));
    }
    let items: Vec<Value> = items
        .iter()
        .map(|object| {
            let mut object = Value::clone(object);
            if let Some(fields) = object.as_object_mut() {
                fields.remove("kind");
                fields.remove("apiVersion");
            }
            object
        })
        .collect();
    Ok(Answer::json(
        200,
        &json!({
            "kind": format!("{}List", target.resource.kind), "apiVersion": target.resource.api_version(), "metadata": meta, "items": items,
        }),
    ))
}

/// The asked-for resource version; 0 when none is given.
pub(super) fn version(query: &Query) -> Result<u64, Failure> {
    let Some(text) = query.get("resourceVersion") else { return Ok(0) };
    text.parse().map_err(|_| {
        let message =
            format!("resourceVersion: Invalid value: {text:?}: strconv.ParseUint: parsing {text:?}: invalid syntax");
        Failure::new(500, "", message)
    })
}

fn key(object: &Value) -> String {
    let text = |field: &str| object["metadata"][field].as_str().unwrap_or_default().to_owned();
    format!("{}/{}", text("namespace"), text("name"))
}

fn read_token(token: &str, compacted: u64) -> Result<String, Failure> {
    let read = || serde_json::from_slice::<Value>(&STANDARD.decode(token).ok()?).ok();
    let token = read().ok_or_else(|| Failure::bad_request("continue key is not valid: incorrect encoding"))?;
    if token["rv"].as_u64().unwrap_or_default() < compacted {
        return Err(Failure::expired(
            "The provided continue parameter is too old to display a consistent list result. You can start a new list without the continue parameter.",
        ));
    }
    Ok(token["start"].as_str().unwrap_or_default().to_owned())
}
