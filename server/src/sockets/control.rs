//! The control channel: JSON requests in, exactly one reply each. The same on `@task` and on text sockets.
//!
//! This file reads requests, keeps them in order and sees to it that none goes unanswered; [`super::requests`] does them.

use std::sync::{Arc, PoisonError};

use coderoom_protocol::{
    control::{ClientMessage, Reply, Request, ServerMessage},
    problem::{ErrorCode, WireError},
};
use serde_json::Value;

use super::{lane::Lane, requests, say, socket::Socket};
use crate::{
    people::Identity,
    rooms::{SessionId, event::Framing},
};

/// Longest id of a request, in bytes.
const MAX_ID_BYTES: usize = 64;

/// Somebody who speaks on the control channel of one socket.
#[derive(Debug)]
pub(super) struct Speaker {
    pub(super) socket: Arc<Socket>,
    pub(super) identity: Identity,
    /// How replies and events are framed for it.
    pub(super) framing: Framing,
    pub(super) session: SessionId,
}

impl Speaker {
    /// Sends a message that must not be lost.
    pub(super) fn say(&self, message: &ServerMessage) {
        self.socket.outbox.push(say::control(&self.framing, message));
    }
}

/// Takes one message of the client. What changes something runs in the order in which it was asked for, the rest beside
/// it; waits while too much is open.
pub(super) async fn hear(speaker: &Arc<Speaker>, text: &str) {
    let ClientMessage { id, request } = match serde_json::from_str(text) {
        Ok(message) => message,
        Err(error) => {
            let message = format!("The message could not be read: {error}");
            return answer(speaker, id_of(text), Err(WireError::new(ErrorCode::BadRequest, message)));
        }
    };
    if id.len() > MAX_ID_BYTES {
        let message = format!("The id may have at most {MAX_ID_BYTES} bytes.");
        return answer(speaker, String::new(), Err(WireError::new(ErrorCode::BadRequest, message)));
    }
    if matches!(request, Request::Ping {}) {
        return answer(speaker, id, Ok(requests::nothing()));
    }
    let place = Lane::enter(Arc::clone(&speaker.socket), text.len()).await;
    let keeps_order = requests::keeps_order(&request);
    let open = OpenRequest { speaker: Arc::clone(speaker), id: Some(id) };
    let work = Box::pin(async move {
        let result = requests::perform(&open.speaker, request).await;
        open.finish(result);
        drop(place);
    });
    if keeps_order {
        Lane::in_order(&speaker.socket, work);
    } else {
        tokio::spawn(work);
    }
}

/// A request that was not answered yet. Dropping it answers too: a handler that panics must not leave its client waiting.
struct OpenRequest {
    speaker: Arc<Speaker>,
    id: Option<String>,
}

impl OpenRequest {
    fn finish(mut self, result: Result<Value, WireError>) {
        if let Some(id) = self.id.take() {
            answer(&self.speaker, id, result);
        }
    }
}

impl Drop for OpenRequest {
    fn drop(&mut self) {
        if let Some(id) = self.id.take() {
            answer(&self.speaker, id, Err(WireError::plain(ErrorCode::Internal)));
        }
    }
}

fn answer(speaker: &Speaker, id: String, result: Result<Value, WireError>) {
    let reply = match result {
        Ok(result) => Reply { id, ok: true, result: Some(result), error: None },
        Err(error) => Reply { id, ok: false, result: None, error: Some(error) },
    };
    speaker.say(&ServerMessage::Reply(reply));
}

/// The id of a message that is otherwise not what it should be.
fn id_of(text: &str) -> String {
    let value: Value = serde_json::from_str(text).unwrap_or_default();
    let id = value.get("id").and_then(Value::as_str).filter(|id| id.len() <= MAX_ID_BYTES);
    id.unwrap_or_default().to_owned()
}

/// Ends the followers of a session that detaches.
pub(super) fn stop_following_all(socket: &Socket, session: SessionId) {
    let mut followers = socket.followers.lock().unwrap_or_else(PoisonError::into_inner);
    followers.retain(|(owner, _), follower| {
        let is_theirs = *owner == session;
        if is_theirs {
            follower.abort();
        }
        !is_theirs
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_are_read_with_and_without_their_optional_fields() {
        for (text, id, request) in [
            (r#"{"id":"c7","type":"submit"}"#, "c7", Request::Submit { command: None, remarks: None }),
            (r#"{"type":"ping"}"#, "", Request::Ping {}),
            (r#"{"id":"1","type":"tree"}"#, "1", Request::Tree {}),
        ] {
            let message: ClientMessage = serde_json::from_str(text).expect("a good message");
            assert_eq!((message.id.as_str(), message.request), (id, request));
        }
    }

    #[test]
    fn id_of_a_bad_message_is_found_where_it_can_be() {
        assert_eq!(id_of(r#"{"id":"c7","type":"fly"}"#), "c7");
        assert_eq!(id_of(r#"{"id":7}"#), "");
        assert_eq!(id_of("["), "");
        assert_eq!(id_of(&format!(r#"{{"id":"{}"}}"#, "x".repeat(65))), "");
    }
}
