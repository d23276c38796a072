//! `GET …/pods/NAME/log`: what the API server refuses, what the kubelet refuses, and the text itself.

use serde_json::Value;

use super::{
    clock,
    cluster::Cluster,
    follow::{Reading, stream},
    resources::{PODS, Query},
    server::Answer,
    status::Failure,
};

/// Answers one request for a log.
pub(super) fn answer(
    cluster: &std::sync::Arc<Cluster>,
    namespace: &str,
    name: &str,
    query: &Query,
) -> Result<Answer, Failure> {
    let since = query.get("sinceTime").map(|text| clock::parse(text).ok_or_else(|| bad_time(text))).transpose()?;
    let pod = cluster.get(&PODS, namespace, name).ok_or_else(|| Failure::not_found(&PODS, name))?;
    let numbers = Numbers::read(name, query)?;
    let containers = pod["spec"]["containers"].as_array().cloned().unwrap_or_default();
    let inits = pod["spec"]["initContainers"].as_array().cloned().unwrap_or_default();
    let wanted = match query.get("container") {
        Some(wanted) => wanted.to_owned(),
        None => match containers.as_slice() {
            [one] => one["name"].as_str().unwrap_or_default().to_owned(),
            several => {
                let names: Vec<&str> = several.iter().filter_map(|container| container["name"].as_str()).collect();
                let message = format!("a container name must be specified for pod {name}, choose one of: {names:?}")
                    .replace(['"', ','], "");
                return Err(Failure::bad_request(message));
            }
        },
    };
    if !containers.iter().chain(&inits).any(|container| container["name"] == wanted.as_str()) {
        return Err(Failure::bad_request(format!("container {wanted} is not valid for pod {name}")));
    }
    if pod["spec"]["nodeName"].is_null() {
        return Ok(Answer::empty(204));
    }
    if cluster.faults.read(|faults| faults.node_lost.is_some()) {
        let text = format!(
            "Get \"https://10.250.0.1:10250/containerLogs/{namespace}/{name}/{wanted}{}\": dial tcp 10.250.0.1:10250: connect: connection refused",
            if query.is_true("follow") { "?follow=true" } else { "" }
        );
        return Err(Failure::new(500, "", text));
    }
    if query.is_true("previous") {
        return Err(Failure::bad_request(format!(
            "previous terminated container {wanted:?} in pod {name:?} not found"
        )));
    }
    let state = container_state(&pod, &wanted);
    let uid = pod["metadata"]["uid"].as_str().unwrap_or_default();
    let waiting =
        state.get("waiting").map(|waiting| waiting["reason"].as_str().unwrap_or("ContainerCreating").to_owned());
    if let Some(reason) = waiting.or_else(|| state.is_null().then(|| "ContainerCreating".to_owned())) {
        let reason = match reason.as_str() {
            "ErrImagePull" => "image can't be pulled",
            "ImagePullBackOff" => "trying and failing to pull image",
            other => other,
        };
        return Err(Failure::bad_request(format!(
            "container {wanted:?} in pod {name:?} is waiting to start: {reason}"
        )));
    }
    let Some(container) = cluster.container(uid, &wanted) else {
        // Terminated without ever having run (StartError): there is no log, and it is empty.
        return Ok(Answer::text(200, String::new()));
    };
    if container.log.growth().borrow().lost {
        return Ok(Answer::text(200, format!("unable to retrieve container logs for {}", container.id)));
    }
    let since_seconds =
        numbers.since_seconds.map(|seconds| cluster.clock.now_ns() - i128::from(seconds) * 1_000_000_000);
    // The kubelet keeps whole seconds of sinceTime only.
    let since = since.map(|ns| ns.div_euclid(1_000_000_000) * 1_000_000_000).or(since_seconds);
    let reading = Reading {
        follow: query.is_true("follow"),
        timestamps: query.is_true("timestamps"),
        since,
        tail_lines: numbers.tail_lines,
        limit_bytes: numbers.limit_bytes,
    };
    Ok(Answer::stream("text/plain", stream(cluster.clone(), container, reading)))
}

struct Numbers {
    since_seconds: Option<i64>,
    tail_lines: Option<u64>,
    limit_bytes: Option<u64>,
}

impl Numbers {
    fn read(name: &str, query: &Query) -> Result<Self, Failure> {
        let number = |field: &str| query.get(field).and_then(|text| text.parse::<i64>().ok());
        let mut causes = Vec::new();
        if query.get("stream").is_some_and(|stream| stream != "All") {
            causes.push(("stream".to_owned(), "FieldValueForbidden", "Forbidden: may not be specified".to_owned()));
        }
        for (field, least) in [("sinceSeconds", 1), ("limitBytes", 1), ("tailLines", 0)] {
            if let Some(value) = number(field)
                && value < least
            {
                let bound = if least == 1 { "must be greater than 0" } else { "must be greater than or equal to 0" };
                causes.push((field.to_owned(), "FieldValueInvalid", format!("Invalid value: {value}: {bound}")));
            }
        }
        if !causes.is_empty() {
            return Err(Failure::invalid("PodLogOptions", "PodLogOptions", "", name, &causes));
        }
        let positive = |field: &str| number(field).and_then(|value| u64::try_from(value).ok());
        Ok(Self {
            since_seconds: number("sinceSeconds"),
            tail_lines: positive("tailLines"),
            limit_bytes: positive("limitBytes"),
        })
    }
}

fn container_state(pod: &Value, name: &str) -> Value {
    let of = |list: &str| {
        let statuses = pod["status"][list].as_array();
        statuses
            .and_then(|statuses| statuses.iter().find(|status| status["name"] == name))
            .map(|status| status["state"].clone())
    };
    of("containerStatuses").or_else(|| of("initContainerStatuses")).unwrap_or_default()
}

fn bad_time(text: &str) -> Failure {
    Failure::bad_request(format!(
        "parsing time {text:?} as \"2006-01-02T15:04:05Z07:00\": cannot parse {text:?} as \"2006\""
    ))
}
