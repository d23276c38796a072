//! What of a watch event is compared: everything that a client may act on, nothing that differs from run to run.

use serde_json::Value;

/// One line that says what the event shows.
pub(crate) fn digest(event: &Value) -> String {
    let object = &event["object"];
    let meta = &object["metadata"];
    let mut text = format!("{} {}", word(&event["type"]), word(&object["kind"]));
    if !meta["deletionTimestamp"].is_null() {
        text += &format!(" deleted(grace {})", meta["deletionGracePeriodSeconds"]);
    }
    // Whether the last finalizer goes before or with the object is a race.
    if let Some(finalizers) = meta["finalizers"].as_array().filter(|_| event["type"] != "DELETED") {
        text += &format!(" held by {}", finalizers.iter().map(word).collect::<Vec<_>>().join(","));
    }
    text += &match word(&object["kind"]) {
        "Pod" => pod(&object["status"]),
        "Job" => job(&object["status"]),
        "Event" => happening(object),
        "Status" => format!(" {} {} {}", object["code"], word(&object["reason"]), word(&object["message"])),
        _ => String::new(),
    };
    text
}

fn word(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

fn pod(status: &Value) -> String {
    let mut text = format!(" {} {}", word(&status["phase"]), word(&status["reason"]));
    for condition in status["conditions"].as_array().into_iter().flatten() {
        let name: String = word(&condition["type"]).chars().filter(char::is_ascii_uppercase).collect();
        text += &format!(" {name}={}", word(&condition["status"]));
        for field in ["reason", "message"] {
            if let Some(value) = condition[field].as_str() {
                text += &format!("({value})");
            }
        }
    }
    for list in ["initContainerStatuses", "containerStatuses"] {
        for container in status[list].as_array().into_iter().flatten() {
            text += &format!(" {}:{}", word(&container["name"]), state(&container["state"]));
            if container["ready"] == true {
                text += "+ready";
            }
            if container["started"] == true {
                text += "+started";
            }
        }
    }
    text
}

fn state(state: &Value) -> String {
    if !state["running"].is_null() {
        return "running".to_owned();
    }
    if let Some(reason) = state["waiting"]["reason"].as_str() {
        return format!("waiting({reason} {})", word(&state["waiting"]["message"]));
    }
    let ended = &state["terminated"];
    format!("ended({} {} {})", ended["exitCode"], word(&ended["reason"]), word(&ended["message"]))
}

fn job(status: &Value) -> String {
    let mut text = String::new();
    for condition in status["conditions"].as_array().into_iter().flatten() {
        text +=
            &format!(" {}({}: {})", word(&condition["type"]), word(&condition["reason"]), word(&condition["message"]));
    }
    for field in ["active", "succeeded", "failed", "terminating"] {
        if let Some(count) = status[field].as_u64() {
            text += &format!(" {field}={count}");
        }
    }
    for field in ["succeeded", "failed"] {
        if let Some(list) = status["uncountedTerminatedPods"][field].as_array() {
            text += &format!(" uncounted-{field}={}", list.len());
        }
    }
    for field in ["startTime", "completionTime"] {
        if !status[field].is_null() {
            text += &format!(" {field}");
        }
    }
    text
}

fn happening(event: &Value) -> String {
    let involved = &event["involvedObject"];
    format!(
        " about {} {} {} {}: {} by {}",
        word(&involved["kind"]),
        word(&involved["fieldPath"]),
        word(&event["type"]),
        word(&event["reason"]),
        word(&event["message"]),
        word(&event["reportingComponent"]),
    )
}
