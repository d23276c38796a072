//! Tells all nodes whose access changed, so that what they remember is forgotten and open sockets are looked at again.
//! An announcement is a hint: who misses it looks at everybody now and then.

use coderoom_backing::bus::BusEvent;
use coderoom_protocol::ids::{TaskId, UserId};
use serde::{Deserialize, Serialize};
use tokio::sync::broadcast;
use tokio_util::sync::CancellationToken;

use super::People;

/// Topic of [`AccessChange`]s (JSON).
const ACCESS_TOPIC: &str = "people/access";

/// Somebody's access changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AccessChange {
    /// Whose; `None`: anybody's, announcements were missed.
    pub user: Option<UserId>,
    /// In which task; `None`: in all, because a session, a token or the user changed.
    pub task: Option<TaskId>,
}

impl People {
    /// Changes of access, from this node and others.
    #[must_use]
    pub fn access_changes(&self) -> broadcast::Receiver<AccessChange> {
        self.inner.changes.subscribe()
    }

    /// Listens to the other nodes until `stop`. Started once by each server.
    pub async fn listen(self, stop: CancellationToken) {
        let mut heard = loop {
            match self.inner.bus.subscribe(ACCESS_TOPIC).await {
                Ok(heard) => break heard,
                Err(error) => tracing::error!(%error, "changes of access on other nodes are not heard"),
            }
            tokio::select! {
                () = stop.cancelled() => return,
                () = tokio::time::sleep(self.inner.settings.recheck) => {}
            }
        };
        loop {
            let event = tokio::select! {
                () = stop.cancelled() => return,
                event = heard.next() => event,
            };
            let change = match event {
                BusEvent::Message(message) => serde_json::from_slice(&message).ok(),
                BusEvent::Lost => Some(AccessChange { user: None, task: None }),
            };
            if let Some(change) = change {
                self.forget(change).await;
                // Nobody listens while no socket is open.
                let _ = self.inner.changes.send(change);
            }
        }
    }

    /// Forgets what is remembered of a user and tells all nodes, this one at once.
    pub(super) async fn announce_access(&self, user: UserId, task: Option<TaskId>) {
        let change = AccessChange { user: Some(user), task };
        self.forget(change).await;
        let _ = self.inner.changes.send(change);
        let Ok(message) = serde_json::to_vec(&change) else { return };
        if let Err(error) = self.inner.bus.publish(ACCESS_TOPIC, message.into()).await {
            tracing::warn!(%error, "a change of access could not be announced");
        }
    }

    async fn forget(&self, change: AccessChange) {
        match change {
            AccessChange { user: Some(user), task: Some(task) } => self.forget_role(task, user).await,
            AccessChange { user: Some(user), task: None } => {
                // Both fail only without support for closures, which the caches were built with.
                let known = self.inner.known.invalidate_entries_if(move |_, known| known.identity.user == user);
                let roles = self.inner.roles.invalidate_entries_if(move |(of, _), _| *of == user);
                if known.is_err() || roles.is_err() {
                    self.forget_all();
                }
            }
            AccessChange { user: None, .. } => self.forget_all(),
        }
    }

    fn forget_all(&self) {
        self.inner.known.invalidate_all();
        self.inner.roles.invalidate_all();
    }
}
