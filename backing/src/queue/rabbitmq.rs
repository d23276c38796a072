//! The cluster twin: a quorum queue of RabbitMQ (3.10 or newer), with one connection for putting and one for taking.
//! Both make themselves anew when they break, and the queue with them when it was deleted.

mod consume;
mod explain;
mod link;
mod topology;
mod version;

use std::{fmt, sync::Arc, time::Duration};

use bytes::Bytes;
use lapin::{
    BasicProperties, Confirmation,
    options::BasicPublishOptions,
    types::{AMQPValue, FieldTable},
};
use tokio::time::timeout;

use self::{
    consume::Consumers,
    link::{Link, Live},
};
use super::{DeadReason, QueueError, QueueLimits, Result};

pub(super) use self::consume::RabbitDelivery;

/// How long a call waits for a connection that is being made.
const LINK_PATIENCE: Duration = Duration::from_secs(2);

/// `delivery_mode` of a message that outlives the broker's restart.
const PERSISTENT: u8 = 2;

/// Names at the broker.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RabbitMqNames {
    /// Direct exchange that messages are put to. Default `compile.code.direct`.
    pub exchange: String,
    /// The queue. Default `compile.code.queue`.
    pub queue: String,
    /// Key from the exchange to the queue. Default `compile.code.routekey`.
    pub routing_key: String,
    /// Direct exchange of dead letters. Default `compile.code.dead.direct`.
    pub dead_exchange: String,
    /// Queue of dead letters. Default `compile.code.dead.queue`.
    pub dead_queue: String,
    /// Key of dead letters. Default `compile.code.dead.key`.
    pub dead_routing_key: String,
}

impl Default for RabbitMqNames {
    fn default() -> Self {
        Self {
            exchange: "compile.code.direct".into(),
            queue: "compile.code.queue".into(),
            routing_key: "compile.code.routekey".into(),
            dead_exchange: "compile.code.dead.direct".into(),
            dead_queue: "compile.code.dead.queue".into(),
            dead_routing_key: "compile.code.dead.key".into(),
        }
    }
}

/// How a RabbitMQ broker is used.
#[derive(Clone)]
pub struct RabbitMqSettings {
    /// `amqp://user:password@host[:port]/vhost`, or `amqps://` for TLS. `%2f` is the virtual host `/`.
    pub url: String,
    /// Names at the broker.
    pub names: RabbitMqNames,
    /// What a message may go through. Changing it needs the queue deleted first: a broker does not change a queue.
    pub limits: QueueLimits,
    /// Longest time a connection may take to be made. Default 5 s.
    pub connect_timeout: Duration,
    /// Longest time the broker may take to confirm a message or obey a command. Default 5 s.
    pub confirm_timeout: Duration,
    /// A connection on which nothing is heard for two of these counts as broken, in seconds. Default 10.
    pub heartbeat_s: u16,
}

impl RabbitMqSettings {
    /// The defaults, for the broker at `url`.
    #[must_use]
    pub fn new(url: impl Into<String>) -> Self {
        Self {
            url: url.into(),
            names: RabbitMqNames::default(),
            limits: QueueLimits::default(),
            connect_timeout: Duration::from_secs(5),
            confirm_timeout: Duration::from_secs(5),
            heartbeat_s: 10,
        }
    }
}

impl fmt::Debug for RabbitMqSettings {
    /// Without the URL, which may hold a password.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RabbitMqSettings")
            .field("names", &self.names)
            .field("limits", &self.limits)
            .finish_non_exhaustive()
    }
}

/// Handle to the two connections.
#[derive(Clone, Debug)]
pub struct RabbitQueue {
    settings: Arc<RabbitMqSettings>,
    put: Link,
    work: Consumers,
    dead: Consumers,
}

