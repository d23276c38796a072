//! Which RabbitMQ is there. The client library keeps the broker's greeting to itself, so one is asked for by hand.

use std::time::Duration;

use lapin::uri::{AMQPScheme, AMQPUri};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::timeout,
};

use super::RabbitMqSettings;

/// What a client says first in AMQP 0-9-1.
const HEADER: &[u8] = b"AMQP\0\0\x09\x01";

/// The greeting is read this far; it has some 500 bytes.
const GREETING_BYTES: u64 = 16 << 10;

/// Oldest broker whose quorum queues let messages expire.
const OLDEST: (u32, u32) = (3, 10);

/// The broker's version as it says it, such as `3.13.7`; `None` where it cannot be seen (TLS, or no answer).
pub(super) async fn of_broker(settings: &RabbitMqSettings) -> Option<String> {
    let uri: AMQPUri = settings.url.parse().ok()?;
    if uri.scheme != AMQPScheme::AMQP {
        return None;
    }
    let greeting = timeout(Duration::from_secs(2), greeting(&uri)).await.ok()?.ok()?;
    version_in(&greeting)
}

async fn greeting(uri: &AMQPUri) -> std::io::Result<Vec<u8>> {
    let mut stream = TcpStream::connect((uri.authority.host.as_str(), uri.authority.port)).await?;
    stream.write_all(HEADER).await?;
    // One frame: type, channel, size, content, end.
    let mut head = [0; 7];
    stream.read_exact(&mut head).await?;
    let [_, _, _, size @ ..] = head;
    let mut content = Vec::new();
    stream.take(u64::from(u32::from_be_bytes(size)).min(GREETING_BYTES)).read_to_end(&mut content).await?;
    Ok(content)
}

/// The entry `version` of the table of server properties: its name, `S`, a length in four bytes, the text.
fn version_in(greeting: &[u8]) -> Option<String> {
    const NAME: &[u8] = b"\x07versionS";
    let at = greeting.windows(NAME.len()).position(|window| window == NAME)? + NAME.len();
    let (length, rest) = greeting.get(at..)?.split_first_chunk::<4>()?;
    let text = rest.get(..usize::try_from(u32::from_be_bytes(*length)).ok()?)?;
    String::from_utf8(text.to_vec()).ok()
}

/// Whether a broker of this version cannot do what the queue needs. Unreadable versions pass.
pub(super) fn is_too_old(version: &str) -> bool {
    let mut parts = version.split(['.', '-', '+']).map(str::parse::<u32>);
    match (parts.next(), parts.next()) {
        (Some(Ok(major)), Some(Ok(minor))) => (major, minor) < OLDEST,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn version_is_found_in_a_greeting() {
        let greeting = b"\0\x0a\0\x0a\0\x09....\x07versionS\0\0\0\x063.10.8\x05other";
        assert_eq!(version_in(greeting).as_deref(), Some("3.10.8"));
        assert_eq!(version_in(b"\x07versionS\0\0\0\x063"), None);
        assert_eq!(version_in(b""), None);
    }

    #[test]
    fn only_brokers_before_3_10_are_too_old() {
        for (version, old) in
            [("3.9.29", true), ("3.10.0", false), ("4.1.2", false), ("4.3.0-rc.1", false), ("x", false)]
        {
            assert_eq!(is_too_old(version), old, "{version}");
        }
    }
}
