//! The WebSocket upgrade (RFC 6455 §4.2), by hand: what follows it is written without tungstenite.

use axum::{
    body::Body,
    http::{
        HeaderMap, HeaderValue, Method, StatusCode, Version,
        header::{
            CONNECTION, SEC_WEBSOCKET_ACCEPT, SEC_WEBSOCKET_KEY, SEC_WEBSOCKET_PROTOCOL, SEC_WEBSOCKET_VERSION, UPGRADE,
        },
        request::Parts,
    },
    response::Response,
};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use coderoom_protocol::problem::{ErrorCode, WireError};
use hyper::upgrade::{OnUpgrade, Upgraded};
use hyper_util::rt::TokioIo;
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;

/// A request that may become a WebSocket.
#[derive(Debug)]
pub(super) struct Upgrade {
    on_upgrade: OnUpgrade,
    accept: HeaderValue,
    protocol: Option<HeaderValue>,
}

impl Upgrade {
    /// Checks that the request is a WebSocket handshake.
    pub(super) fn of(parts: &mut Parts) -> Result<Self, WireError> {
        let bad = |what: &str| WireError::new(ErrorCode::BadRequest, format!("This address is a WebSocket: {what}."));
        if parts.method != Method::GET || parts.version < Version::HTTP_11 {
            return Err(bad("open it with GET over HTTP/1.1"));
        }
        let headers = &parts.headers;
        if !lists(headers, &CONNECTION, "upgrade") || !lists(headers, &UPGRADE, "websocket") {
            return Err(bad("the request must ask for an upgrade to websocket"));
        }
        if headers.get(SEC_WEBSOCKET_VERSION).is_none_or(|version| version != "13") {
            return Err(bad("Sec-WebSocket-Version must be 13"));
        }
        let key = headers.get(SEC_WEBSOCKET_KEY).ok_or_else(|| bad("Sec-WebSocket-Key is missing"))?;
        if STANDARD.decode(key).map_or(0, |key| key.len()) != 16 {
            return Err(bad("Sec-WebSocket-Key is not 16 bytes in base64"));
        }
        let accept = HeaderValue::try_from(derive_accept_key(key.as_bytes()));
        let accept = accept.map_err(|_| bad("Sec-WebSocket-Key is not well formed"))?;
        let on_upgrade = parts.extensions.remove::<OnUpgrade>();
        let on_upgrade = on_upgrade.ok_or_else(|| bad("this connection cannot be upgraded"))?;
        Ok(Self { on_upgrade, accept, protocol: None })
    }

    /// Agrees to a subprotocol that the client offered.
    pub(super) fn with_protocol(mut self, protocol: Option<HeaderValue>) -> Self {
        self.protocol = protocol;
        self
    }

    /// The answer that begins the WebSocket, and the stream that comes after it was sent.
    pub(super) fn answer(self) -> (Response, impl Future<Output = Result<TokioIo<Upgraded>, hyper::Error>> + Send) {
        let mut response = Response::new(Body::empty());
        *response.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
        let headers = response.headers_mut();
        headers.insert(CONNECTION, HeaderValue::from_static("upgrade"));
        headers.insert(UPGRADE, HeaderValue::from_static("websocket"));
        headers.insert(SEC_WEBSOCKET_ACCEPT, self.accept);
        if let Some(protocol) = self.protocol {
            headers.insert(SEC_WEBSOCKET_PROTOCOL, protocol);
        }
        let on_upgrade = self.on_upgrade;
        (response, async move { on_upgrade.await.map(TokioIo::new) })
    }
}

/// The subprotocols that the client offers, in its order.
pub(super) fn offered_protocols(headers: &HeaderMap) -> impl Iterator<Item = &str> {
    tokens(headers, &SEC_WEBSOCKET_PROTOCOL)
}

fn lists(headers: &HeaderMap, name: &axum::http::HeaderName, token: &str) -> bool {
    tokens(headers, name).any(|found| found.eq_ignore_ascii_case(token))
}

fn tokens<'a>(headers: &'a HeaderMap, name: &axum::http::HeaderName) -> impl Iterator<Item = &'a str> {
    let values = headers.get_all(name).into_iter().filter_map(|value| value.to_str().ok());
    values.flat_map(|value| value.split(',')).map(str::trim).filter(|token| !token.is_empty())
}

#[cfg(test)]
mod tests {
    use axum::http::Request;

    use super::*;

    fn check(headers: &[(&str, &str)]) -> Result<(), String> {
        let mut request = Request::builder().method("GET").uri("/");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let (mut parts, ()) = request.body(()).expect("a good request").into_parts();
        Upgrade::of(&mut parts).map(|_| ()).map_err(|error| error.message)
    }

    #[test]
    fn requests_that_are_no_handshake_are_refused_with_the_reason() {
        let mut headers = vec![];
        for (header, reason) in [
            (("connection", "keep-alive, Upgrade"), "must ask for an upgrade"),
            (("upgrade", "WebSocket"), "must ask for an upgrade"),
            (("sec-websocket-version", "13"), "Version must be 13"),
            (("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ=="), "Key is missing"),
        ] {
            let error = check(&headers).expect_err("not yet a handshake");
            assert!(error.contains(reason), "{error}");
            headers.push(header);
        }
        for key in ["", "x", "dGhlIHNhbXBsZSBub25jZQ", "dGhlIHNhbXBsZSBub25jZSBpcyBsb25n", "not base64, for sure!!!!"] {
            headers[3].1 = key;
            assert!(check(&headers).expect_err(key).contains("not 16 bytes"), "{key:?}");
        }
        headers[3].1 = "dGhlIHNhbXBsZSBub25jZQ==";
        assert!(check(&headers).expect_err("no connection below").contains("cannot be upgraded"));
    }

    #[test]
    fn offered_protocols_are_read_over_all_headers() {
        let mut headers = HeaderMap::new();
        headers.append(SEC_WEBSOCKET_PROTOCOL, HeaderValue::from_static("a, coderoom.v1"));
        headers.append(SEC_WEBSOCKET_PROTOCOL, HeaderValue::from_static("b"));
        assert_eq!(offered_protocols(&headers).collect::<Vec<_>>(), ["a", "coderoom.v1", "b"]);
    }
}
