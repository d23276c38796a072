//! Everything that can wake a room from outside, as one closed list.

use std::sync::Arc;

use bytes::Bytes;
use coderoom_protocol::{
    control::{FileWritten, UserSummary},
    ids::FileId,
    problem::WireError,
    role::Role,
};
use tokio::sync::oneshot;

use super::outbox::Outbox;

/// One address that one socket has open: unique in the process.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SessionId(pub u64);

/// One socket: unique in the process.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ConnectionId(pub u64);

/// How what the room says to a session is framed.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Framing {
    /// The room socket: every frame begins with these bytes, the varString of exactly the address the client used.
    Addressed(Arc<[u8]>),
    /// The second door: no address, one message a frame; a stored edit is echoed to its author instead of a SyncStatus.
    Bare,
    /// The control channel as text frames (only for [`Place::Task`]).
    Text,
}

/// What a session is attached to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Place {
    /// The room itself: control events and the room's presence; its document is always empty.
    Task,
    /// A text file's document.
    File(FileId),
}

/// Somebody attached to a place of the room.
#[derive(Clone, Debug)]
pub struct Session {
    /// Of this attachment.
    pub id: SessionId,
    /// The socket it belongs to.
    pub connection: ConnectionId,
    /// Who it is.
    pub user: UserSummary,
    /// What it may do. Changed by [`RoomEvent::RoleChanged`] and [`RoomEvent::Standing`].
    pub role: Role,
    /// The largest role that its credential allows, whatever its user becomes.
    pub ceiling: Role,
    /// How to encode for it.
    pub framing: Framing,
    /// Where to put it. Shared with the socket and with other sessions of the same socket.
    pub outbox: Arc<Outbox>,
}

/// What a socket, a route or the node tells the room.
#[derive(Debug)]
pub enum RoomEvent {
    /// A session attaches (it is authenticated; the socket has put the Auth answer into the outbox). The room answers with the
    /// known presence of the place, loads the document if need be, and keeps later events of that document in order.
    /// For `Place::Task` nothing is sent but presence: `welcome` comes from the socket.
    /// A session that the room ends by itself is ended through [`Outbox::end_session`] (on the second door, which has one
    /// session a socket, through [`Outbox::close`] with 4404 or 4403).
    Attach {
        /// Who.
        session: Session,
        /// To what. A file that is gone is answered with `close`.
        place: Place,
        /// Told as soon as the session gets everything that is said to the place from then on (before the document is
        /// loaded): what the socket reads from the tables after it misses nothing.
        attached: Option<oneshot::Sender<()>>,
    },
    /// A client's state vector: answered by what it lacks and by the room's own step 1.
    SyncStep1 {
        /// Who.
        session: SessionId,
        /// Raw state vector (v1), not yet checked.
        state_vector: Bytes,
    },
    /// A client's update; answered by exactly one SyncStatus (or echo) once it is stored or refused.
    Update {
        /// Who.
        session: SessionId,
        /// Raw update (v1), not yet checked; a copy that pins no read buffer.
        update: Bytes,
        /// Whether it came as step 2 (an answer to our step 1): for readers it may contain nothing new.
        is_step2: bool,
    },
    /// Presence, raw and not yet checked.
    Awareness {
        /// Who.
        session: SessionId,
        /// Raw awareness update.
        update: Bytes,
    },
    /// Send all known presence of the place.
    QueryAwareness {
        /// Who.
        session: SessionId,
    },
    /// The session detaches (client's Close, or the socket is gone). Its presence is nulled.
    Detach {
        /// Who.
        session: SessionId,
    },
    /// The outbox has drained after it refused edits or presence of this session: call [`Outbox::resume`], send one diff for
    /// what was missed (as step 2, if a step 1 was refused) and the whole presence of the place.
    Drained {
        /// Who.
        session: SessionId,
    },
    /// The role of all sessions of a user changed; `None`: no role any more (deny and close).
    RoleChanged {
        /// Whose.
        user: coderoom_protocol::ids::UserId,
        /// To what.
        role: Option<Role>,
    },
    /// One session was looked up again: its role and ceiling now; `None`: it may not be here any more (deny and close).
    Standing {
        /// Which.
        session: SessionId,
        /// What it may do, and the most that its credential allows.
        role: Option<(Role, Role)>,
    },
    /// See [`super::Rooms::barrier`].
    Barrier {
        /// Answered when stored.
        reply: oneshot::Sender<Result<(), WireError>>,
    },
    /// See [`super::Rooms::people_in`].
    WhoIsHere {
        /// Everybody attached to the room itself, each once, in no order.
        reply: oneshot::Sender<Vec<UserSummary>>,
    },
    /// See [`super::Rooms::write_text`].
    WriteText {
        /// Which document.
        file: FileId,
        /// Its whole new text.
        text: String,
        /// Answered when stored.
        reply: oneshot::Sender<Result<FileWritten, WireError>>,
    },
}
