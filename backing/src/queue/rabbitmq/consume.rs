//! Taking messages. A consumer exists only while somebody waits for a message, on a channel of its own with prefetch 1:
//! who does not ask holds nothing that others could have.

use std::{
    fmt,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use bytes::Bytes;
use futures_util::StreamExt;
use lapin::{
    Acker, Channel, Consumer,
    options::{BasicAckOptions, BasicCancelOptions, BasicConsumeOptions, BasicNackOptions, BasicQosOptions},
    types::FieldTable,
};
use tokio::{
    sync::watch,
    time::{sleep, timeout},
};

use super::{LINK_PATIENCE, RabbitMqSettings, dead_reason, explain::explain, late, link::Link, topology};
use crate::queue::{DeadReason, QueueError, Result};

/// An abandoned consumer waits this long for the next one who asks. Then what it has goes back to the queue: each return
/// counts towards the delivery limit, and a waiter in a `select!` comes back at once.
const ABANDONED: Duration = Duration::from_millis(500);

/// Channels without a consumer that are kept for the next one who asks. More are closed.
const MAX_IDLE: usize = 16;

/// A consumer that heard nothing for this long is begun anew: a queue deleted at the moment it began may leave it waiting
/// for ever, without a word from the broker.
const RENEW: Duration = Duration::from_secs(10);

/// How often a consumer that ends at once is begun again in one call.
const TRIES: u32 = 3;

/// How long a waiter lets deliveries that were just dropped get back into the queue before it asks.
const RETURN_PATIENCE: Duration = Duration::from_secs(1);

/// Everybody here who takes from one queue.
#[derive(Clone, Debug)]
pub(super) struct Consumers {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    settings: Arc<RabbitMqSettings>,
    link: Link,
    queue: String,
    /// Held to put one in or take one out.
    kept: Mutex<Kept>,
    /// Deliveries on their way back into the queue.
    returning: watch::Sender<usize>,
    tags: AtomicU64,
}

/// What is kept for the next one who asks.
#[derive(Debug, Default)]
struct Kept {
    /// Abandoned by their waiters, still consuming.
    abandoned: Vec<Lane>,
    /// Not consuming.
    idle: Vec<Channel>,
}

/// A channel with its one consumer.
struct Lane {
    number: u64,
    channel: Channel,
    consumer: Consumer,
}

impl fmt::Debug for Lane {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Lane").field("number", &self.number).finish_non_exhaustive()
    }
}

impl Consumers {
    pub(super) fn new(settings: Arc<RabbitMqSettings>, link: Link, queue: &str) -> Self {
        let (returning, _) = watch::channel(0);
        let shared = Shared {
            settings,
            link,
            queue: queue.to_owned(),
            kept: Mutex::default(),
            returning,
            tags: AtomicU64::new(0),
        };
        Self { shared: Arc::new(shared) }
    }

    /// The next message. Cancel safe: what came for a waiter that is gone is kept for the next one, or goes back.
    pub(super) async fn next(&self) -> Result<RabbitDelivery> {
        let mut returning = self.shared.returning.subscribe();
        let _ = timeout(RETURN_PATIENCE, returning.wait_for(|count| *count == 0)).await;
        let mut failed = 0;
        loop {
            let lane = match self.shared.take_abandoned() {
                Some(lane) => lane,
                None => self.shared.begin().await?,
            };
            let mut waiting = Waiting { shared: self.shared.clone(), lane: Some(lane) };
            let came = match &mut waiting.lane {
                Some(lane) => timeout(RENEW, lane.consumer.next()).await,
                None => Ok(None),
            };
            // From here on there is no await: who came with a message leaves with it.
            let Some(lane) = waiting.lane.take() else { continue };
            let Ok(came) = came else {
                // Closing the channel gives back what may have come at this moment.
                let limit = self.shared.settings.confirm_timeout;
                tokio::spawn(async move { timeout(limit, lane.channel.close(200, "renewed".into())).await });
                continue;
            };
            match came {
                Some(Ok(delivery)) => return Ok(RabbitDelivery::new(self.shared.clone(), lane, delivery)),
                // Cancelled by the broker (the queue was deleted or moved), or the connection broke: begin again.
                ended => {
                    failed += 1;
                    if failed >= TRIES {
                        let cause = ended.and_then(std::result::Result::err).map(|error| error.to_string());
                        let cause = cause.unwrap_or_else(|| "the broker ended the consumer".to_owned());
                        return Err(QueueError::Unavailable(format!("RabbitMQ: {cause}")));
                    }
                }
            }
        }
    }
}

impl Shared {
    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn take_abandoned(&self) -> Option<Lane> {
        let mut kept = self.kept();
        std::iter::from_fn(|| kept.abandoned.pop()).find(|lane| lane.channel.status().connected())
    }

    fn take_idle(&self) -> Option<Channel> {
        let mut kept = self.kept();
        std::iter::from_fn(|| kept.idle.pop()).find(|channel| channel.status().connected())
    }

    /// Begins to consume; makes the queue again when it is gone.
    async fn begin(&self) -> Result<Lane> {
        let begun = timeout(self.settings.confirm_timeout, self.consume()).await.map_err(|_| late())?;
        let Err(error) = begun else { return begun.map_err(|error| explain(&error, &self.queue)) };
        let live = self.link.live(LINK_PATIENCE).await?;
        tracing::debug!(queue = self.queue, cause = %error, "the queue could not be consumed; making sure that it is there");
        let made = topology::declare(&live.connection, &self.settings);
        timeout(self.settings.confirm_timeout, made).await.map_err(|_| late())??;
        let begun = timeout(self.settings.confirm_timeout, self.consume()).await.map_err(|_| late())?;
        begun.map_err(|error| explain(&error, &self.queue))
    }