impl RabbitQueue {
    pub(super) async fn open(settings: RabbitMqSettings) -> Result<Self> {
        let settings = Arc::new(settings);
        let put = Link::open(settings.clone(), "put").await?;
        let take = Link::open(settings.clone(), "take").await?;
        if let Some(version) = version::of_broker(&settings).await {
            tracing::info!(version, "the run queue is on RabbitMQ");
            if version::is_too_old(&version) {
                let words = format!("RabbitMQ {version} is too old; 3.10 or newer is needed");
                return Err(QueueError::Refused(words));
            }
        }
        let work = Consumers::new(settings.clone(), take.clone(), &settings.names.queue);
        let dead = Consumers::new(settings.clone(), take, &settings.names.dead_queue);
        Ok(Self { settings, put, work, dead })
    }

    pub(super) async fn check(&self) -> Result<()> {
        let live = self.put.live(LINK_PATIENCE).await?;
        let names = &self.settings.names;
        // A question that only a broker which is awake answers, and that also says whether the queue is there.
        let asked = topology::ask(&live, &names.queue);
        let answer = timeout(self.settings.confirm_timeout, asked).await.map_err(|_| late())?;
        answer.map_err(|error| explain::explain(&error, &names.queue))
    }

    /// Confirmed by the broker on success. A message that no queue took is put again once the queue is there again.
    pub(super) async fn ring(&self, message: Bytes) -> Result<()> {
        let mut last = late();
        for _ in 0..2 {
            let live = self.put.live(LINK_PATIENCE).await?;
            let put = timeout(self.settings.confirm_timeout, self.put(&live, &message)).await;
            match put.map_err(|_| late())? {
                Ok(Confirmation::Ack(None)) => return Ok(()),
                // Returned: an acknowledgement all the same, but nobody has it. The queue or its binding is gone.
                Ok(Confirmation::Ack(Some(_))) => {
                    last = QueueError::Unavailable("the broker has no queue for the message".to_owned());
                    let made = topology::declare(&live.connection, &self.settings);
                    timeout(self.settings.confirm_timeout, made).await.map_err(|_| late())??;
                }
                Ok(Confirmation::Nack(_)) => {
                    return Err(QueueError::Unavailable("the broker could not store the message".to_owned()));
                }
                Ok(Confirmation::NotRequested) => {
                    return Err(QueueError::Unavailable("the broker confirms nothing".to_owned()));
                }
                // The connection or channel broke, or the exchange is gone: the link makes all of it anew.
                Err(error) => {
                    last = explain::explain(&error, &self.settings.names.exchange);
                    self.put.broken(&live);
                }
            }
        }
        Err(last)
    }

    async fn put(&self, live: &Live, message: &[u8]) -> lapin::Result<Confirmation> {
        let names = &self.settings.names;
        let properties = BasicProperties::default().with_delivery_mode(PERSISTENT).with_message_id(
            String::from_utf8_lossy(message.get(..message.len().min(64)).unwrap_or_default()).as_ref().into(),
        );
        let options = BasicPublishOptions { mandatory: true, ..BasicPublishOptions::default() };
        let (exchange, key) = (names.exchange.as_str().into(), names.routing_key.as_str().into());
        live.channel.basic_publish(exchange, key, options, message, properties).await?.await
    }

    pub(super) async fn next(&self) -> Result<RabbitDelivery> {
        self.work.next().await
    }

    pub(super) async fn next_dead(&self) -> Result<RabbitDelivery> {
        self.dead.next().await
    }
}

fn late() -> QueueError {
    QueueError::Unavailable("RabbitMQ does not answer in time".to_owned())
}

/// What the broker wrote into a dead letter.
fn dead_reason(headers: Option<&FieldTable>) -> DeadReason {
    let word = headers.and_then(|headers| headers.inner().get("x-first-death-reason"));
    let word = match word {
        Some(AMQPValue::LongString(word)) => word.to_string(),
        Some(AMQPValue::ShortString(word)) => word.to_string(),
        _ => String::new(),
    };
    match word.as_str() {
        "expired" => DeadReason::Expired,
        "rejected" => DeadReason::Refused,
        "delivery_limit" => DeadReason::DeliveredTooOften,
        _ => DeadReason::Other,
    }
}
