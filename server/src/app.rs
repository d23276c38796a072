//! What the routes and sockets of one server share: cheap handles, put together once by `assemble`.

use std::sync::Arc;

use coderoom_backing::{bus::Bus, clock::Clock, objects::Objects, tables::Tables};
use coderoom_protocol::{
    ids::UserId,
    problem::{ErrorCode, WireError},
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use crate::{config::Settings, people::People, rooms::Rooms, tasks::Tasks};

/// The state of one server. Everything in it is cheap to clone.
#[derive(Clone, Debug)]
pub struct App {
    /// The settings in force.
    pub settings: Arc<Settings>,
    /// The address under which people reach the server, without a slash at the end.
    pub public_url: Arc<str>,
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
    /// What `/health` answers from.
    pub health: crate::http::health::Health,
    /// How well code is contained here.
    pub sandbox: Arc<Sandbox>,
    /// Settings of sockets.
    pub socket_settings: Arc<crate::sockets::SocketSettings>,
    /// Cancelled when the server drains: no new sockets, open ones flush and close with 1001.
    pub draining: CancellationToken,
    /// Counts sockets and background tasks that a drain waits for.
    pub tracker: TaskTracker,
}

/// How well code is contained by this server's executor, found by trying at start.
#[derive(Clone, Debug, Default)]
pub struct Sandbox {
    /// `full`, `namespaces` or `none`.
    pub level: String,
    /// The least the settings ask for.
    pub minimum: String,
    /// Whether the level reaches the minimum; else submits are refused.
    pub sufficient: bool,
    /// What is missing and how to mend it, one sentence each.
    pub notes: Vec<String>,
}

impl App {
    /// Refuses to run code (`sandbox_unavailable`) where it is contained less well than the settings ask for.
    pub fn require_sandbox(&self) -> Result<(), WireError> {
        if self.sandbox.sufficient {
            return Ok(());
        }
        Err(WireError::new(
            ErrorCode::SandboxUnavailable,
            "This server cannot contain programs as its settings demand, so it runs none. Whoever runs it finds at /health what to mend.",
        ))
    }

    /// A link that signs a user in once, and when it stops working (milliseconds since the Unix epoch).
    pub async fn sign_in_link(&self, user: UserId) -> Result<(String, i64), WireError> {
        let lifetime = self.settings.people.link_lifetime;
        let code = self.people.create_link(user, lifetime).await?;
        let until = self.clock.now_ms().saturating_add(i64::try_from(lifetime.as_millis()).unwrap_or(i64::MAX));
        Ok((format!("{}/sign-in?code={code}", self.public_url), until))
    }
}
