//! The API's failures: the `Status` object with the texts of Kubernetes 1.36.

use serde_json::{Value, json};

use super::resources::Resource;

/// An answer that is not the object asked for.
#[derive(Clone, Debug)]
pub(super) struct Failure {
    pub(super) code: u16,
    pub(super) body: Value,
    /// Seconds for `Retry-After`.
    pub(super) retry_after: Option<u32>,
}

impl Failure {
    /// A failure with `reason` (left out when empty) and `message`.
    pub(super) fn new(code: u16, reason: &str, message: impl Into<String>) -> Self {
        let message: String = message.into();
        let mut body = json!({
            "kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure", "message": message, "code": code,
        });
        if !reason.is_empty() {
            body["reason"] = json!(reason);
        }
        Self { code, body, retry_after: None }
    }

    fn details(mut self, details: Value) -> Self {
        self.body["details"] = details;
        self
    }

    pub(super) fn bad_request(message: impl Into<String>) -> Self {
        Self::new(400, "BadRequest", message)
    }

    pub(super) fn unauthorized() -> Self {
        Self::new(401, "Unauthorized", "Unauthorized")
    }

    pub(super) fn unknown_path() -> Self {
        Self::new(404, "NotFound", "the server could not find the requested resource").details(json!({}))
    }

    pub(super) fn not_found(resource: &Resource, name: &str) -> Self {
        Self::new(404, "NotFound", format!("{} {name:?} not found", resource.qualified()))
            .details(resource.details(Some(name), resource.plural))
    }

    pub(super) fn already_exists(resource: &Resource, name: &str, deleting: bool) -> Self {
        let qualified = resource.qualified();
        let message = if deleting {
            format!("object is being deleted: {qualified} {name:?} already exists")
        } else {
            format!("{qualified} {name:?} already exists")
        };
        Self::new(409, "AlreadyExists", message).details(resource.details(Some(name), resource.plural))
    }

    pub(super) fn wrong_uid(resource: &Resource, name: &str, wanted: &str, found: &str) -> Self {
        let message = format!(
            "Operation cannot be fulfilled on {} {name:?}: the UID in the precondition ({wanted}) does not match the UID in \
             record ({found}). The object might have been deleted and then recreated",
            resource.qualified()
        );
        Self::new(409, "Conflict", message).details(resource.details(Some(name), resource.plural))
    }

    /// 403 of a quota or an admission plugin; `why` follows "is forbidden: ".
    pub(super) fn forbidden(resource: &Resource, name: &str, why: &str) -> Self {
        Self::new(403, "Forbidden", format!("{} {name:?} is forbidden: {why}", resource.qualified()))
            .details(resource.details(Some(name), resource.plural))
    }

    /// 422 with its causes: (field, reason, message).
    pub(super) fn invalid(
        subject: &str,
        kind: &str,
        group: &str,
        name: &str,
        causes: &[(String, &str, String)],
    ) -> Self {
        let mut texts: Vec<String> = causes.iter().map(|(field, _, message)| format!("{field}: {message}")).collect();
        texts.dedup();
        let joined = if let [one] = texts.as_slice() { one.clone() } else { format!("[{}]", texts.join(", ")) };
        let causes: Vec<Value> = causes
            .iter()
            .map(|(field, reason, message)| json!({"reason": reason, "message": message, "field": field}))
            .collect();
        let mut details = json!({"name": name, "kind": kind, "causes": causes});
        if !group.is_empty() {
            details["group"] = json!(group);
        }
        Self::new(422, "Invalid", format!("{subject} {name:?} is invalid: {joined}")).details(details)
    }

    pub(super) fn too_large() -> Self {
        Self::new(413, "RequestEntityTooLarge", "Request entity too large: limit is 3145728")
    }

    /// The `ERROR` event of a watch whose resource version is gone, or a list at such a version.
    pub(super) fn expired(message: impl Into<String>) -> Self {
        Self::new(410, "Expired", message)
    }

    pub(super) fn future_version(wanted: u64, current: u64) -> Self {
        let mut failure =
            Self::new(504, "Timeout", format!("Timeout: Too large resource version: {wanted}, current: {current}")).details(json!({
                "causes": [{"reason": "ResourceVersionTooLarge", "message": "Too large resource version"}], "retryAfterSeconds": 1,
            }));
        failure.retry_after = Some(1);
        failure
    }
}
