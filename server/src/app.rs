//! What the routes and sockets of one server share: cheap handles, put together once by `assemble`.

use std::sync::Arc;

use coderoom_backing::{bus::Bus, clock::Clock, objects::Objects, tables::Tables};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use crate::{people::People, rooms::Rooms, tasks::Tasks};

/// The state of one server. Everything in it is cheap to clone.
#[derive(Clone, Debug)]
pub struct App {
    /// The truth.
    pub tables: Tables,
    /// Blobs, snapshots, finished logs.
    pub objects: Objects,
    /// Announcements.
    pub bus: Bus,
    /// The wall clock.
    pub clock: Clock,
    /// Users, sign-in, tokens, roles.
    pub people: People,
    /// Tasks and files.
    pub tasks: Tasks,
    /// Open rooms.
    pub rooms: Rooms,
    /// Runs: submit, stop, list, logs.
    pub runs: coderoom_worker::runs::Runs,
    /// What clients are told about sizes: in `welcome` and over HTTP.
    pub limits: coderoom_protocol::control::Limits,
    /// Settings of sockets.
    pub socket_settings: Arc<crate::sockets::SocketSettings>,
    /// Cancelled when the server drains: no new sockets, open ones flush and close with 1001.
    pub draining: CancellationToken,
    /// Counts sockets and background tasks that a drain waits for.
    pub tracker: TaskTracker,
}
