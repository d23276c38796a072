//! The cluster twin: topics are channels and streams are streams of one Redis server (6.2 or newer). Commands share one
//! connection, subscriptions another. Everything here may be lost at any moment; nothing waits for a server that is gone.

mod connect;
mod listen;
mod streams;

use std::{fmt, sync::Arc, time::Duration};

use bytes::Bytes;
use redis::{Cmd, FromRedisValue, aio::ConnectionManager};
use tokio::{
    sync::{mpsc, oneshot, watch},
    time::timeout,
};

use self::listen::{Leave, Order};
use super::{
    BusError, BusEvent, Result,
    topics::{TopicSubscription, Topics},
};

/// Subscriptions and unsubscriptions that may wait for the listener. Full: a subscriber waits; an unsubscription is
/// dropped and made up for when the next message of its topic comes.
const ORDERS: usize = 4096;

/// How a Redis server is used.
#[derive(Clone)]
pub struct RedisSettings {
    /// `redis://[user][:password]@host[:port][/database]`, or `rediss://` for TLS.
    pub url: String,
    /// Put before every channel and key, so that several deployments can share a server. Default `coderoom:`.
    pub prefix: String,
    /// Longest time a connection may take to be made. Default 1 s.
    pub connect_timeout: Duration,
    /// Longest time an answer may take; then the call fails with `Unavailable`. Default 2 s.
    pub response_timeout: Duration,
    /// How often the connection of the subscriptions is tried out, and made again when it is gone. Default 2 s.
    pub ping_interval: Duration,
    /// While the server is away, subscribers are told this often to read the truth. Default 10 s.
    pub lost_interval: Duration,
    /// A stream nobody appended to for this long is forgotten by the server. Default 24 h.
    pub stream_ttl: Duration,
}

impl RedisSettings {
    /// The defaults, for the server at `url`.
    #[must_use]
    pub fn new(url: impl Into<String>) -> Self {
        Self {
            url: url.into(),
            prefix: "coderoom:".to_owned(),
            connect_timeout: Duration::from_secs(1),
            response_timeout: Duration::from_secs(2),
            ping_interval: Duration::from_secs(2),
            lost_interval: Duration::from_secs(10),
            stream_ttl: Duration::from_secs(24 * 3600),
        }
    }
}

impl fmt::Debug for RedisSettings {
    /// Without the URL, which may hold a password.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RedisSettings").field("prefix", &self.prefix).finish_non_exhaustive()
    }
}

/// Handle to the two connections.
#[derive(Clone, Debug)]
pub struct RedisBus {
    settings: Arc<RedisSettings>,
    /// For everything but subscriptions. It makes itself anew, one attempt for each call that finds it broken.
    commands: ConnectionManager,
    topics: Arc<Topics>,
    /// To the listener, which ends when all senders are gone.
    orders: mpsc::Sender<Order>,
    /// Whether the listener is connected.
    listening: watch::Receiver<bool>,
}

impl RedisBus {
    pub(super) async fn open(settings: RedisSettings) -> Result<Self> {
        let client = connect::client(&settings)?;
        let commands = connect::commands(&client, &settings).await?;
        let topics = Arc::new(Topics::default());
        let (orders, incoming) = mpsc::channel(ORDERS);
        let (listening, is_listening) = watch::channel(false);
        let settings = Arc::new(settings);
        let listener =
            listen::Listener::new(client, settings.clone(), topics.clone(), orders.downgrade(), incoming, listening);
        tokio::spawn(listener.work());
        let bus = Self { settings, commands, topics, orders, listening: is_listening };
        let mut listening = bus.listening.clone();
        // The command connection answered, so the other one follows; if not, the listener goes on trying.
        let _ = timeout(bus.settings.connect_timeout, listening.wait_for(|listening| *listening)).await;
        Ok(bus)
    }

    pub(super) async fn check(&self) -> Result<()> {
        self.ask::<String>(&redis::cmd("PING")).await?;
        if *self.listening.borrow() {
            return Ok(());
        }
        Err(BusError::Unavailable("redis: the connection for subscriptions is broken".to_owned()))
    }

    pub(super) async fn publish(&self, topic: &str, message: Bytes) -> Result<()> {
        let mut publish = redis::cmd("PUBLISH");
        publish.arg(connect::channel(&self.settings, topic)).arg(message.as_ref());
        self.ask::<i64>(&publish).await.map(|_| ())
    }

    /// Many subscribers of one topic here are one subscription there.
    pub(super) async fn subscribe(&self, topic: &str) -> RedisSubscription {
        let subscription = TopicSubscription::new(&self.topics, topic);
        let leave = Leave::new(&self.orders, topic);
        if *self.listening.borrow() {
            // The listener confirms, or drops this when its connection breaks; then `Lost` follows.
            let (heard, confirmed) = oneshot::channel();
            let order = Order::Hear { topic: Arc::from(topic), heard };
            if self.orders.send(order).await.is_ok() {
                let _ = confirmed.await;
            }
        }
        RedisSubscription { subscription, _leave: leave }
    }

    /// Sends a command and waits for its answer, within bounds.
    async fn ask<T: FromRedisValue>(&self, command: &Cmd) -> Result<T> {
        let mut connection = self.commands.clone();
        let limit = self.settings.connect_timeout + self.settings.response_timeout;
        match timeout(limit, command.query_async(&mut connection)).await {
            Ok(answer) => answer.map_err(|error| connect::explain(&error)),
            Err(_) => Err(BusError::Unavailable("redis: no answer in time".to_owned())),
        }
    }
}

/// The receiving end of one topic. Dropping it unsubscribes.
#[derive(Debug)]
pub struct RedisSubscription {
    subscription: TopicSubscription,
    /// Dropped behind the subscription: looks whether it was the last one of its topic.
    _leave: Leave,
}

impl RedisSubscription {
    pub(super) async fn next(&mut self) -> BusEvent {
        self.subscription.next().await
    }
}
