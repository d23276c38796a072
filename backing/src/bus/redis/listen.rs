//! The connection of all subscriptions: one task that subscribes, tries the connection out, and makes it anew when it is
//! gone. After a break everybody is told that messages may be missing; while it lasts, now and then.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use bytes::Bytes;
use redis::{AsyncConnectionConfig, Client, PushInfo, PushKind, Value, aio::MultiplexedConnection};
use tokio::{
    sync::{Notify, mpsc, oneshot, watch},
    time::{Instant, sleep, timeout},
};

use super::{
    RedisSettings,
    connect::{channel, topic},
};
use crate::bus::topics::Topics;

/// Topics named in one command.
const CHUNK: usize = 512;

/// Shortest and longest pause between two attempts to connect.
const PAUSE: (Duration, Duration) = (Duration::from_millis(50), Duration::from_secs(2));

/// What the listener is asked to do.
#[derive(Debug)]
pub(super) enum Order {
    /// Subscribe, and say so. If the connection breaks, `heard` is dropped.
    Hear {
        /// The topic.
        topic: Arc<str>,
        /// Told when the server has confirmed.
        heard: oneshot::Sender<()>,
    },
    /// Unsubscribe, if nobody here wants the topic any more.
    Leave(Arc<str>),
}

/// Dropped with a subscription: asks the listener to look whether the topic is still wanted.
#[derive(Debug)]
pub(super) struct Leave {
    orders: mpsc::Sender<Order>,
    topic: Arc<str>,
}

impl Leave {
    pub(super) fn new(orders: &mpsc::Sender<Order>, topic: &str) -> Self {
        Self { orders: orders.clone(), topic: Arc::from(topic) }
    }
}

impl Drop for Leave {
    fn drop(&mut self) {
        let _ = self.orders.try_send(Order::Leave(self.topic.clone()));
    }
}

/// The task's state.
pub(super) struct Listener {
    client: Client,
    settings: Arc<RedisSettings>,
    topics: Arc<Topics>,
    /// For the connection's reader, which must not keep the listener alive.
    back: mpsc::WeakSender<Order>,
    orders: mpsc::Receiver<Order>,
    listening: watch::Sender<bool>,
}

/// Why a connection is left.
enum Left {
    /// It broke.
    Broken,
    /// Nobody uses the bus any more.
    Unused,
}

impl Listener {
    pub(super) fn new(
        client: Client,
        settings: Arc<RedisSettings>,
        topics: Arc<Topics>,
        back: mpsc::WeakSender<Order>,
        orders: mpsc::Receiver<Order>,
        listening: watch::Sender<bool>,
    ) -> Self {
        Self { client, settings, topics, back, orders, listening }
    }

    /// Listens until the bus and all its subscriptions are dropped.
    pub(super) async fn work(mut self) {
        let mut pause = PAUSE.0;
        let mut told_at = Instant::now();
        loop {
            let (broken, gap_told) = (Arc::new(Notify::new()), Arc::new(AtomicBool::new(false)));
            match self.connect(broken.clone(), gap_told.clone()).await {
                Ok(mut connection) => {
                    // In this order: who sees that it listens is subscribed by it, and has lost nothing.
                    self.topics.lose_all();
                    gap_told.store(true, Ordering::Relaxed);
                    self.listening.send_replace(true);
                    let left = self.serve(&mut connection, &broken).await;
                    self.listening.send_replace(false);
                    if matches!(left, Left::Unused) {
                        return;
                    }
                    tracing::warn!("the connection for subscriptions to redis broke; making it anew");
                    pause = PAUSE.0;
                    told_at = Instant::now();
                }
                Err(cause) => tracing::debug!(%cause, "redis cannot be subscribed to; trying again"),
            }
            if told_at.elapsed() >= self.settings.lost_interval {
                told_at = Instant::now();
                self.topics.lose_all();
            }
            if !self.rest(pause).await {
                return;
            }
            pause = (pause * 2).min(PAUSE.1);
        }
    }

    /// Lets time pass without leaving anybody waiting; `false` when nobody uses the bus any more.
    async fn rest(&mut self, pause: Duration) -> bool {
        let until = Instant::now() + pause;
        // Who subscribes now hears `Lost` when the connection is there: all topics of this process are subscribed then.
        while let Ok(order) = timeout(until.saturating_duration_since(Instant::now()), self.orders.recv()).await {
            if order.is_none() {
                return false;
            }
        }
        true
    }

