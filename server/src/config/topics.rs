//! Every setting there is, by topic: its name, meaning, unit and default. Documentation, variables, flags and the
//! output of `coderoom config` are made from these declarations.

use std::{net::SocketAddr, path::PathBuf, time::Duration};

use super::value::{ByteSize, Secret, SettingValue, choice};

mod kubernetes;
mod services;

pub use kubernetes::{ImagePullPolicy, Kubernetes};
pub use services::{Postgres, RabbitMq, Redis, S3};

/// What is known about a setting without its value.
#[derive(Clone, Debug)]
pub struct Field {
    /// Its name within its topic.
    pub name: &'static str,
    /// What it means, for people.
    pub doc: String,
    /// What may be written.
    pub kind: &'static str,
    /// Its default, as text.
    pub default: String,
    /// Whether its value must never be shown.
    pub secret: bool,
}

/// Settings about one thing.
pub trait Topic {
    /// The table in the TOML file; empty for settings at its top.
    fn key(&self) -> &'static str;
    /// What the topic is about.
    fn about(&self) -> &'static str;
    /// Its settings, in the order of documentation.
    fn fields(&self) -> Vec<Field>;
    /// Gives a setting a value from text; the error completes the sentence "… must be".
    /// The caller has checked that the field exists.
    fn set(&mut self, field: &str, text: &str) -> Result<(), String>;
    /// A setting's value as text, secrets masked.
    fn show(&self, field: &str) -> String;
}