    async fn consume(&self) -> lapin::Result<Lane> {
        let channel = match self.take_idle() {
            Some(channel) => channel,
            None => {
                let live =
                    self.link.live(LINK_PATIENCE).await.map_err(|error| std::io::Error::other(error.to_string()))?;
                let channel = live.connection.create_channel().await?;
                // Of each consumer, not of the channel: quorum queues allow no other.
                channel.basic_qos(1, BasicQosOptions { global: false }).await?;
                channel
            }
        };
        let number = self.tags.fetch_add(1, Ordering::Relaxed);
        let tag = topology::name(&format!("coderoom-{number}"));
        let queue = topology::name(&self.queue);
        let consumer = channel.basic_consume(queue, tag, BasicConsumeOptions::default(), FieldTable::default()).await?;
        Ok(Lane { number, channel, consumer })
    }

    fn keep_idle(&self, channel: Channel) {
        let mut kept = self.kept();
        if channel.status().connected() && kept.idle.len() < MAX_IDLE {
            kept.idle.push(channel);
        }
    }

    /// Closes a lane that nobody took up again; the broker puts what it holds back into the queue.
    async fn give_up(&self, number: u64) {
        let lane = {
            let mut kept = self.kept();
            let place = kept.abandoned.iter().position(|lane| lane.number == number);
            place.map(|place| kept.abandoned.swap_remove(place))
        };
        if let Some(lane) = lane {
            let _ = timeout(self.settings.confirm_timeout, lane.channel.close(200, "done".into())).await;
        }
    }
}

/// A lane in the hands of somebody who waits; abandoned when the wait is.
struct Waiting {
    shared: Arc<Shared>,
    lane: Option<Lane>,
}

impl Drop for Waiting {
    fn drop(&mut self) {
        let (Some(lane), Ok(runtime)) = (self.lane.take(), tokio::runtime::Handle::try_current()) else { return };
        let number = lane.number;
        self.shared.kept().abandoned.push(lane);
        let shared = self.shared.clone();
        runtime.spawn(async move {
            sleep(ABANDONED).await;
            shared.give_up(number).await;
        });
    }
}

/// A message in the hands of one consumer.
pub struct RabbitDelivery {
    shared: Arc<Shared>,
    message: Bytes,
    dead: DeadReason,
    /// `None` only once acknowledged or refused.
    held: Option<(Lane, Acker)>,
}

impl fmt::Debug for RabbitDelivery {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RabbitDelivery").field("message", &self.message).finish_non_exhaustive()
    }
}

impl RabbitDelivery {
    fn new(shared: Arc<Shared>, lane: Lane, delivery: lapin::message::Delivery) -> Self {
        let dead = dead_reason(delivery.properties.headers().as_ref());
        Self { shared, message: delivery.data.into(), dead, held: Some((lane, delivery.acker)) }
    }

    pub(in crate::queue) fn message(&self) -> &Bytes {
        &self.message
    }

    pub(in crate::queue) fn dead_reason(&self) -> DeadReason {
        self.dead
    }

    pub(in crate::queue) async fn ack(mut self) -> Result<()> {
        match self.held.take() {
            Some((lane, acker)) => settle(&self.shared, lane, &acker, Settle::Ack).await,
            None => Ok(()),
        }
    }

    pub(in crate::queue) async fn refuse(mut self) -> Result<()> {
        match self.held.take() {
            Some((lane, acker)) => settle(&self.shared, lane, &acker, Settle::Refuse).await,
            None => Ok(()),
        }
    }
}

impl Drop for RabbitDelivery {
    fn drop(&mut self) {
        // Without a runtime the channel closes, which returns the message too.
        let (Some((lane, acker)), Ok(runtime)) = (self.held.take(), tokio::runtime::Handle::try_current()) else {
            return;
        };
        let shared = self.shared.clone();
        shared.returning.send_modify(|count| *count += 1);
        runtime.spawn(async move {
            if let Err(cause) = settle(&shared, lane, &acker, Settle::Return).await {
                tracing::debug!(%cause, "a message could not be given back; the broker does that when the channel closes");
            }
            shared.returning.send_modify(|count| *count -= 1);
        });
    }
}

/// What becomes of a message.
#[derive(Clone, Copy)]
enum Settle {
    Ack,
    Refuse,
    Return,
}

/// Ends the consumer, so that no other message follows, and then says what becomes of this one.
async fn settle(shared: &Shared, lane: Lane, acker: &Acker, what: Settle) -> Result<()> {
    let Lane { channel, consumer, .. } = lane;
    let settling = async {
        channel.basic_cancel(consumer.tag(), BasicCancelOptions::default()).await?;
        let nack = |requeue| BasicNackOptions { multiple: false, requeue };
        match what {
            Settle::Ack => acker.ack(BasicAckOptions::default()).await,
            Settle::Refuse => acker.nack(nack(false)).await,
            Settle::Return => acker.nack(nack(true)).await,
        }
    };
    let settled = timeout(shared.settings.confirm_timeout, settling).await.map_err(|_| late())?;
    if !settled.map_err(|error| explain(&error, &shared.queue))? {
        return Err(QueueError::Unavailable("RabbitMQ: the message belongs to a connection that broke".to_owned()));
    }
    shared.keep_idle(channel);
    Ok(())
}
