//! Telling those who wait that they moved up in the line, at a bounded rate.

use std::{collections::HashMap, sync::Arc};

use coderoom_protocol::ids::RunId;
use tokio::time::{sleep, timeout};

use super::Shared;
use crate::{announce::LINE_TOPIC, fault::Result};

/// Announces until it is dropped. All engines do it; hearing a place twice is harmless.
pub(super) async fn announce(shared: Arc<Shared>) {
    let mut told: HashMap<RunId, u32> = HashMap::new();
    loop {
        if let Err(cause) = follow(&shared, &mut told).await {
            tracing::debug!(%cause, "places in the line could not be announced; trying again");
            sleep(shared.settings.look).await;
        }
    }
}

async fn follow(shared: &Shared, told: &mut HashMap<RunId, u32>) -> Result<()> {
    let mut moves = shared.runs.bus().subscribe(LINE_TOPIC).await?;
    loop {
        shared.runs.announce_places(told).await?;
        sleep(shared.settings.position_interval).await;
        // Whatever moved during the sleep is waiting in the subscription.
        let _ = timeout(shared.settings.reconcile, moves.next()).await;
        while timeout(std::time::Duration::ZERO, moves.next()).await.is_ok() {}
    }
}
