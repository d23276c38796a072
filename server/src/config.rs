//! Settings: defaults, then a TOML file, then `CODEROOM_…` variables, then flags; the later one wins.
//!
//! Nothing else in the server reads a variable or a file of settings: parts get values.

pub mod print;
mod services;
pub mod sources;
pub mod topics;
pub mod value;

use topics::Topic;

/// All settings, by topic.
#[derive(Clone, Debug, Default)]
pub struct Settings {
    /// Where things are.
    pub deployment: topics::Deployment,
    /// Connections.
    pub server: topics::Server,
    /// Sizes of tasks and files.
    pub limits: topics::Limits,
    /// WebSockets.
    pub sockets: topics::Sockets,
    /// Rooms and documents.
    pub rooms: topics::Rooms,
    /// Signing in.
    pub people: topics::People,
    /// Runs.
    pub runs: topics::Runs,
    /// The sandbox of the local executor.
    pub sandbox: topics::Sandbox,
    /// The PostgreSQL server.
    pub postgres: topics::Postgres,
    /// The Redis server.
    pub redis: topics::Redis,
    /// The RabbitMQ server.
    pub rabbitmq: topics::RabbitMq,
    /// The S3 store.
    pub s3: topics::S3,
    /// The Kubernetes cluster.
    pub kubernetes: topics::Kubernetes,
    /// Log lines.
    pub log: topics::Log,
}

impl Settings {
    /// The topics in the order of documentation.
    #[must_use]
    pub fn topics(&self) -> Vec<&dyn Topic> {
        vec![
            &self.deployment,
            &self.server,
            &self.limits,
            &self.sockets,
            &self.rooms,
            &self.people,
            &self.runs,
            &self.sandbox,
            &self.postgres,
            &self.redis,
            &self.rabbitmq,
            &self.s3,
            &self.kubernetes,
            &self.log,
        ]
    }

    fn topics_mut(&mut self) -> Vec<&mut dyn Topic> {
        vec![
            &mut self.deployment,
            &mut self.server,
            &mut self.limits,
            &mut self.sockets,
            &mut self.rooms,
            &mut self.people,
            &mut self.runs,
            &mut self.sandbox,
            &mut self.postgres,
            &mut self.redis,
            &mut self.rabbitmq,
            &mut self.s3,
            &mut self.kubernetes,
            &mut self.log,
        ]
    }

    /// Every key: `listen`, `limits.max_text_size`, …
    #[must_use]
    pub fn keys(&self) -> Vec<String> {
        let names = |topic: &&dyn Topic| {
            let topic_key = topic.key();
            topic.fields().into_iter().map(move |field| join_key(topic_key, field.name)).collect::<Vec<_>>()
        };
        self.topics().iter().flat_map(names).collect()
    }

    /// Gives one setting a value from text. The error completes the sentence "… must be".
    fn set(&mut self, key: &str, text: &str) -> Result<(), String> {
        let (topic_key, field) = key.rsplit_once('.').unwrap_or(("", key));
        for topic in self.topics_mut() {
            if topic.key() == topic_key {
                return topic.set(field, text);
            }
        }
        Ok(())
    }

    /// The keys whose values must never be shown.
    fn secret_keys(&self) -> Vec<String> {
        let secrets = |topic: &&dyn Topic| {
            let topic_key = topic.key();
            let fields = topic.fields().into_iter().filter(|field| field.secret);
            fields.map(move |field| join_key(topic_key, field.name)).collect::<Vec<_>>()
        };
        self.topics().iter().flat_map(secrets).collect()
    }

    /// What must hold between settings, as sentences that name them.
    fn check(&self) -> Result<(), String> {
        if self.deployment.admin_token.as_ref().is_some_and(|token| token.0.len() < MIN_ADMIN_TOKEN_LENGTH) {
            return Err(format!("admin_token is shorter than {MIN_ADMIN_TOKEN_LENGTH} characters; take a longer one"));
        }
        if self.sockets.outbox_hard_size <= self.sockets.outbox_size {
            return Err("sockets.outbox_hard_size must be larger than sockets.outbox_size".into());
        }
        if self.sockets.frames_per_second == 0 || self.sockets.bytes_per_second.0 == 0 {
            return Err("sockets.frames_per_second and sockets.bytes_per_second must be at least 1".into());
        }
        if self.server.max_connections == 0 {
            return Err("server.max_connections must be at least 1".into());
        }
        if self.people.hashing_at_once == 0 {
            return Err("people.hashing_at_once must be at least 1".into());
        }
        if self.people.attempts_per_address == 0 || self.people.attempts_per_name == 0 {
            return Err("people.attempts_per_address and people.attempts_per_name must be at least 1".into());
        }
        if self.people.attempts_per_name_in_all <= self.people.attempts_per_name {
            return Err(
                "people.attempts_per_name_in_all must be larger than people.attempts_per_name; else one address \
                        can hold back everybody who signs in by a name"
                    .into(),
            );
        }
        self.check_services()?;
        if self.limits.requests_per_address == 0 || self.limits.requests_per_user == 0 {
            return Err("limits.requests_per_address and limits.requests_per_user must be at least 1".into());
        }
        if self.server.tls_certificate.is_some() != self.server.tls_key.is_some() {
            return Err("server.tls_certificate and server.tls_key go together".into());
        }
        crate::people::check_jwt_settings(&self.people)?;
        for proxy in &self.server.trusted_proxies {
            if proxy.parse::<std::net::IpAddr>().is_err() {
                return Err(format!("server.trusted_proxies has {proxy:?}, which is not an IP address"));
            }
        }
        for origin in self.server.trusted_origins.iter().chain(&self.server.public_url) {
            if !(origin.starts_with("http://") || origin.starts_with("https://")) {
                return Err(format!(
                    "{origin:?} in server.trusted_origins or server.public_url must begin with http:// or https://"
                ));
            }
        }
        crate::telemetry::check_filter(&self.log.level).map_err(|why| format!("log.level is not valid: {why}"))
    }
}

/// Shortest `admin_token`: 16 characters, so that guessing is hopeless.
pub const MIN_ADMIN_TOKEN_LENGTH: usize = 16;

/// `topic.field`, or `field` at the top.
fn join_key(topic: &str, field: &str) -> String {
    if topic.is_empty() { field.to_owned() } else { format!("{topic}.{field}") }
}

/// The variable of a key: `limits.max_files` is `CODEROOM_LIMITS_MAX_FILES`.
#[must_use]
pub fn variable(key: &str) -> String {
    format!("CODEROOM_{}", key.replace('.', "_").to_uppercase())
}
