//! Comparing one answer with the recorded one: status, kind, texts of refusals, and the set of fields of an object.

use std::collections::BTreeSet;

use serde_json::Value;

/// What differs, a sentence each. `normal` makes names and ids of both sides comparable.
pub(crate) fn differences(recorded: &Value, status: u16, body: &str, normal: &dyn Fn(&str) -> String) -> Vec<String> {
    let mut found = Vec::new();
    if recorded["status"] != status {
        found.push(format!("status {status} instead of {}", recorded["status"]));
    }
    let wanted = &recorded["body"];
    let given = serde_json::from_str::<Value>(body).unwrap_or_else(|_| Value::String(body.to_owned()));
    match wanted {
        Value::Object(_) if wanted["kind"] == "Status" => {
            for field in ["kind", "apiVersion", "status", "reason", "code"] {
                if wanted[field] != given[field] {
                    found.push(format!("{field} {} instead of {}", given[field], wanted[field]));
                }
            }
            let texts = |value: &Value| normal(&serde_json::json!([value["message"], value["details"]]).to_string());
            if texts(wanted) != texts(&given) {
                found.push(format!("text\n  {}\ninstead of\n  {}", texts(&given), texts(wanted)));
            }
        }
        Value::Object(_) => found.extend(shape_differences(wanted, &given)),
        Value::String(text) if !text.is_empty() || body.is_empty() => {
            let (text, body) = (text_shape(text), text_shape(body));
            if normal(&text) != normal(&body) {
                found.push(format!("text {body:?} instead of {text:?}"));
            }
        }
        _ => {}
    }
    found
}

/// Fields that one has and the other has not.
pub(crate) fn shape_differences(wanted: &Value, given: &Value) -> Vec<String> {
    let (mut wanted_paths, mut given_paths) = (paths(wanted), paths(given));
    if wanted_paths.iter().any(|path| path.ends_with(".spec....")) {
        // The recording says that this spec is the same as one before.
        for side in [&mut wanted_paths, &mut given_paths] {
            side.retain(|path| !path.contains(".spec."));
        }
    }
    let missing = wanted_paths.difference(&given_paths).map(|path| format!("field {path} is missing"));
    let extra = given_paths.difference(&wanted_paths).map(|path| format!("field {path} is not in the recording"));
    let kind =
        (wanted["kind"] != given["kind"]).then(|| format!("kind {} instead of {}", given["kind"], wanted["kind"]));
    missing.chain(extra).chain(kind).collect()
}

fn paths(value: &Value) -> BTreeSet<String> {
    fn walk(value: &Value, path: &str, found: &mut BTreeSet<String>) {
        match value {
            Value::Object(fields) => {
                for (name, value) in fields {
                    let path = format!("{path}.{name}");
                    if value.as_object().is_none_or(serde_json::Map::is_empty) {
                        found.insert(path.clone());
                    }
                    walk(value, &path, found);
                }
            }
            Value::Array(items) => items.iter().for_each(|item| walk(item, &format!("{path}[]"), found)),
            _ => {}
        }
    }
    let mut found = BTreeSet::new();
    walk(value, "", &mut found);
    found
}

/// A log with its times taken out, if its lines begin with times.
fn text_shape(text: &str) -> String {
    let untimed = |line: &str| -> String {
        match line.split_once(' ') {
            Some((stamp, rest)) if stamp.len() == 30 && stamp.ends_with('Z') => format!("TIME {rest}"),
            _ => line.to_owned(),
        }
    };
    let mut lines: Vec<String> = text.split('\n').map(untimed).collect();
    if text.contains("hello") {
        // The order between the two streams is not fixed.
        lines.sort();
    }
    lines.join("\n")
}
