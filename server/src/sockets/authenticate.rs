//! Auth of one address: who it is, what it may do, what it names; then it is attached, or denied.

use std::sync::Arc;

use coderoom_protocol::{
    address::{Address as Named, Target},
    control::ServerMessage,
    frame::{self, ClientFrame, ClientPayload, SyncMessage, write},
    problem::{ErrorCode, WireError},
    tree::NodeKind,
};
use tokio::sync::oneshot;

use super::{
    addresses::{Address, Attached, Waiting},
    control::Speaker,
    receive::{RoomDoor, hand_over},
    say,
    socket::Socket,
    welcome,
};
use crate::{
    people::{Identity, Standing},
    rooms::{Place, RoomEvent, Session, SessionId, event::Framing},
};

impl RoomDoor {
    /// Checks the token (empty: who opened the socket), answers, attaches, and replays what waited.
    /// A service that does not answer ends the socket instead of the address: the client tries again by itself.
    pub(super) async fn authenticate(&mut self, address: &str, token: &str) {
        match self.check(address, token).await {
            Ok((identity, standing, place)) => self.accept(address, identity, standing, place).await,
            Err(error) if error.code == ErrorCode::Unavailable || error.code == ErrorCode::Internal => {
                self.socket.outbox.close(1013, "a service behind the server does not answer; try again later");
            }
            Err(error) => self.deny(address, &error.message).await,
        }
    }

    async fn check(&self, address: &str, token: &str) -> Result<(Identity, Standing, Place), WireError> {
        let socket = &self.socket;
        let people = &socket.app.people;
        if self.addresses.get(address).is_none() && self.addresses.is_full(socket.settings()) {
            return Err(WireError::new(ErrorCode::Invalid, "too many documents on one socket"));
        }
        let identity = match token {
            "" => socket.identity.clone(),
            token => people.by_token(token).await?,
        };
        let identity = identity.ok_or_else(|| WireError::new(ErrorCode::SignInRequired, "sign in first"))?;
        let standing = match token {
            // Whoever opened the socket may have lost what they came with since.
            "" => people.standing(&identity, socket.task).await?,
            _ => people.known_standing(&identity, socket.task).await?,
        };
        let standing = standing.ok_or_else(not_found)?;
        let place = find_place(socket, address).await?;
        if self.addresses.is_crowded(place, address, socket.settings()) {
            return Err(WireError::new(ErrorCode::Invalid, "too many sessions of one document on one socket"));
        }
        socket.count_for(identity.user)?;
        Ok((identity, standing, place))
    }

    async fn accept(&mut self, address: &str, identity: Identity, standing: Standing, place: Place) {
        let prefix: Arc<[u8]> = write::address_prefix(address).into();
        let socket = Arc::clone(&self.socket);
        let before = self.addresses.take(address);
        let Waiting { frames, again } = match before {
            Some(Address::Attached(attached)) if attached.user == identity.user => {
                // The same person with a newer token, which may allow more or less.
                socket.outbox.push(say::auth_ok(&prefix, standing.role));
                let attached = attached.with_identity(identity.clone());
                let session = attached.session;
                self.addresses.put(address, Address::Attached(attached));
                socket.attendance.note(session, &socket, &identity, standing);
                let role = Some((standing.role, identity.grant.ceiling()));
                return socket.tell_room(RoomEvent::Standing { session, role }).await;
            }
            Some(Address::Attached(attached)) => {
                self.detach_session(attached.session).await;
                Waiting::default()
            }
            Some(Address::Waiting(waiting)) => waiting,
            Some(Address::Closed) => Waiting { frames: Vec::new(), again: true },
            Some(Address::Denied) | None => Waiting::default(),
        };
        self.attach(address, identity, standing, place, prefix).await;
        let Some(Address::Attached(attached)) = self.addresses.get(address) else { return };
        if again {
            // Asked for its token, a client sends nothing else: it gets the whole document, and is asked for what it has.
            hand_over(&socket, attached, ClientPayload::Sync(SyncMessage::Step1(EMPTY_STATE_VECTOR))).await;
        }
        for held in frames {
            if let Ok(ClientFrame::Message { message, .. }) = frame::parse_frame(&held) {
                hand_over(&socket, attached, message).await;
            }
        }
    }

