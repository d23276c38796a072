//! One connection to a room: control messages with their replies, events, and frames of documents.

use std::{collections::VecDeque, time::Duration};

use bytes::Bytes;
use futures_util::{SinkExt, StreamExt};
use reqwest::Upgraded;
use serde::de::DeserializeOwned;
use tokio_tungstenite::{WebSocketStream, tungstenite::Message};

use super::{ApiClient, ClientError, upgrade};
use crate::{
    control::{ClientMessage, Reply, Request, SUBPROTOCOL, ServerMessage, TASK_ADDRESS},
    frame::{
        as_client::{self, ServerFrame, ServerPayload, parse_server_frame},
        write,
    },
    ids::TaskId,
    problem::{ErrorCode, WireError},
};

/// Longest wait for a reply.
const REPLY_TIMEOUT: Duration = Duration::from_secs(30);
/// Most events kept while a reply is awaited. Past it the request fails; nothing is dropped in silence.
const MAX_BACKLOG: usize = 16_384;

/// How control messages travel. Frames of documents are the same in both.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RoomMode {
    /// As text frames: the subprotocol `coderoom.v1`.
    Text,
    /// As Stateless messages to `@task`, like a stock provider. Authenticate `@task` first
    /// ([`RoomClient::open`]).
    Frames,
}

/// Something the server sent that is not the reply to a request of ours.
#[derive(Clone, Debug, PartialEq)]
pub enum RoomEvent {
    /// An event of the control channel.
    Message(Box<ServerMessage>),
    /// A frame of a document (or of `@task`); read it with [`parse_server_frame`].
    Frame(Bytes),
}

/// A connection to a room. It has no task of its own: it reads while [`RoomClient::next`] or a request waits.
#[derive(Debug)]
pub struct RoomClient {
    socket: WebSocketStream<Upgraded>,
    mode: RoomMode,
    /// Came while something else was awaited; read before the socket. At most [`MAX_BACKLOG`].
    backlog: VecDeque<RoomEvent>,
    requests: u64,
}

enum Incoming {
    Reply(Reply),
    Event(RoomEvent),
}

impl RoomClient {
    /// Connects to the room of `task` with the client's token. The first event is `welcome` (in
    /// [`RoomMode::Frames`] once `@task` is open).
    pub async fn connect(api: &ApiClient, task: TaskId, mode: RoomMode) -> Result<Self, ClientError> {
        let subprotocol = (mode == RoomMode::Text).then_some(SUBPROTOCOL);
        let socket = upgrade::open(api, &format!("/ws/tasks/{task}"), subprotocol).await?;
        Ok(Self { socket, mode, backlog: VecDeque::new(), requests: 0 })
    }

    /// The next event, `None` when the server has closed the connection. Safe to cancel.
    pub async fn next(&mut self) -> Result<Option<RoomEvent>, ClientError> {
        if let Some(event) = self.backlog.pop_front() {
            return Ok(Some(event));
        }
        loop {
            match self.receive().await {
                // The reply to a request whose caller did not wait for it.
                Ok(Incoming::Reply(_)) => {}
                Ok(Incoming::Event(event)) => return Ok(Some(event)),
                Err(ClientError::Closed(_)) => return Ok(None),
                Err(error) => return Err(error),
            }
        }
    }

    /// Asks for something and waits for the reply; its `result` is read as a `T`. Events that come meanwhile are
    /// kept for [`RoomClient::next`].
    pub async fn request<T: DeserializeOwned>(&mut self, request: Request) -> Result<T, ClientError> {
        let id = self.send_request(request).await?;
        let reply = tokio::time::timeout(REPLY_TIMEOUT, self.reply_to(&id))
            .await
            .map_err(|_| ClientError::TimedOut("a request"))??;
        if !reply.ok {
            let nameless = || WireError::plain(ErrorCode::Internal);
            return Err(reply.error.unwrap_or_else(nameless).into());
        }
        serde_json::from_value(reply.result.unwrap_or_default())
            .map_err(|error| ClientError::Unexpected(error.to_string()))
    }

