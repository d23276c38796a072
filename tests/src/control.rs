//! The control channel of a room as programs speak it: JSON in text frames (`coderoom.v1`).

use coderoom_protocol::ids::{RunId, TaskId};
use futures_util::{SinkExt, StreamExt};
use serde_json::{Value, json};
use tokio::{net::TcpStream, time::timeout};
use tokio_tungstenite::{
    MaybeTlsStream, WebSocketStream, connect_async_with_config,
    tungstenite::{Message, client::IntoClientRequest, http::HeaderValue, protocol::WebSocketConfig},
};

use crate::{person::Person, wait::PATIENCE};

/// Opens the channel; the next message is the server's welcome.
///
/// # Panics
/// When the upgrade is refused.
pub async fn open(person: &Person, task: TaskId) -> WebSocketStream<MaybeTlsStream<TcpStream>> {
    let mut request =
        format!("{}/ws/tasks/{task}", person.url.replacen("http", "ws", 1)).into_client_request().expect("a URL");
    let token = HeaderValue::from_str(&format!("Bearer {}", person.token)).expect("a token");
    request.headers_mut().insert("authorization", token);
    request.headers_mut().insert("sec-websocket-protocol", HeaderValue::from_static("coderoom.v1"));
    let config = WebSocketConfig::default().max_message_size(None).max_frame_size(None);
    connect_async_with_config(request, Some(config), true).await.expect("the upgrade is accepted").0
}

/// Somebody at the channel.
#[derive(Debug)]
pub struct Control {
    socket: WebSocketStream<MaybeTlsStream<TcpStream>>,
    /// Everything that came, replies too.
    pub heard: Vec<Value>,
}

impl Control {
    /// Opens the channel.
    pub async fn open(person: &Person, task: TaskId) -> Self {
        Self { socket: open(person, task).await, heard: Vec::new() }
    }

    /// Sends a request and gives the result of its reply.
    ///
    /// # Panics
    /// When it is refused.
    pub async fn ask(&mut self, mut request: Value) -> Value {
        let id = format!("c{}", self.heard.len());
        request["id"] = json!(id);
        self.socket.send(Message::text(request.to_string())).await.expect("the socket is open");
        let reply = self.wait_for("the reply", |said| said["type"] == "reply" && said["id"] == *id).await;
        assert_eq!(reply["ok"], true, "{request}: {reply}");
        reply["result"].clone()
    }

    /// Gives the next message that satisfies the condition. It and those before it are in [`Self::heard`].
    ///
    /// # Panics
    /// When none comes.
    pub async fn wait_for(&mut self, what: &str, is_it: impl Fn(&Value) -> bool) -> Value {
        loop {
            let next = timeout(PATIENCE, self.socket.next()).await;
            let Ok(next) = next else { panic!("{what} did not come; the last was {:?}", self.heard.last()) };
            let Some(Ok(message)) = next else { panic!("the socket ended before {what} came: {next:?}") };
            let Message::Text(text) = message else { continue };
            let said: Value = serde_json::from_str(&text).expect("JSON");
            self.heard.push(said.clone());
            if is_it(&said) {
                return said;
            }
        }
    }

    /// What a run's log said so far, and that nothing of it is missing or came twice.
    ///
    /// # Panics
    /// When there is a hole.
    #[must_use]
    pub fn log_of(&self, run: RunId) -> String {
        let mut text = String::new();
        for said in self.heard.iter().filter(|said| said["type"] == "log" && said["run"] == run.to_string()) {
            assert_eq!(said["offset"], text.len(), "a hole, or something twice: {said}");
            text += said["text"].as_str().unwrap_or_default();
        }
        text
    }

    /// The states that a run was told to be in, in order, each once.
    #[must_use]
    pub fn states_of(&self, run: RunId) -> Vec<u64> {
        let told = self.heard.iter().filter(|said| said["type"] == "run" && said["run"]["id"] == run.to_string());
        let mut states: Vec<u64> = told.filter_map(|said| said["run"]["state"].as_u64()).collect();
        states.dedup();
        states
    }
}
