//! An editor in the room: one WebSocket in the Hocuspocus framing, one document, a real Yjs document behind it.

use std::sync::{Arc, Mutex};

use coderoom_protocol::{
    frame::{
        SyncMessage,
        as_client::{self, ServerFrame, ServerPayload, parse_server_frame},
    },
    ids::TaskId,
};
use futures_util::{SinkExt, StreamExt, stream::SplitSink};
use tokio::{net::TcpStream, task::JoinHandle};
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async, tungstenite::Message};
use yrs::{
    Doc, GetString, OffsetKind, Options, ReadTxn, StateVector, Text, TextRef, Transact, Update, WriteTxn,
    updates::{decoder::Decode, encoder::Encode},
};

use crate::{person::Person, wait::until};

type Socket = WebSocketStream<MaybeTlsStream<TcpStream>>;

/// What the socket's reader has seen.
#[derive(Debug, Default)]
struct Seen {
    synced: bool,
    denied: Option<String>,
    closed: Option<String>,
    readonly: bool,
    stored: usize,
    refused: usize,
    statuses: usize,
    ended: bool,
}

/// Somebody typing into one document.
#[derive(Debug)]
pub struct Editor {
    person: Person,
    task: TaskId,
    address: String,
    doc: Arc<Mutex<Doc>>,
    seen: Arc<Mutex<Seen>>,
    socket: Option<SplitSink<Socket, Message>>,
    reader: Option<JoinHandle<()>>,
    sent: usize,
}

impl Editor {
    /// Opens a file (by path) of a task and waits until it is synchronised.
    pub async fn open(person: &Person, task: TaskId, path: &str) -> Self {
        let options = Options { offset_kind: OffsetKind::Utf16, ..Options::default() };
        let mut editor = Self {
            person: person.clone(),
            task,
            address: format!("/{path}"),
            doc: Arc::new(Mutex::new(Doc::with_options(options))),
            seen: Arc::default(),
            socket: None,
            reader: None,
            sent: 0,
        };
        editor.connect().await;
        editor.wait_until_synced().await;
        editor
    }

    /// Connects (again) with the same document; what was not acknowledged is sent as the answer to the server's step 1.
    ///
    /// # Panics
    /// When the upgrade is refused.
    pub async fn connect(&mut self) {
        self.disconnect();
        let url = format!("{}/ws/tasks/{}", self.person.url.replacen("http", "ws", 1), self.task);
        let (socket, _) = connect_async(url).await.expect("the upgrade is accepted");
        let (mut sink, mut stream) = socket.split();
        self.seen = Arc::default();
        self.sent = 0;
        let vector = self.with_doc(|doc| doc.transact().state_vector().encode_v1());
        for frame in [
            as_client::auth(&self.address, &self.person.token, Some("4.8.0")),
            as_client::sync(&self.address, SyncMessage::Step1(&vector)),
        ] {
            let _ = sink.send(Message::binary(frame)).await;
        }
        let (answers, mut outgoing) = tokio::sync::mpsc::channel::<Vec<u8>>(64);
        let (doc, seen, address) = (Arc::clone(&self.doc), Arc::clone(&self.seen), self.address.clone());
        self.reader = Some(tokio::spawn(async move {
            while let Some(Ok(message)) = stream.next().await {
                let Message::Binary(bytes) = message else { continue };
                if let Some(answer) = hear(&bytes, &address, &doc, &seen) {
                    let _ = answers.try_send(answer);
                }
            }
            if let Ok(mut seen) = seen.lock() {
                seen.ended = true;
            }
        }));
        // The server's step 1 is answered before the first edit, so one answer is all there is to send here.
        let answer = tokio::time::timeout(crate::wait::PATIENCE, outgoing.recv()).await;
        if let Ok(Some(answer)) = answer {
            let _ = sink.send(Message::binary(answer)).await;
            self.sent += 1;
        }
        tokio::spawn(async move { while outgoing.recv().await.is_some() {} });
        self.socket = Some(sink);
    }

    /// Goes on at another node, where this person is, with the same document.
    pub async fn move_to(&mut self, person: &Person) {
        self.person = person.clone();
        self.connect().await;
    }

    /// Drops the connection without a word.
    pub fn disconnect(&mut self) {
        self.socket = None;
        if let Some(reader) = self.reader.take() {
            reader.abort();
        }
    }

    fn with_doc<T>(&self, act: impl FnOnce(&Doc) -> T) -> T {
        act(&self.doc.lock().expect("no test panics while it holds the document"))
    }

    fn with_seen<T>(&self, act: impl FnOnce(&Seen) -> T) -> T {
        act(&self.seen.lock().expect("no test panics while it holds this"))
    }

    async fn wait_until_synced(&self) {
        until(async || {
            self.with_seen(|seen| match (&seen.denied, seen.synced) {
                (Some(reason), _) => Err(format!("denied: {reason}")),
                (None, true) => Ok(()),
                (None, false) => Err("no step 2 came".to_owned()),
            })
        })
        .await;
    }

