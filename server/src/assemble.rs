//! Puts a server together from its settings: the only place that knows which deployment it is.
//!
//! Order of start: services, schema, people, rooms, runs, listener. Order of end: see [`drain`].

mod cluster;
mod connections;
mod drain;
mod engine;
mod executor;
mod identity;
mod kubernetes;
mod nodes;
mod parts;
mod services;
mod tls;
mod worker;

use std::{net::SocketAddr, path::PathBuf, sync::Arc};

use anyhow::Context as _;
use coderoom_backing::clock::Clock;
use tokio::task::JoinHandle;
use tokio_util::{sync::CancellationToken, task::TaskTracker};

pub use drain::stop_signal;
pub use services::Services;
pub use worker::Worker;

use coderoom_worker::{engine::Engine, runs::Runs};

use crate::{
    app::App,
    config::{Settings, topics::TablesKind},
    http::{self, health::Health},
    people::People,
    tasks::Tasks,
};

/// How often what has expired is removed: what files let go of counts for its maker until then.
const SWEEP_INTERVAL: std::time::Duration = std::time::Duration::from_secs(15 * 60);

/// Name of the file in the data directory that holds a token for the commands of the same user.
pub const CLI_TOKEN_FILE: &str = "cli-token";

/// A server that serves.
#[derive(Debug)]
pub struct Server {
    /// What its routes share.
    pub app: App,
    /// The address it listens on; has the real port when the setting was 0.
    pub address: SocketAddr,
    /// The link that signs the administrator in once, unless `people.sign_in_link` is off.
    pub sign_in_link: Option<String>,
    /// Runs programs; `None` when the executor could not be opened, or when workers do it.
    engine: Option<Engine>,
    /// This process among others on shared tables; `None` where tables cannot be shared.
    shared: Option<Shared>,
    /// Stops accepting connections.
    stop_listening: CancellationToken,
    listener: JoinHandle<()>,
    /// Of `server.metrics_listen`.
    metrics_listener: Option<JoinHandle<()>>,
}

/// What a process on shared tables holds as long as it lives.
#[derive(Debug)]
struct Shared {
    nodes: nodes::Nodes,
    /// The locked data directory.
    _data: std::fs::File,
}

/// The people of a data directory, without a server: for commands while none runs.
pub async fn open_people(settings: &Settings) -> anyhow::Result<People> {
    let services = Services::open(settings).await?;
    Ok(People::open(services.tables, services.bus, Clock::default(), parts::people_settings(settings)?))
}

