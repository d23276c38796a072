//! Exchanges, queues and bindings: made if they are missing, dead letters first.

use lapin::{
    Connection, ExchangeKind,
    options::{ExchangeDeclareOptions, QueueBindOptions, QueueDeclareOptions},
    types::{AMQPValue, FieldTable, ShortString},
};

use super::{RabbitMqSettings, explain::explain, link::Live};
use crate::queue::{QueueError, Result};

/// Makes everything that is missing, on a channel of its own: the broker closes the channel of a command it refuses.
pub(super) async fn declare(connection: &Connection, settings: &RabbitMqSettings) -> Result<()> {
    let names = &settings.names;
    let mut dead = FieldTable::default();
    dead.insert("x-queue-type".into(), text("quorum"));
    make(connection, &names.dead_exchange, &names.dead_queue, &names.dead_routing_key, dead).await?;
    let mut work = FieldTable::default();
    work.insert("x-queue-type".into(), text("quorum"));
    work.insert("x-dead-letter-exchange".into(), text(&names.dead_exchange));
    work.insert("x-dead-letter-routing-key".into(), text(&names.dead_routing_key));
    let ttl_ms = u32::try_from(settings.limits.message_ttl.as_millis()).unwrap_or(u32::MAX);
    work.insert("x-message-ttl".into(), AMQPValue::LongLongInt(ttl_ms.into()));
    // Always said: without it 3.x has no limit and 4.x has one of 20.
    work.insert("x-delivery-limit".into(), AMQPValue::LongLongInt(settings.limits.delivery_limit.into()));
    make(connection, &names.exchange, &names.queue, &names.routing_key, work).await
}

async fn make(connection: &Connection, exchange: &str, queue: &str, key: &str, arguments: FieldTable) -> Result<()> {
    let channel = connection.create_channel().await.map_err(|error| explain(&error, queue))?;
    let options = ExchangeDeclareOptions { durable: true, ..ExchangeDeclareOptions::default() };
    let declared =
        channel.exchange_declare(exchange.into(), ExchangeKind::Direct, options, FieldTable::default()).await;
    declared.map_err(|error| explain(&error, exchange))?;
    let refused = |error: lapin::Error| -> QueueError { explain(&error, queue) };
    channel.queue_declare(queue.into(), QueueDeclareOptions::durable(), arguments).await.map_err(refused)?;
    let bind = QueueBindOptions::default();
    channel
        .queue_bind(queue.into(), exchange.into(), key.into(), bind, FieldTable::default())
        .await
        .map_err(refused)?;
    let _ = channel.close(200, "done".into()).await;
    Ok(())
}

/// Asks the broker whether it has the queue.
pub(super) async fn ask(live: &Live, queue: &str) -> lapin::Result<()> {
    let channel = live.connection.create_channel().await?;
    channel.queue_declare(queue.into(), QueueDeclareOptions::durable().passive(), FieldTable::default()).await?;
    let _ = channel.close(200, "done".into()).await;
    Ok(())
}

fn text(text: &str) -> AMQPValue {
    AMQPValue::LongString(text.as_bytes().to_vec().into())
}

/// A name as the protocol has it.
pub(super) fn name(text: &str) -> ShortString {
    text.into()
}