    /// Inserts text at a UTF-16 index and sends the edit. Whether it is stored shows in [`Self::stored`].
    ///
    /// # Panics
    /// When the index lies outside the text.
    pub async fn insert(&mut self, index: u32, text: &str) {
        self.edit(|source, txn| source.insert(txn, index, text)).await;
    }

    /// Appends text.
    pub async fn append(&mut self, text: &str) {
        self.edit(|source, txn| source.push(txn, text)).await;
    }

    async fn edit(&mut self, act: impl FnOnce(&TextRef, &mut yrs::TransactionMut<'_>)) {
        let update = self.with_doc(|doc| {
            let source = doc.get_or_insert_text("source");
            let mut txn = doc.transact_mut();
            let before = txn.state_vector();
            act(&source, &mut txn);
            txn.encode_diff_v1(&before)
        });
        self.send_update(&update).await;
    }

    /// Sends an update as it is, well formed or not.
    pub async fn send_update(&mut self, update: &[u8]) {
        self.send_frame(as_client::sync(&self.address, SyncMessage::Update(update))).await;
        self.sent += 1;
    }

    /// Sends any bytes as one binary message.
    pub async fn send_frame(&mut self, frame: Vec<u8>) {
        if let Some(socket) = &mut self.socket {
            let _ = socket.send(Message::binary(frame)).await;
        }
    }

    /// How many updates of this connection the server has said it stored.
    #[must_use]
    pub fn stored(&self) -> usize {
        self.with_seen(|seen| seen.stored)
    }

    /// How many it has refused.
    #[must_use]
    pub fn refused(&self) -> usize {
        self.with_seen(|seen| seen.refused)
    }

    /// How many updates this connection has sent (the answer to the server's step 1 is one).
    #[must_use]
    pub fn sent(&self) -> usize {
        self.sent
    }

    /// Whether the server said `readonly`.
    #[must_use]
    pub fn readonly(&self) -> bool {
        self.with_seen(|seen| seen.readonly)
    }

    /// Why the server closed this document, if it did.
    #[must_use]
    pub fn closed(&self) -> Option<String> {
        self.with_seen(|seen| seen.closed.clone().or_else(|| seen.denied.clone()))
    }

    /// Whether the socket has ended.
    #[must_use]
    pub fn ended(&self) -> bool {
        self.with_seen(|seen| seen.ended)
    }

    /// Waits until everything sent is stored.
    pub async fn wait_until_stored(&self) {
        until(async || {
            let (stored, refused) = (self.stored(), self.refused());
            if stored >= self.sent {
                Ok(())
            } else {
                Err(format!("{stored} of {} stored, {refused} refused", self.sent))
            }
        })
        .await;
    }

    /// The text as this editor sees it.
    #[must_use]
    pub fn text(&self) -> String {
        self.with_doc(|doc| {
            let source = doc.get_or_insert_text("source");
            source.get_string(&doc.transact())
        })
    }

    /// Waits until the text satisfies the condition.
    pub async fn wait_for_text(&self, claim: &str, condition: impl Fn(&str) -> bool) {
        until(async || {
            let text = self.text();
            if condition(&text) {
                Ok(())
            } else {
                Err(format!("{claim}; the text is {:?}", text.chars().take(300).collect::<String>()))
            }
        })
        .await;
    }
}

impl Drop for Editor {
    fn drop(&mut self) {
        self.disconnect();
    }
}

/// Takes in one message; gives the frame that answers it, if it wants one.
fn hear(bytes: &[u8], address: &str, doc: &Mutex<Doc>, seen: &Mutex<Seen>) -> Option<Vec<u8>> {
    let Ok(ServerFrame::Message { message, .. }) = parse_server_frame(bytes) else { return None };
    let mut seen = seen.lock().ok()?;
    match message {
        ServerPayload::Sync(SyncMessage::Step1(vector)) => {
            let doc = doc.lock().ok()?;
            let vector = StateVector::decode_v1(vector).ok()?;
            let update = doc.transact().encode_diff_v1(&vector);
            return Some(as_client::sync(address, SyncMessage::Step2(&update)));
        }
        ServerPayload::Sync(SyncMessage::Step2(update) | SyncMessage::Update(update)) => {
            let doc = doc.lock().ok()?;
            let mut txn = doc.transact_mut();
            txn.get_or_insert_text("source");
            let applied = Update::decode_v1(update).map(|update| txn.apply_update(update));
            assert!(applied.is_ok(), "the server sent an update that does not decode");
            seen.synced |= matches!(message, ServerPayload::Sync(SyncMessage::Step2(_)));
        }
        ServerPayload::SyncStatus(stored) => {
            seen.statuses += 1;
            if stored { seen.stored += 1 } else { seen.refused += 1 }
        }
        ServerPayload::AuthOk(scope) => seen.readonly = scope == "readonly",
        ServerPayload::AuthDenied(reason) => seen.denied = Some(reason.to_owned()),
        ServerPayload::Close(reason) => seen.closed = Some(reason.to_owned()),
        _ => {}
    }
    None
}