    async fn attach(&mut self, address: &str, identity: Identity, standing: Standing, place: Place, prefix: Arc<[u8]>) {
        let socket = &self.socket;
        let framing = Framing::Addressed(Arc::clone(&prefix));
        let session = Socket::new_session();
        let user = identity.user;
        socket.introduce(say::keep_alive(&prefix));
        socket.outbox.push(say::auth_ok(&prefix, standing.role));
        let speaker = (place == Place::Task).then(|| {
            Arc::new(Speaker {
                socket: Arc::clone(socket),
                identity: identity.clone(),
                framing: framing.clone(),
                session,
            })
        });
        let joined = match &speaker {
            Some(speaker) => join_task(speaker, standing).await,
            None => attach_session(socket, session, &identity, standing, framing, place).await,
        };
        match joined {
            Ok(()) => self.addresses.put(address, Address::Attached(Attached { session, place, user, speaker })),
            Err(error) => {
                tracing::warn!(task.id = %socket.task, %error, "a session could not be attached");
                socket.outbox.close(1013, "the room could not be opened; try again later");
            }
        }
    }

    pub(super) async fn deny(&mut self, address: &str, reason: &str) {
        let prefix = write::address_prefix(address);
        self.socket.introduce(say::keep_alive(&prefix));
        self.socket.outbox.push(say::auth_denied(&prefix, reason));
        if let Some(Address::Attached(attached)) = self.addresses.take(address) {
            // A token that is no longer good ends what an earlier one began.
            self.detach_session(attached.session).await;
        }
        if !self.addresses.is_full(self.socket.settings()) {
            self.addresses.put(address, Address::Denied);
        }
    }
}

/// Attaches to the room itself and sends `welcome`, which comes before every event and misses none.
pub(super) async fn join_task(speaker: &Speaker, standing: Standing) -> Result<(), WireError> {
    let Speaker { socket, identity, framing, session } = speaker;
    socket.outbox.hold();
    let welcome = async {
        attach_session(socket, *session, identity, standing, framing.clone(), Place::Task).await?;
        welcome::read(&socket.app, socket.task, identity, standing.role).await
    };
    let welcome = welcome.await;
    let frame = welcome.as_ref().ok().map(|welcome| say::control(framing, &ServerMessage::Welcome(welcome.clone())));
    socket.outbox.release(frame);
    welcome.map(|_| ())
}

/// Attaches a session, in a room that is opened again if it has just ended, as idle rooms do. After it, the session gets
/// everything that is said to its place (for the task itself: before this returns).
pub(super) async fn attach_session(
    socket: &Arc<Socket>,
    session: SessionId,
    identity: &Identity,
    standing: Standing,
    framing: Framing,
    place: Place,
) -> Result<(), WireError> {
    let id = session;
    let session = Session {
        id: session,
        connection: socket.id,
        user: identity.summary(),
        role: standing.role,
        ceiling: identity.grant.ceiling(),
        framing,
        outbox: Arc::clone(&socket.outbox),
    };
    let mut room = match socket.room() {
        Some(room) => room,
        None => socket.open_room().await?,
    };
    for _ in 0..ATTEMPTS_TO_ATTACH {
        let (attached, told) = oneshot::channel();
        let attached = (place == Place::Task).then_some(attached);
        let is_waited_for = attached.is_some();
        if room.send(RoomEvent::Attach { session: session.clone(), place, attached }).await.is_ok()
            && (!is_waited_for || told.await.is_ok())
        {
            socket.attendance.note(id, socket, identity, standing);
            return Ok(());
        }
        room = socket.open_room().await?;
    }
    Err(WireError::new(ErrorCode::Unavailable, "the room ends as soon as it is opened"))
}

/// The state vector of somebody who has nothing.
const EMPTY_STATE_VECTOR: &[u8] = &[0];

/// How often a room that has just ended is opened again for one attachment.
const ATTEMPTS_TO_ATTACH: usize = 3;

async fn find_place(socket: &Socket, address: &str) -> Result<Place, WireError> {
    let named = Named::parse(address).map_err(|error| WireError::new(ErrorCode::BadRequest, error.to_string()))?;
    let tasks = &socket.app.tasks;
    let file = match named.target {
        Target::Task => return Ok(Place::Task),
        Target::File(file) => tasks.file(socket.task, file).await?,
        Target::Path(path) => tasks.file_at(socket.task, path.as_str()).await?,
    };
    let file = file.ok_or_else(not_found)?;
    match file.kind {
        NodeKind::Text => Ok(Place::File(file.id)),
        _ => Err(WireError::new(ErrorCode::NotText, "not a text file")),
    }
}

fn not_found() -> WireError {
    WireError::new(ErrorCode::NotFound, "not found")
}
