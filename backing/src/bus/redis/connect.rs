//! Connecting to Redis, the names used there, and its errors in our words.

use std::time::Duration;

use redis::{
    Client, ConnectionInfo, ErrorKind, IntoConnectionInfo, ProtocolVersion, RedisError,
    aio::{ConnectionManager, ConnectionManagerConfig},
};

use super::RedisSettings;
use crate::bus::{BusError, Result};

/// Oldest server that can trim a stream by position, as (major, minor).
const OLDEST: (u32, u32) = (6, 2);

/// Unacknowledged bytes make a connection count as dead after this time, also where no answer comes at all.
const TCP_USER_TIMEOUT: Duration = Duration::from_secs(5);

/// The channel of a topic.
pub(super) fn channel(settings: &RedisSettings, topic: &str) -> String {
    format!("{}topic:{topic}", settings.prefix)
}

/// The topic of a channel, if it is one of ours.
pub(super) fn topic<'a>(settings: &RedisSettings, channel: &'a [u8]) -> Option<&'a str> {
    let rest = channel.strip_prefix(settings.prefix.as_bytes())?.strip_prefix(b"topic:")?;
    std::str::from_utf8(rest).ok()
}

/// The key of a stream.
pub(super) fn key(settings: &RedisSettings, stream: &str) -> String {
    format!("{}stream:{stream}", settings.prefix)
}

pub(super) fn client(settings: &RedisSettings) -> Result<Client> {
    let open = || -> redis::RedisResult<Client> {
        let info: ConnectionInfo = settings.url.as_str().into_connection_info()?;
        let redis = info.redis_settings().clone().set_protocol(ProtocolVersion::RESP3);
        let tcp = info.tcp_settings().clone().set_nodelay(true).set_user_timeout(TCP_USER_TIMEOUT);
        Client::open(info.set_redis_settings(redis).set_tcp_settings(tcp))
    };
    // The error may repeat the URL and its password.
    open().map_err(|_| BusError::Unavailable("redis: the URL is not valid; it looks like redis://host:6379/0".into()))
}

/// The connection for commands, tried out.
pub(super) async fn commands(client: &Client, settings: &RedisSettings) -> Result<ConnectionManager> {
    let address = client.get_connection_info().addr();
    let config = ConnectionManagerConfig::new()
        .set_connection_timeout(Some(settings.connect_timeout))
        .set_response_timeout(Some(settings.response_timeout))
        // Whoever calls next tries again; a caller shall not wait for a row of attempts.
        .set_number_of_retries(0);
    let named = |error: RedisError| match explain(&error) {
        BusError::Unavailable(cause) => BusError::Unavailable(format!("{cause} (at {address})")),
        BusError::Full => BusError::Full,
    };
    let mut connection = ConnectionManager::new_with_config(client.clone(), config).await.map_err(named)?;
    redis::cmd("PING").query_async::<String>(&mut connection).await.map_err(named)?;
    // Some hosted servers forbid INFO; then an old version shows at the first trim.
    let info = redis::cmd("INFO").arg("server").query_async::<String>(&mut connection).await.unwrap_or_default();
    if let Some(version) = version(&info).filter(|version| *version < OLDEST) {
        let ((major, minor), (needed, point)) = (version, OLDEST);
        let message = format!("redis: version {major}.{minor} is too old, {needed}.{point} is needed (at {address})");
        return Err(BusError::Unavailable(message));
    }
    Ok(connection)
}

/// Major and minor version in the answer to `INFO server`.
fn version(info: &str) -> Option<(u32, u32)> {
    let line = info.lines().find_map(|line| line.strip_prefix("redis_version:"))?;
    let mut parts = line.trim().split('.').map(str::parse);
    Some((parts.next()?.ok()?, parts.next()?.ok()?))
}

pub(super) fn explain(error: &RedisError) -> BusError {
    if error.code() == Some("OOM") {
        return BusError::Full;
    }
    if error.kind() == ErrorKind::AuthenticationFailed || matches!(error.code(), Some("WRONGPASS" | "NOAUTH")) {
        return BusError::Unavailable("redis: user or password refused".to_owned());
    }
    BusError::Unavailable(format!("redis: {error}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn version_is_read_from_the_info_of_a_server() {
        assert_eq!(version("# Server\r\nredis_version:7.0.15\r\nredis_mode:standalone\r\n"), Some((7, 0)));
        assert_eq!(version(""), None);
    }

    #[test]
    fn channel_names_lead_back_to_their_topic_and_foreign_ones_do_not() {
        let settings = RedisSettings::new("redis://localhost");
        assert_eq!(topic(&settings, channel(&settings, "task/1").as_bytes()), Some("task/1"));
        assert_eq!(topic(&settings, b"other:topic:task/1"), None);
    }

    #[test]
    fn password_is_not_shown() {
        let settings = RedisSettings::new("redis://:secret@localhost:notaport");
        let shown = format!("{settings:?} {}", client(&settings).unwrap_err());
        assert!(!shown.contains("secret"), "{shown}");
    }
}
