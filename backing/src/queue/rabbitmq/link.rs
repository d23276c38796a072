//! A connection that is made anew whenever it breaks, with the topology, for as long as somebody holds the link.

use std::{fmt, sync::Arc, time::Duration};

use lapin::{Channel, Connection, ConnectionProperties, options::ConfirmSelectOptions, uri::AMQPUri};
use tokio::{
    sync::{Notify, watch},
    time::{sleep, timeout},
};
use tokio_util::task::AbortOnDropHandle;

use super::{RabbitMqSettings, explain::explain, late, topology};
use crate::queue::{QueueError, Result};

/// Shortest and longest pause between two attempts to connect.
const PAUSE: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(3));

/// How often a connection is looked at when nobody complains about it.
const LOOK: Duration = Duration::from_millis(250);

/// A connection that works as far as is known.
pub(super) struct Live {
    pub(super) connection: Connection,
    /// With confirms.
    pub(super) channel: Channel,
}

impl Live {
    fn works(&self) -> bool {
        self.connection.status().connected() && self.channel.status().connected()
    }
}

impl fmt::Debug for Live {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Live").field("works", &self.works()).finish_non_exhaustive()
    }
}

/// Handle to a supervised connection.
#[derive(Clone, Debug)]
pub(super) struct Link {
    current: watch::Receiver<Option<Arc<Live>>>,
    /// Rung by whoever found it broken.
    look: Arc<Notify>,
    _supervisor: Arc<AbortOnDropHandle<()>>,
}

impl Link {
    /// Connects, or says why that cannot be.
    pub(super) async fn open(settings: Arc<RabbitMqSettings>, name: &'static str) -> Result<Self> {
        let first = connect(&settings, name).await?;
        let (publish, current) = watch::channel(Some(Arc::new(first)));
        let look = Arc::new(Notify::new());
        let supervisor = AbortOnDropHandle::new(tokio::spawn(supervise(settings, name, publish, look.clone())));
        Ok(Self { current, look, _supervisor: Arc::new(supervisor) })
    }

    /// The connection; waits up to `patience` while it is being made.
    pub(super) async fn live(&self, patience: Duration) -> Result<Arc<Live>> {
        let mut current = self.current.clone();
        let works = |live: &Option<Arc<Live>>| live.as_ref().is_some_and(|live| live.works());
        let away = || QueueError::Unavailable("RabbitMQ is not connected".to_owned());
        let found = timeout(patience, current.wait_for(works)).await.map_err(|_| away())?;
        found.ok().and_then(|live| live.clone()).ok_or_else(away)
    }

    /// Says that `live` does not work, so that it is looked at now.
    pub(super) fn broken(&self, live: &Live) {
        if !live.works() {
            self.look.notify_one();
        }
    }
}

async fn supervise(
    settings: Arc<RabbitMqSettings>,
    name: &'static str,
    current: watch::Sender<Option<Arc<Live>>>,
    look: Arc<Notify>,
) {
    loop {
        while current.borrow().as_ref().is_some_and(|live| live.works()) {
            let _ = timeout(LOOK, look.notified()).await;
        }
        current.send_replace(None);
        tracing::warn!(connection = name, "the connection to RabbitMQ broke; making it anew");
        let mut pause = PAUSE.0;
        loop {
            match connect(&settings, name).await {
                Ok(live) => {
                    tracing::info!(connection = name, "connected to RabbitMQ again");
                    current.send_replace(Some(Arc::new(live)));
                    break;
                }
                Err(cause @ QueueError::Refused(_)) => tracing::error!(connection = name, %cause, "trying again"),
                Err(cause) => tracing::debug!(connection = name, %cause, "trying again"),
            }
            sleep(pause).await;
            pause = (pause * 2).min(PAUSE.1);
        }
    }
}

/// A new connection, with the topology made.
async fn connect(settings: &RabbitMqSettings, name: &str) -> Result<Live> {
    let invalid = |_| {
        QueueError::Refused("the queue's URL is not valid; it looks like amqp://user:password@host:5672/vhost".into())
    };
    let mut uri: AMQPUri = settings.url.parse().map_err(invalid)?;
    let address = format!("{}:{}", uri.authority.host, uri.authority.port);
    uri.query.heartbeat.get_or_insert(settings.heartbeat_s);
    let properties = ConnectionProperties::default().with_connection_name(format!("coderoom {name}").into());
    let connecting = async {
        let connection =
            Connection::connect_uri(uri, properties).await.map_err(|error| at(&address, explain(&error, "")))?;
        topology::declare(&connection, settings).await?;
        let channel = connection.create_channel().await.map_err(|error| explain(&error, ""))?;
        channel.confirm_select(ConfirmSelectOptions::default()).await.map_err(|error| explain(&error, ""))?;
        Ok(Live { connection, channel })
    };
    timeout(settings.connect_timeout, connecting).await.map_err(|_| at(&address, late()))?
}

fn at(address: &str, error: QueueError) -> QueueError {
    match error {
        QueueError::Unavailable(cause) => QueueError::Unavailable(format!("{cause} (at {address})")),
        refused @ QueueError::Refused(_) => refused,
    }
}