macro_rules! topic {
    ($(#[doc = $about:literal])+ $name:ident $key:literal {
        $($(#[doc = $doc:literal])+ $field:ident: $ty:ty = $default:expr;)+
    }) => {
        $(#[doc = $about])+
        #[derive(Clone, Debug)]
        pub struct $name { $($(#[doc = $doc])+ pub $field: $ty,)+ }

        impl Default for $name {
            fn default() -> Self {
                Self { $($field: $default,)+ }
            }
        }

        impl Topic for $name {
            fn key(&self) -> &'static str {
                $key
            }

            fn about(&self) -> &'static str {
                concat!($($about),+).trim_ascii()
            }

            fn fields(&self) -> Vec<Field> {
                let default = Self::default();
                vec![$(Field {
                    name: stringify!($field),
                    doc: concat!($($doc),+).trim().to_owned(),
                    kind: <$ty as SettingValue>::KIND,
                    default: default.$field.show(),
                    secret: <$ty as SettingValue>::SECRET,
                }),+]
            }

            fn set(&mut self, field: &str, text: &str) -> Result<(), String> {
                match field {
                    $(stringify!($field) => self.$field = SettingValue::parse(text)?,)+
                    _ => {}
                }
                Ok(())
            }

            fn show(&self, field: &str) -> String {
                match field {
                    $(stringify!($field) => self.$field.show(),)+
                    _ => String::new(),
                }
            }
        }
    };
}
pub(crate) use topic;

choice! {
    /// Where the tables are.
    TablesKind, "`sqlite` or `postgres`" {
        /// A file in the data directory.
        Sqlite = "sqlite",
        /// A PostgreSQL server.
        Postgres = "postgres",
    }
}

choice! {
    /// Where the objects are.
    ObjectsKind, "`directory` or `s3`" {
        /// Files in the data directory.
        Directory = "directory",
        /// A bucket of an S3 store.
        S3 = "s3",
    }
}

choice! {
    /// What carries announcements between nodes.
    BusKind, "`local` or `redis`" {
        /// Channels in the process.
        Local = "local",
        /// A Redis server.
        Redis = "redis",
    }
}

choice! {
    /// What rings when a run waits.
    QueueKind, "`local` or `rabbitmq`" {
        /// A list in the process.
        Local = "local",
        /// A RabbitMQ server.
        RabbitMq = "rabbitmq",
    }
}

choice! {
    /// What runs execute in.
    ExecutorKind, "`local` or `kubernetes`" {
        /// A sandboxed process of this machine.
        Local = "local",
        /// A Job of a Kubernetes cluster.
        Kubernetes = "kubernetes",
    }
}

topic! {
    /// Where the server listens, where its data is, and which services are behind it.
    Deployment "" {
        /// Address and port to listen on. Port 0 takes a free one.
        listen: SocketAddr = SocketAddr::from(([127, 0, 0, 1], 7878));
        /// Directory of the embedded tables, objects and running programs. It is made when it is not there.
        data: PathBuf = PathBuf::from("./data");
        /// Where users, tasks, edits and runs are stored.
        tables: TablesKind = TablesKind::Sqlite;
        /// Where snapshots, uploads, logs and outputs are stored.
        objects: ObjectsKind = ObjectsKind::Directory;
        /// What carries announcements between nodes.
        bus: BusKind = BusKind::Local;
        /// What tells workers that a run waits.
        queue: QueueKind = QueueKind::Local;
        /// What runs execute in.
        executor: ExecutorKind = ExecutorKind::Local;
        /// An API token with an administrator's rights, for automation; at least 16 characters. Not set: no such token.
        admin_token: Option<Secret> = None;
    }
}

topic! {
    /// Connections and how the server ends.
    Server "server" {
        /// The address under which people reach the server, used in printed links, such as `https://code.example.org`. Not set: the address it listens on.
        public_url: Option<String> = None;
        /// The token that reads `/metrics`, beside administrators. Not set: administrators only.
        metrics_token: Option<Secret> = None;
        /// A further address for `/metrics` and `/health`, such as `0.0.0.0:9100`, for those who cannot sign in. Not set: none.
        metrics_listen: Option<SocketAddr> = None;
        /// File with the certificate (and those between it and the root) in PEM form, for HTTPS. It is read again when it changes. Not set: HTTP.
        tls_certificate: Option<PathBuf> = None;
        /// File with the certificate's private key in PEM form.
        tls_key: Option<PathBuf> = None;
        /// Most connections at once; further ones wait in the system's queue.
        max_connections: usize = 10_000;
        /// Most connections at once from one address (of IPv6: from one /64 network) that is no trusted proxy; further ones are closed. 0: any number.
        max_connections_per_address: usize = 5_000;
        /// Time for a request's headers to arrive whole.
        header_timeout: Duration = Duration::from_secs(10);
        /// Time for a request's body to arrive whole, and the longest silence in an upload.
        body_timeout: Duration = Duration::from_secs(30);
        /// Longest time in which a client takes nothing of what is sent to it; then its connection ends.
        write_timeout: Duration = Duration::from_secs(60);
        /// Time that sockets, edits and runs get to end in order when the server is told to stop.
        drain_timeout: Duration = Duration::from_secs(20);
        /// Origins of other sites whose pages may use a signed-in browser, such as `https://learn.example.org`.
        trusted_origins: Vec<String> = Vec::new();
        /// Addresses of reverse proxies whose `X-Forwarded-For` is believed.
        trusted_proxies: Vec<String> = Vec::new();
        /// Largest JSON body of a request.
        max_body_size: ByteSize = ByteSize::mib(4);
    }
}

topic! {
    /// Sizes of tasks and files.
    Limits "limits" {
        /// Largest text file, in UTF-8; larger ones become blobs. An edit in a text of 8 MB costs milliseconds.
        max_text_size: ByteSize = ByteSize::mib(2);
        /// All files of a task together.
        max_task_size: ByteSize = ByteSize::gib(1);
        /// Most files of a task.
        max_files: u64 = 50_000;
        /// Most tasks that one user makes.
        max_tasks_per_user: u64 = 10_000;
        /// All files of the tasks that one user made, what was deleted and is not removed yet, and what runs left in `output/`, together; nothing is made, uploaded or kept of an output beyond it. Workers need it too.
        max_storage_per_user: ByteSize = ByteSize::gib(100);
        /// Content that is no text is removed so long after the last file that had it was deleted or overwritten, unless a run was given it; until then it counts as storage. At least 10 minutes. A backup must copy the objects within this time.
        keep_deleted: Duration = Duration::from_secs(60 * 60);
        /// Logs of the runs that one user submits within 24 hours, together; no run is submitted beyond it.
        max_logs_per_user: ByteSize = ByteSize::gib(10);
        /// Requests from one address, each minute (IPv6: from one /64 network).
        requests_per_address: u32 = 30_000;
        /// Requests of one user, each minute.
        requests_per_user: u32 = 20_000;
    }
}

topic! {
    /// WebSockets.
    Sockets "sockets" {
        /// Largest message from a client.
        max_frame_size: ByteSize = ByteSize::mib(5);
        /// Frames a client may send in a second; one that sends more is read more slowly.
        frames_per_second: u32 = 20_000;
        /// What a client may send in a second; one that sends more is read more slowly.
        bytes_per_second: ByteSize = ByteSize::mib(16);
        /// Sockets one user may have open at once on one node.
        max_per_user: usize = 500;
        /// Sockets one address may have open at once on one node.
        max_per_address: usize = 5_000;
        /// What may wait for one slow socket before its edits are replaced by one later difference.
        outbox_size: ByteSize = ByteSize::kib(512);
        /// What may wait for one socket in all before it is closed.
        outbox_hard_size: ByteSize = ByteSize::mib(16);
    }
}

topic! {
    /// Rooms and documents.
    Rooms "rooms" {
        /// A room without members ends after this time.
        idle_room: Duration = Duration::from_secs(30);
        /// A document that nobody edits leaves memory after this time; its members stay.
        idle_document: Duration = Duration::from_secs(30);
        /// Edits of one document that may wait for storing; beyond it the document is read-only until storing works again.
        max_backlog_size: ByteSize = ByteSize::mib(4);
        /// A document's log of edits is replaced by a snapshot after so many.
        compact_after_edits: u64 = 4_000;
        /// Whether edits that a snapshot covers are kept, as history.
        keep_history: bool = false;
        /// How long a commit waits for company: a longer wait costs less CPU and answers later.
        gather: Duration = Duration::ZERO;
    }
}

topic! {
    /// Signing in.
    People "people" {
        /// Whether each start prints a link that signs the administrator in once.
        sign_in_link: bool = true;
        /// How long a printed link works.
        link_lifetime: Duration = Duration::from_secs(86_400);
        /// A browser session ends after so long without use.
        session_idle: Duration = Duration::from_secs(14 * 86_400);
        /// A browser session ends at the latest after so long.
        session_lifetime: Duration = Duration::from_secs(90 * 86_400);
        /// The key of a browser session is replaced when it is used after so long.
        session_rotation: Duration = Duration::from_secs(86_400);
        /// Who has a socket open is looked up again after so long, in case an announcement was lost. Announced changes count at once.
        recheck: Duration = Duration::from_secs(5);
        /// TOML file with a table `[[provider]]` for each OpenID Connect provider: `name`, `issuer`, `client_id`, and if need be `title`, `client_secret`, `scopes`. Not set: none.
        oidc_file: Option<PathBuf> = None;
        /// Where the keys of another platform's issuer are, in the form of a JWKS: its signed tokens (JWT) are taken like API tokens. Not set: none are.
        jwt_jwks_url: Option<String> = None;
        /// What `iss` of a signed token must be.
        jwt_issuer: Option<String> = None;
        /// What `aud` of a signed token must have one of.
        jwt_audience: Vec<String> = Vec::new();
        /// How a signed token may be signed.
        jwt_algorithms: Vec<String> = vec!["RS256".into(), "ES256".into(), "EdDSA".into()];
        /// How far the issuer's clock may be from ours.
        jwt_leeway: Duration = Duration::from_secs(30);
        /// Whether somebody who proves who they are elsewhere gets a user at the first visit.
        create_external_users: bool = true;
        /// Shortest password, in characters.
        min_password_length: usize = 8;
        /// Attempts to sign in from one address, each minute.
        attempts_per_address: u32 = 30;
        /// Attempts to sign in with one name from one address (of IPv6: from one /48 network), each minute.
        attempts_per_name: u32 = 10;
        /// Attempts to sign in with one name from all addresses together, each minute; beyond it nobody signs in by that name and a password, until fewer try.
        attempts_per_name_in_all: u32 = 100;
        /// Passwords hashed at once; each takes about 19 MiB and tens of milliseconds of one core.
        hashing_at_once: usize = 2;
        /// For so long a look-up of a token, session or role may be answered from memory. Changes made by this process count at once.
        cache_time: Duration = Duration::from_secs(2);
        /// Whether cookies are only sent over HTTPS. Switch it on where the server is reached by HTTPS; it is on by itself when `server.public_url` begins with `https://`.
        secure_cookies: bool = false;
    }
}

choice! {
    /// What becomes of running programs when the server is told to stop.
    RunsAtStop, "`leave` or `wait`" {
        /// They go on; the next start takes them up.
        Leave = "leave",
        /// They get the drain's time to end; what is left then goes on and is taken up by the next start.
        Wait = "wait",
    }
}

topic! {
    /// Runs: how many, how long, and what each may use.
    Runs "runs" {
        /// Programs that this process runs at the same time. Not set: as many as the machine has cores. 0: workers run them.
        slots: Option<usize> = None;
        /// Programs that run at the same time in the whole deployment.
        max_running: u32 = 256;
        /// Programs of one user that run at the same time; the others wait.
        max_running_per_user: u32 = 2;
        /// Unfinished runs, queued and running, that one user may have in all tasks together.
        max_unfinished_per_user: u32 = 20;
        /// A run that waits longer in the queue fails. Messages at RabbitMQ live as long, so changing it there needs `rabbitmq.queue` deleted first.
        max_wait: Duration = Duration::from_secs(3600);
        /// Wall time of a run.
        max_time: Duration = Duration::from_secs(600);
        /// Time between asking a program to end and ending it.
        grace: Duration = Duration::from_secs(5);
        /// Memory of all processes of a run together.
        memory: ByteSize = ByteSize::gib(1);
        /// Size of a run's work directory.
        disk: ByteSize = ByteSize::gib(1);
        /// Processes and threads of a run.
        max_processes: u64 = 256;
        /// CPU of a run in thousandths of a core.
        cpu_millis: u64 = 1000;
        /// Log of a run; of a longer one head and tail are kept.
        max_log_size: ByteSize = ByteSize::mib(64);
        /// What is collected from a run's `output/`, packed.
        max_output_size: ByteSize = ByteSize::mib(64);
        /// What becomes of running programs when the server is told to stop.
        at_stop: RunsAtStop = RunsAtStop::Leave;
    }
}

choice! {
    /// How well code must be contained.
    SandboxMinimum, "`full`, `namespaces` or `none`" {
        /// Namespaces, filter and limits for all processes together.
        Full = "full",
        /// Namespaces and filter; limits for each process alone where the system has no better ones.
        Namespaces = "namespaces",
        /// Not at all: only for code that you trust as you trust yourself.
        None = "none",
    }
}

topic! {
    /// The sandbox of the local executor.
    Sandbox "sandbox" {
        /// Code is refused when the machine contains it less well than this; `/health` says what is missing.
        minimum: SandboxMinimum = SandboxMinimum::Namespaces;
        /// The program `bwrap`. Not set: searched for.
        bwrap: Option<PathBuf> = None;
        /// The program `supervisor`. Not set: beside `coderoom`.
        supervisor: Option<PathBuf> = None;
        /// Further directories that programs may read, such as `/opt`.
        readable: Vec<String> = Vec::new();
        /// Version 2 control group below which runs get theirs. Not set: the server's own, or the top.
        cgroup_parent: Option<PathBuf> = None;
    }
}

choice! {
    /// Form of log lines.
    LogFormat, "`human` or `json`" {
        /// For people.
        Human = "human",
        /// One JSON object a line.
        Json = "json",
    }
}

topic! {
    /// What the server writes about itself, on standard error.
    Log "log" {
        /// Which lines are written: `error`, `warn`, `info`, `debug`, `trace`, or rules such as `info,coderoom_server=debug`.
        level: String = "info".into();
        /// Form of the lines.
        format: LogFormat = LogFormat::Human;
    }
}
