//! Documents over a room's socket: open one, push updates to it, close it. Updates are bytes.

use std::time::Duration;

use bytes::Bytes;

use super::{ClientError, RoomClient};
use crate::{
    frame::{
        SyncMessage,
        as_client::{self, ServerPayload},
    },
    problem::{ErrorCode, WireError},
};

/// Longest wait for one of the server's steps.
const STEP_TIMEOUT: Duration = Duration::from_secs(30);
/// What this client says it is: the wire of version 4 providers, pings included.
const VERSION: &str = concat!("4.0.0-coderoom.", env!("CARGO_PKG_VERSION"));

/// A document that was opened: the server's side of the first sync.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Opened {
    /// Whether updates will be taken.
    pub may_edit: bool,
    /// What the client lacks: updates to apply in this order. Large documents come in several.
    pub updates: Vec<Bytes>,
    /// What the server has: a state vector. Empty when it came later than the last update.
    pub state_vector: Bytes,
}

/// What became of an update.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pushed {
    /// It is in the tables.
    Stored,
    /// It was refused: the role is too small, or storing is out of order.
    Refused,
}

impl RoomClient {
    /// Authenticates an address with `token` (empty: who opened the socket) and gets what the client lacks
    /// beyond `state_vector` (`[0]`: everything).
    ///
    /// # Errors
    /// [`ClientError::Refused`] when the token is not good for it; the connection goes on.
    pub async fn open(&mut self, address: &str, token: &str, state_vector: &[u8]) -> Result<Opened, ClientError> {
        self.send_frame(as_client::auth(address, token, Some(VERSION))).await?;
        self.send_frame(as_client::sync(address, SyncMessage::Step1(state_vector))).await?;
        let mut opened = Opened { may_edit: false, updates: Vec::new(), state_vector: Bytes::new() };
        loop {
            let step = self.step("a document's first sync", address, |message| match message {
                ServerPayload::AuthOk(scope) => Some(Step::Role(scope == "read-write")),
                ServerPayload::AuthDenied(reason) => Some(Step::Denied(reason.to_owned())),
                ServerPayload::Sync(SyncMessage::Step1(vector)) => Some(Step::Vector(Bytes::copy_from_slice(vector))),
                ServerPayload::Sync(SyncMessage::Update(update)) => Some(Step::Part(Bytes::copy_from_slice(update))),
                ServerPayload::Sync(SyncMessage::Step2(update)) => Some(Step::Last(Bytes::copy_from_slice(update))),
                _ => None,
            });
            match step.await? {
                Step::Role(may_edit) => opened.may_edit = may_edit,
                Step::Denied(reason) => return Err(WireError::new(ErrorCode::NotAllowed, reason).into()),
                Step::Vector(vector) => opened.state_vector = vector,
                Step::Part(update) => opened.updates.push(update),
                Step::Last(update) => {
                    opened.updates.push(update);
                    return Ok(opened);
                }
            }
        }
    }

    /// Sends an update and waits until the server says what became of it. For one update at a time per address:
    /// the answers are counted, not named.
    pub async fn push(&mut self, address: &str, update: &[u8]) -> Result<Pushed, ClientError> {
        self.send_frame(as_client::sync(address, SyncMessage::Update(update))).await?;
        let stored = self.step("an update", address, |message| match message {
            ServerPayload::SyncStatus(stored) => Some(stored),
            _ => None,
        });
        Ok(if stored.await? { Pushed::Stored } else { Pushed::Refused })
    }

    /// Says that the client is done with an address. Nothing comes back.
    pub async fn leave(&mut self, address: &str) -> Result<(), ClientError> {
        self.send_frame(as_client::close(address)).await
    }

    /// Waits for a frame of `address` that `wanted` takes.
    async fn step<T>(
        &mut self,
        what: &'static str,
        address: &str,
        mut wanted: impl FnMut(ServerPayload<'_>) -> Option<T>,
    ) -> Result<T, ClientError> {
        let found = self.frame_that(|from, message| if from == address { wanted(message) } else { None });
        tokio::time::timeout(STEP_TIMEOUT, found).await.map_err(|_| ClientError::TimedOut(what))?
    }
}

enum Step {
    Role(bool),
    Denied(String),
    Vector(Bytes),
    Part(Bytes),
    Last(Bytes),
}