    /// Sends a request without waiting; gives the id that its reply will carry.
    pub async fn send_request(&mut self, request: Request) -> Result<String, ClientError> {
        self.requests += 1;
        let id = format!("c{}", self.requests);
        let message = ClientMessage { id: id.clone(), request };
        let text = serde_json::to_string(&message).map_err(|error| ClientError::Unexpected(error.to_string()))?;
        match self.mode {
            RoomMode::Text => self.socket.send(Message::text(text)).await?,
            RoomMode::Frames => self.send_frame(as_client::stateless(TASK_ADDRESS, &text)).await?,
        }
        Ok(id)
    }

    /// Sends a frame made with [`as_client`].
    pub async fn send_frame(&mut self, frame: impl Into<Bytes>) -> Result<(), ClientError> {
        Ok(self.socket.send(Message::binary(frame)).await?)
    }

    /// Says goodbye and closes.
    pub async fn close(mut self) -> Result<(), ClientError> {
        match self.socket.close(None).await.map_err(ClientError::from) {
            Err(ClientError::Closed(_)) => Ok(()),
            other => other,
        }
    }

    /// Reads on until `wanted` takes a frame; everything else is kept for [`RoomClient::next`].
    pub(super) async fn frame_that<T>(
        &mut self,
        mut wanted: impl FnMut(&str, ServerPayload<'_>) -> Option<T>,
    ) -> Result<T, ClientError> {
        loop {
            let event = match self.receive().await? {
                Incoming::Reply(_) => continue,
                Incoming::Event(event) => event,
            };
            if let RoomEvent::Frame(bytes) = &event
                && let ServerFrame::Message { address, message } = parse_server_frame(bytes)?
                && let Some(found) = wanted(address, message)
            {
                return Ok(found);
            }
            self.keep(event)?;
        }
    }

    async fn reply_to(&mut self, id: &str) -> Result<Reply, ClientError> {
        loop {
            match self.receive().await? {
                Incoming::Reply(reply) if reply.id == id => return Ok(reply),
                Incoming::Reply(_) => {}
                Incoming::Event(event) => self.keep(event)?,
            }
        }
    }

    fn keep(&mut self, event: RoomEvent) -> Result<(), ClientError> {
        if self.backlog.len() >= MAX_BACKLOG {
            return Err(ClientError::Backlog(MAX_BACKLOG));
        }
        self.backlog.push_back(event);
        Ok(())
    }

    /// The next message of the socket. Pings of both sorts are answered here.
    async fn receive(&mut self) -> Result<Incoming, ClientError> {
        loop {
            let message = self.socket.next().await.ok_or_else(|| ClientError::Closed("without a word".into()))??;
            match message {
                Message::Text(text) => return control(&text),
                Message::Binary(bytes) => match parse_server_frame(&bytes)? {
                    ServerFrame::Ping => self.send_frame(Bytes::from_static(&write::PONG)).await?,
                    ServerFrame::Pong => {}
                    ServerFrame::Message { address: TASK_ADDRESS, message: ServerPayload::Stateless(text) } => {
                        return control(text);
                    }
                    ServerFrame::Message { .. } => return Ok(Incoming::Event(RoomEvent::Frame(bytes))),
                },
                Message::Close(frame) => {
                    // Sends our half of the goodbye, which reading has queued; the server may be gone already.
                    let _ = self.socket.flush().await;
                    let words = frame.map(|frame| format!("{} {}", u16::from(frame.code), frame.reason));
                    return Err(ClientError::Closed(words.unwrap_or_else(|| "without a word".into())));
                }
                Message::Ping(_) | Message::Pong(_) | Message::Frame(_) => {}
            }
        }
    }
}

fn control(text: &str) -> Result<Incoming, ClientError> {
    let message: ServerMessage =
        serde_json::from_str(text).map_err(|error| ClientError::Unexpected(error.to_string()))?;
    Ok(match message {
        ServerMessage::Reply(reply) => Incoming::Reply(reply),
        event => Incoming::Event(RoomEvent::Message(Box::new(event))),
    })
}
