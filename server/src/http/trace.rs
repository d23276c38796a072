//! The trace that a request belongs to: the caller's, as the W3C header `traceparent` names it, or a new one. It is in
//! every log line about the request and in its answer (`x-trace-id`), so that who saw a failure can say which one.

use axum::http::{HeaderMap, HeaderName};

/// The header of the answer.
pub(super) const TRACE_HEADER: HeaderName = HeaderName::from_static("x-trace-id");

/// The trace id: 32 hexadecimal digits.
pub(super) fn trace_id(headers: &HeaderMap) -> String {
    let given = headers.get("traceparent").and_then(|value| value.to_str().ok()).and_then(of_parent);
    given.map_or_else(|| format!("{:032x}", rand::random::<u128>().max(1)), str::to_owned)
}

/// The trace id of `00-TRACE-PARENT-FLAGS`, if it is well formed and not all zero.
fn of_parent(parent: &str) -> Option<&str> {
    let mut parts = parent.split('-');
    let (version, trace, span) = (parts.next()?, parts.next()?, parts.next()?);
    let is_hex = |text: &str, length| {
        text.len() == length && text.bytes().all(|byte| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte))
    };
    let known = is_hex(version, 2) && version != "ff" && is_hex(trace, 32) && is_hex(span, 16);
    (known && trace.bytes().any(|byte| byte != b'0')).then_some(trace)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_well_formed_traces_are_taken_over() {
        let trace = "4bf92f3577b34da6a3ce929d0e0e4736";
        assert_eq!(of_parent(&format!("00-{trace}-00f067aa0ba902b7-01")), Some(trace));
        for wrong in [
            String::new(),
            trace.into(),
            format!("ff-{trace}-00f067aa0ba902b7-01"),
            format!("00-{}-00f067aa0ba902b7-01", "0".repeat(32)),
            format!("00-{}-00f067aa0ba902b7-01", trace.to_uppercase()),
            format!("00-{trace}-short-01"),
            format!("00-{}\n-00f067aa0ba902b7-01", &trace[1..]),
        ] {
            assert_eq!(of_parent(&wrong), None, "{wrong}");
        }
        let (one, two) = (trace_id(&HeaderMap::new()), trace_id(&HeaderMap::new()));
        assert!(one.len() == 32 && one != two);
    }
}