impl Server {
    /// Opens everything and starts to serve. When it returns, `/health/live` answers.
    pub async fn start(settings: Settings, clock: Clock) -> anyhow::Result<Self> {
        crate::telemetry::metrics();
        let services = Services::open(&settings).await?;
        let for_health = services.clone();
        let Services { tables, objects, bus, queue } = services;
        let shared = match settings.deployment.tables {
            // Its file is locked already.
            TablesKind::Sqlite => None,
            TablesKind::Postgres => {
                let data = services::lock_data(&settings.deployment.data)?;
                let nodes = nodes::Nodes::join(&tables, nodes::Me::new("server", &settings)).await?;
                Some(Shared { nodes, _data: data })
            }
        };
        identity::check(&tables, &objects).await?;
        let people = People::open(tables.clone(), bus.clone(), clock.clone(), parts::people_settings(&settings)?);
        let admin = people.ensure_admin().await.context("make the first user")?;
        let tls = tls::Tls::of(&settings)?;
        let listener = connections::listen(settings.deployment.listen)
            .with_context(|| format!("listen on {}", settings.deployment.listen))?;
        let address = listener.local_addr().context("read the address of the listener")?;
        let public_url = settings
            .server
            .public_url
            .clone()
            .unwrap_or_else(|| format!("{}://{address}", if tls.is_some() { "https" } else { "http" }));
        let (executor, sandbox) = match settings.runs.slots {
            Some(0) => (None, executor::elsewhere()),
            _ => executor::open(&settings, &objects).await,
        };
        let scratch = parts::make_scratch(&settings).await?;
        let run_settings = parts::run_settings(&settings, scratch);
        let limits = parts::limits(&settings);
        let runs = Runs::new(tables.clone(), objects.clone(), bus.clone(), queue, clock.clone(), run_settings);
        let (sandbox, draining) = (Arc::new(sandbox), CancellationToken::new());
        let health = Health::new(for_health, sandbox.clone(), draining.clone());
        let app = App {
            health,
            public_url: public_url.trim_end_matches('/').into(),
            tasks: Tasks::new(
                tables.clone(),
                objects.clone(),
                bus.clone(),
                clock.clone(),
                parts::task_settings(&settings),
            ),
            rooms: parts::rooms(&settings, &tables, &bus, &clock, &people, &runs),
            runs,
            limits,
            sandbox,
            socket_settings: Arc::new(parts::socket_settings(&settings)),
            draining,
            tracker: TaskTracker::new(),
            settings: Arc::new(settings),
            tables,
            objects,
            bus,
            clock,
            people,
        };
        app.tasks.prepare_staging().await.context("prepare the directory for uploads")?;
        // On shared tables every new pod would leave a token behind that nobody uses.
        if shared.is_none() {
            keep_cli_token(&app, admin.user).await?;
        }
        let sign_in_link = if app.settings.people.sign_in_link {
            Some(app.sign_in_link(admin.user).await.context("make the sign-in link")?.0)
        } else {
            None
        };
        tokio::spawn(sweep(app.people.clone(), app.tasks.clone(), app.draining.clone()));
        let engine = executor.map(|executor| engine::start(&app.settings, app.runs.clone(), executor));
        tokio::spawn(app.people.clone().listen(app.draining.clone()));
        let stop_listening = CancellationToken::new();
        let limits = connections::Limits::new(&app.settings, &app.draining, &app.tracker);
        if let Some(tls) = &tls {
            tokio::spawn(tls.clone().watch(app.draining.clone()));
        }
        let with_tls = limits.clone().with_tls(tls);
        let serving = connections::serve(listener, http::router(app.clone()), with_tls, stop_listening.clone());
        let listener = tokio::spawn(serving);
        let metrics_listener = match app.settings.server.metrics_listen {
            None => None,
            Some(at) => {
                let listener = connections::listen(at).with_context(|| format!("listen on {at} for metrics"))?;
                let router = http::metrics::private_routes(app.settings.server.metrics_token.clone())
                    .merge(http::health::routes(app.health.clone()));
                Some(tokio::spawn(connections::serve(listener, router, limits, stop_listening.clone())))
            }
        };
        Ok(Self { app, address, sign_in_link, engine, shared, stop_listening, listener, metrics_listener })
    }
}

impl Server {
    /// Cancelled when this process must end, because another one took its place while it was silent.
    #[must_use]
    pub fn displaced(&self) -> CancellationToken {
        self.shared.as_ref().map(|shared| shared.nodes.displaced()).unwrap_or_default()
    }
}

/// Removes expired sessions and links, and objects that nothing refers to, now and then, until the server drains.
async fn sweep(people: People, tasks: Tasks, draining: CancellationToken) {
    let mut often = tokio::time::interval(SWEEP_INTERVAL);
    loop {
        tokio::select! {
            () = draining.cancelled() => return,
            _ = often.tick() => {}
        }
        // The cause is in the log already; the next round tries again.
        let _ = people.sweep().await;
        let _ = tasks.sweep().await;
    }
}

/// Sees to it that the data directory holds a working token that its owner alone can read.
async fn keep_cli_token(app: &App, admin: coderoom_protocol::ids::UserId) -> anyhow::Result<()> {
    let file: PathBuf = app.settings.deployment.data.join(CLI_TOKEN_FILE);
    if let Ok(token) = tokio::fs::read_to_string(&file).await
        && app.people.by_token(token.trim()).await.context("check the commands' token")?.is_some()
    {
        return Ok(());
    }
    let made = app.people.create_token(admin, "coderoom commands on this machine", None).await?;
    write_private(&file, &made.secret).await.with_context(|| format!("write {}", file.display()))
}

/// Replaces a file by one that its owner alone can read.
async fn write_private(file: &std::path::Path, text: &str) -> std::io::Result<()> {
    use tokio::io::AsyncWriteExt as _;
    match tokio::fs::remove_file(file).await {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let mut out = tokio::fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(file).await?;
    out.write_all(text.as_bytes()).await?;
    out.write_all(b"\n").await?;
    out.sync_all().await
}
