//! The two doors as routes, and what is checked before a request becomes a socket.

use std::{net::IpAddr, sync::Arc};

use axum::{
    Router,
    extract::{Path, Query, Request, State},
    http::{HeaderMap, HeaderValue, request::Parts},
    response::Response,
    routing::get,
};
use coderoom_protocol::{
    control::SUBPROTOCOL,
    ids::{TaskId, UserId},
    problem::{ErrorCode, WireError},
};
use serde::Deserialize;

use super::{
    attendance::Attendance,
    authenticate::join_task,
    connection::{self, Door},
    control::Speaker,
    receive::RoomDoor,
    socket::{Socket, too_many_sockets},
    upgrade::{Upgrade, offered_protocols},
    yjs_door::YjsDoor,
};
use crate::{
    app::App,
    counted::{Counted, PerKey},
    http::{caller::address_of, problem::HttpResult},
    people::{Identity, network_of},
    rooms::event::Framing,
};

/// The routes of the sockets, ready to be merged into the others. Also begins to watch whether who is attached still may
/// be, so it must be called inside the runtime.
pub fn routes(app: App) -> Router {
    let attendance = Attendance::default();
    tokio::spawn(attendance.clone().watch(app.clone()));
    Router::new().route("/ws/tasks/{task}", get(room_socket)).route("/yjs/{task}/{*path}", get(second_door)).with_state(
        Doors { app: Arc::new(app), per_user: PerKey::default(), per_address: PerKey::default(), attendance },
    )
}

/// What both doors need.
#[derive(Clone, Debug)]
struct Doors {
    app: Arc<App>,
    per_user: PerKey<UserId>,
    per_address: PerKey<IpAddr>,
    attendance: Attendance,
}

impl Doors {
    /// What is checked before anybody asks who it is: that there is a socket to be had here. Counts it for its address.
    fn admit(&self, parts: &mut Parts, task: &str) -> Result<(Upgrade, Counted<IpAddr>, TaskId), WireError> {
        let app = &self.app;
        if app.draining.is_cancelled() {
            return Err(WireError::new(ErrorCode::Unavailable, "The server is going away. Connect again."));
        }
        let address = address_of(&parts.extensions, &parts.headers, app);
        let upgrade = Upgrade::of(parts)?;
        let limit = app.socket_settings.max_per_address;
        let of_address = self.per_address.count(network_of(address), limit).ok_or_else(|| too_many_sockets(limit))?;
        let task = task.parse::<TaskId>().map_err(|_| not_found())?;
        Ok((upgrade, of_address, task))
    }
}

#[derive(Debug, Deserialize)]
struct Parameters {
    /// For clients that cannot set headers.
    token: Option<String>,
    /// Second door: make the file if it is not there.
    #[serde(default)]
    create: bool,
}

async fn room_socket(
    State(doors): State<Doors>,
    Path(task): Path<String>,
    Query(parameters): Query<Parameters>,
    request: Request,
) -> HttpResult<Response> {
    let (mut parts, _) = request.into_parts();
    let (upgrade, of_address, task) = doors.admit(&mut parts, &task)?;
    let Doors { app, per_user, attendance, .. } = doors;
    let identity = identify(&app, parameters.token.as_deref(), &parts.headers).await?;
    let speaks_text = offered_protocols(&parts.headers).any(|offered| offered == SUBPROTOCOL);
    // A stranger learns nothing; a client without any credentials may bring them in Auth.
    let standing = match &identity {
        Some(identity) => Some(app.people.known_standing(identity, task).await?.ok_or_else(not_found)?),
        None if speaks_text => return Err(ErrorCode::SignInRequired.into()),
        None => None,
    };
    let protocol = speaks_text.then_some(HeaderValue::from_static(SUBPROTOCOL));
    let socket = Socket::new(Arc::clone(&app), (per_user, attendance), of_address, task, identity.clone())?;
    let (response, stream) = upgrade.with_protocol(protocol).answer();
    app.tracker.spawn(async move {
        let Ok(stream) = stream.await else { return };
        let mut door = RoomDoor::new(Arc::clone(&socket));
        if let (true, Some(identity), Some(standing)) = (speaks_text, identity, standing) {
            let session = Socket::new_session();
            let speaker = Speaker { socket: Arc::clone(&socket), identity, framing: Framing::Text, session };
            if Box::pin(join_task(&speaker, standing)).await.is_err() {
                socket.outbox.close(1013, "the room could not be opened; try again later");
            }
            socket.introduced.store(true, std::sync::atomic::Ordering::Relaxed);
            door.text = Some(Arc::new(speaker));
        }
        connection::serve(socket, Door::Room(door), stream).await;
    });
    Ok(response)
}

async fn second_door(
    State(doors): State<Doors>,
    Path((task, path)): Path<(String, String)>,
    Query(parameters): Query<Parameters>,
    request: Request,
) -> HttpResult<Response> {
    let (mut parts, _) = request.into_parts();
    let (upgrade, of_address, task) = doors.admit(&mut parts, &task)?;
    let Doors { app, per_user, attendance, .. } = doors;
    // Who may not come in is told so with a close code (see `YjsDoor::open`): these clients read nothing else.
    let identity = match identify(&app, parameters.token.as_deref(), &parts.headers).await {
        Err(error) if error.code == ErrorCode::SignInRequired => None,
        other => other?,
    };
    // Browsers give up a socket whose offered subprotocols are all ignored.
    let protocol = offered_protocols(&parts.headers).next().and_then(|first| HeaderValue::from_str(first).ok());
    let socket = Socket::new(Arc::clone(&app), (per_user, attendance), of_address, task, identity)?;
    let (response, stream) = upgrade.with_protocol(protocol).answer();
    app.tracker.spawn(async move {
        let Ok(stream) = stream.await else { return };
        let door = Box::pin(YjsDoor::open(Arc::clone(&socket), &path, parameters.create)).await;
        connection::serve(socket, Door::Yjs(door), stream).await;
    });
    Ok(response)
}

/// Who asks, by `?token=` or by headers. A token that is not good is refused; no token at all is not.
async fn identify(app: &App, token: Option<&str>, headers: &HeaderMap) -> Result<Option<Identity>, WireError> {
    let Some(token) = token.filter(|token| !token.is_empty()) else { return app.people.by_headers(headers).await };
    let identity = app.people.by_token(token).await?;
    identity
        .map(Some)
        .ok_or_else(|| WireError::new(ErrorCode::SignInRequired, "The token is not known or has expired."))
}

fn not_found() -> WireError {
    WireError::new(ErrorCode::NotFound, "There is no such task.")
}
