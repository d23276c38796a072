//! Decides whether a page of another site sent a request: cookies ride along with those too.

use axum::http::{HeaderMap, header};
use coderoom_protocol::problem::{ErrorCode, WireError};

/// Refuses a request whose Origin header is neither the server's own nor trusted. Browsers send the header with every
/// request that changes something and with every WebSocket; without it there is nothing to refuse.
///
/// The own origin is compared by host and port only: behind a proxy that ends TLS the server does not know its scheme.
pub(super) fn check(headers: &HeaderMap, trusted: &[String]) -> Result<(), WireError> {
    let Some(origin) = headers.get(header::ORIGIN) else { return Ok(()) };
    let origin = origin.to_str().unwrap_or("null");
    let own = headers.get(header::HOST).and_then(|host| host.to_str().ok());
    let authority = origin.split_once("://").map(|(_, authority)| authority);
    let is_own = match (authority, own) {
        (Some(authority), Some(host)) => authority.eq_ignore_ascii_case(host),
        _ => false,
    };
    let is_trusted = trusted.iter().any(|trusted| trusted.trim_end_matches('/').eq_ignore_ascii_case(origin));
    if is_own || is_trusted {
        return Ok(());
    }
    Err(WireError::new(
        ErrorCode::OriginRefused,
        "This page is not part of the server. Whoever runs it can add the page's origin to server.trusted_origins.",
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(origin: Option<&str>, host: &str, trusted: &[&str]) -> bool {
        let mut headers = HeaderMap::new();
        headers.insert(header::HOST, host.parse().unwrap());
        if let Some(origin) = origin {
            headers.insert(header::ORIGIN, origin.parse().unwrap());
        }
        let trusted: Vec<String> = trusted.iter().map(|text| (*text).to_owned()).collect();
        check(&headers, &trusted).is_err()
    }

    #[test]
    fn own_trusted_and_absent_origins_pass_and_others_do_not() {
        assert!(!refused(None, "127.0.0.1:7878", &[]));
        assert!(!refused(Some("http://127.0.0.1:7878"), "127.0.0.1:7878", &[]));
        assert!(!refused(Some("https://Code.example.org"), "code.example.org", &[]));
        assert!(!refused(Some("https://learn.example.org"), "code.example.org", &["https://learn.example.org"]));
        assert!(refused(Some("https://evil.example.org"), "code.example.org", &["https://learn.example.org"]));
        assert!(refused(Some("http://127.0.0.1:8080"), "127.0.0.1:7878", &[]), "another port is another site");
        assert!(refused(Some("null"), "code.example.org", &[]));
        assert!(refused(Some("https://code.example.org.evil.example.org"), "code.example.org", &[]));
    }
}