    /// A connection that hears all topics of this process. `broken` is rung when it ends. Messages come as soon as the first
    /// topic is subscribed, before all are: until `gap_told`, the first of them tells everybody of the break.
    async fn connect(
        &self,
        broken: Arc<Notify>,
        gap_told: Arc<AtomicBool>,
    ) -> redis::RedisResult<MultiplexedConnection> {
        let (topics, settings, back) = (self.topics.clone(), self.settings.clone(), self.back.clone());
        // Called by the connection's reader for each push: must not wait, and does not.
        let push = move |push: PushInfo| -> Result<(), std::convert::Infallible> {
            match push.kind {
                PushKind::Message => {
                    if !gap_told.swap(true, Ordering::Relaxed) {
                        topics.lose_all();
                    }
                    hand_over(&topics, &settings, &back, push.data);
                }
                PushKind::Disconnection => broken.notify_one(),
                _ => {}
            }
            Ok(())
        };
        let config = AsyncConnectionConfig::new()
            .set_connection_timeout(Some(self.settings.connect_timeout))
            .set_response_timeout(Some(self.settings.response_timeout))
            .set_push_sender(push);
        let mut connection = self.client.get_multiplexed_async_connection_with_config(&config).await?;
        for names in self.topics.names().chunks(CHUNK) {
            connection.subscribe(channels(&self.settings, names)).await?;
        }
        Ok(connection)
    }

    async fn serve(&mut self, connection: &mut MultiplexedConnection, broken: &Notify) -> Left {
        let mut orders = Vec::new();
        loop {
            tokio::select! {
                count = self.orders.recv_many(&mut orders, CHUNK) => {
                    if count == 0 {
                        return Left::Unused;
                    }
                    if let Err(cause) = self.obey(connection, orders.drain(..)).await {
                        tracing::debug!(%cause, "redis did not take a subscription");
                        return Left::Broken;
                    }
                }
                () = sleep(self.settings.ping_interval) => {
                    if redis::cmd("PING").query_async::<String>(connection).await.is_err() {
                        return Left::Broken;
                    }
                }
                () = broken.notified() => return Left::Broken,
            }
        }
    }

    async fn obey(
        &self,
        connection: &mut MultiplexedConnection,
        orders: impl Iterator<Item = Order>,
    ) -> redis::RedisResult<()> {
        let (mut hear, mut confirm, mut leave) = (Vec::new(), Vec::new(), Vec::new());
        for order in orders {
            match order {
                // Subscribing again to what is subscribed changes nothing and is confirmed too.
                Order::Hear { topic, heard } => {
                    hear.push(topic);
                    confirm.push(heard);
                }
                // Whoever subscribes after this look has its order still to come.
                Order::Leave(topic) if !self.topics.has(&topic) => leave.push(topic),
                Order::Leave(_) => {}
            }
        }
        if !leave.is_empty() {
            connection.unsubscribe(channels(&self.settings, &leave)).await?;
        }
        if !hear.is_empty() {
            hear.sort_unstable();
            hear.dedup();
            connection.subscribe(channels(&self.settings, &hear)).await?;
        }
        for heard in confirm {
            let _ = heard.send(());
        }
        Ok(())
    }
}

fn channels(settings: &RedisSettings, topics: &[Arc<str>]) -> Vec<String> {
    topics.iter().map(|topic| channel(settings, topic)).collect()
}

/// Gives a message to the subscribers here. If there are none the subscription is a leftover.
fn hand_over(topics: &Topics, settings: &RedisSettings, back: &mpsc::WeakSender<Order>, data: Vec<Value>) {
    let mut data = data.into_iter();
    let (Some(Value::BulkString(channel)), Some(Value::BulkString(message))) = (data.next(), data.next()) else {
        return;
    };
    let Some(topic) = topic(settings, &channel) else { return };
    if !topics.publish(topic, &Bytes::from(message))
        && let Some(orders) = back.upgrade()
    {
        let _ = orders.try_send(Order::Leave(Arc::from(topic)));
    }
}
