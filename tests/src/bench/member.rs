//! A member of a room that costs little: no document, it only counts.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering::Relaxed},
    },
    time::Duration,
};

use coderoom_protocol::{
    frame::{
        SyncMessage,
        as_client::{self, ServerFrame, ServerPayload, parse_server_frame},
    },
    gate,
    ids::TaskId,
};
use futures_util::{SinkExt, StreamExt, stream::SplitSink};
use tokio::{net::TcpStream, sync::Notify, task::JoinHandle, time::Instant};
use tokio_tungstenite::{
    MaybeTlsStream, WebSocketStream, connect_async_with_config,
    tungstenite::{Message, protocol::WebSocketConfig},
};

use crate::person::Person;

/// What a member has heard.
#[derive(Debug, Default)]
pub struct Heard {
    /// Characters that others typed.
    pub characters: AtomicU64,
    /// Frames with edits.
    pub frames: AtomicU64,
    /// Updates of this member that are stored.
    pub stored: AtomicU64,
    /// Updates of this member that were refused.
    pub refused: AtomicU64,
    /// The first synchronisation is complete.
    pub synced: AtomicBool,
    /// Rung at every message.
    pub news: Notify,
}

/// One socket with one document open.
#[derive(Debug)]
pub struct Member {
    /// What it has heard so far.
    pub heard: Arc<Heard>,
    address: String,
    sink: SplitSink<WebSocketStream<MaybeTlsStream<TcpStream>>, Message>,
    reader: JoinHandle<()>,
}

impl Member {
    /// Opens `/path` of a task; does not wait for the synchronisation.
    ///
    /// # Panics
    /// When the upgrade is refused.
    pub async fn join(person: &Person, task: TaskId, path: &str) -> Self {
        let url = format!("{}/ws/tasks/{task}", person.url.replacen("http", "ws", 1));
        let config = WebSocketConfig::default().read_buffer_size(16 * 1024).max_message_size(None).max_frame_size(None);
        let (socket, _) = connect_async_with_config(url, Some(config), true).await.expect("the upgrade is accepted");
        let (mut sink, mut stream) = socket.split();
        let address = format!("/{path}");
        for frame in [
            as_client::auth(&address, &person.token, Some("4.8.0")),
            as_client::sync(&address, SyncMessage::Step1(&[0])),
        ] {
            sink.feed(Message::binary(frame)).await.expect("the socket is open");
        }
        sink.flush().await.expect("the socket is open");
        let heard = Arc::new(Heard::default());
        let hearing = Arc::clone(&heard);
        let reader = tokio::spawn(async move {
            while let Some(Ok(message)) = stream.next().await {
                if let Message::Binary(bytes) = message {
                    hear(&bytes, &hearing);
                    hearing.news.notify_waiters();
                }
            }
        });
        Self { heard, address, sink, reader }
    }

    /// Waits for the step 2 of the first synchronisation.
    pub async fn synced(&self) {
        wait(|| self.heard.synced.load(Relaxed), "the first synchronisation").await;
    }

    /// Puts an update into the socket's buffer.
    ///
    /// # Panics
    /// When the socket has ended.
    pub async fn feed(&mut self, update: &[u8]) {
        let frame = as_client::sync(&self.address, SyncMessage::Update(update));
        self.sink.feed(Message::binary(frame)).await.expect("the socket is open");
    }

    /// Writes the buffer out.
    ///
    /// # Panics
    /// When the socket has ended.
    pub async fn flush(&mut self) {
        self.sink.flush().await.expect("the socket is open");
    }

    /// Sends one update at once.
    pub async fn send(&mut self, update: &[u8]) {
        self.feed(update).await;
        self.flush().await;
    }

    /// Stops reading, as a stalled client does; the socket stays open.
    pub fn stall(&self) {
        self.reader.abort();
    }
}

impl Drop for Member {
    fn drop(&mut self) {
        self.reader.abort();
    }
}

fn hear(bytes: &[u8], heard: &Heard) {
    let Ok(ServerFrame::Message { message, .. }) = parse_server_frame(bytes) else { return };
    match message {
        ServerPayload::Sync(SyncMessage::Update(update)) => {
            let inserted = gate::check(update, |_| u32::MAX).map_or(0, |facts| facts.inserted_utf16);
            heard.characters.fetch_add(inserted, Relaxed);
            heard.frames.fetch_add(1, Relaxed);
        }
        ServerPayload::Sync(SyncMessage::Step2(_)) => heard.synced.store(true, Relaxed),
        ServerPayload::SyncStatus(true) => {
            heard.stored.fetch_add(1, Relaxed);
        }
        ServerPayload::SyncStatus(false) => {
            heard.refused.fetch_add(1, Relaxed);
        }
        ServerPayload::AuthDenied(reason) => heard_denied(reason),
        _ => {}
    }
}

fn heard_denied(reason: &str) {
    panic!("a benchmark's member was denied: {reason}");
}

/// Waits for a condition, a minute at most.
///
/// # Panics
/// After a minute.
pub async fn wait(condition: impl Fn() -> bool, what: &str) {
    let deadline = Instant::now() + Duration::from_secs(60);
    while !condition() {
        assert!(Instant::now() < deadline, "waited a minute for {what}");
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
}
