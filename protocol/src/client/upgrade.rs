//! Opening a WebSocket over the HTTP client, so that TLS, proxies and certificates are the same for both.

use base64::{Engine, engine::general_purpose::STANDARD};
use reqwest::{
    Method, StatusCode, Upgraded,
    header::{
        CONNECTION, SEC_WEBSOCKET_ACCEPT, SEC_WEBSOCKET_KEY, SEC_WEBSOCKET_PROTOCOL, SEC_WEBSOCKET_VERSION, UPGRADE,
    },
};
use tokio_tungstenite::{
    WebSocketStream,
    tungstenite::{
        handshake::derive_accept_key,
        protocol::{Role, WebSocketConfig},
    },
};

use super::{ApiClient, ClientError, api::refusal};

/// Longest message that is taken, in bytes: a first sync of the largest file comes in parts far below it.
const MAX_MESSAGE_BYTES: usize = 64 << 20;
/// Bytes read at once. The default of 128 KiB is kept for each connection.
const READ_BUFFER_BYTES: usize = 16 * 1024;

/// Opens the socket at `path`. A refused upgrade is an error with the server's words.
pub(super) async fn open(
    api: &ApiClient,
    path: &str,
    subprotocol: Option<&str>,
) -> Result<WebSocketStream<Upgraded>, ClientError> {
    // The key only shows that the server read the request; it need not be secret, it must differ from others.
    let key = STANDARD.encode(uuid::Uuid::now_v7().as_bytes());
    let mut request = api
        .request(Method::GET, path)?
        .header(CONNECTION, "Upgrade")
        .header(UPGRADE, "websocket")
        .header(SEC_WEBSOCKET_VERSION, "13")
        .header(SEC_WEBSOCKET_KEY, &key);
    if let Some(subprotocol) = subprotocol {
        request = request.header(SEC_WEBSOCKET_PROTOCOL, subprotocol);
    }
    let response = request.send().await?;
    if response.status() != StatusCode::SWITCHING_PROTOCOLS {
        return Err(refusal(response).await);
    }
    let headers = response.headers();
    if headers.get(SEC_WEBSOCKET_ACCEPT).map(|accept| accept.as_bytes())
        != Some(derive_accept_key(key.as_bytes()).as_bytes())
    {
        return Err(ClientError::Unexpected("the upgrade answers another request".into()));
    }
    if headers.get(SEC_WEBSOCKET_PROTOCOL).map(|agreed| agreed.as_bytes()) != subprotocol.map(str::as_bytes) {
        return Err(ClientError::Unexpected("the server does not speak this version's subprotocol".into()));
    }
    let config = WebSocketConfig::default()
        .max_message_size(Some(MAX_MESSAGE_BYTES))
        .max_frame_size(Some(MAX_MESSAGE_BYTES))
        .read_buffer_size(READ_BUFFER_BYTES);
    Ok(WebSocketStream::from_raw_socket(response.upgrade().await?, Role::Client, Some(config)).await)
}
