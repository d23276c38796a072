//! Watches: from a resource version on, with bookmarks, initial events, a time-out, and 410 inside the stream.

use std::{io, sync::Arc, time::Duration};

use axum::body::Bytes;
use serde_json::{Value, json};
use tokio::{sync::mpsc, time::Instant};

use super::{
    cluster::Cluster,
    list,
    resources::{Query, Resource, Target},
    selector::Selector,
    server::Answer,
    status::Failure,
    store::{Change, ChangeKind},
};

/// Events under way to a client; a full queue makes the watch wait, nothing is lost (the store keeps the history).
const QUEUE: usize = 64;
/// Between two bookmarks.
const BOOKMARK_EVERY: Duration = Duration::from_secs(60);
/// A bookmark comes this long before the time-out of a watch.
const BOOKMARK_BEFORE_END: Duration = Duration::from_secs(2);
/// Longest watch without `timeoutSeconds`; the real one picks 30 to 60 minutes.
const LONGEST: Duration = Duration::from_secs(1800);

struct Watch {
    resource: &'static Resource,
    namespace: String,
    name: String,
    selector: Selector,
    bookmarks: bool,
    initial_events: bool,
    end: Instant,
}

/// Answers one watch.
pub(super) fn answer(cluster: &Arc<Cluster>, target: &Target, query: &Query) -> Result<Answer, Failure> {
    let from = list::version(query)?;
    let initial_events = query.is_true("sendInitialEvents");
    if initial_events && query.get("resourceVersionMatch") != Some("NotOlderThan") {
        let cause = (
            "resourceVersionMatch".to_owned(),
            "FieldValueForbidden",
            "Forbidden: sendInitialEvents requires setting resourceVersionMatch to NotOlderThan".to_owned(),
        );
        return Err(Failure::invalid("ListOptions.meta.k8s.io", "ListOptions", "meta.k8s.io", "", &[cause]));
    }
    let length = query.get("timeoutSeconds").and_then(|text| text.parse().ok()).map_or(LONGEST, Duration::from_secs);
    let watch = Watch {
        resource: target.resource,
        namespace: target.namespace.clone(),
        name: target.name.clone(),
        selector: Selector::parse(query)?,
        bookmarks: query.is_true("allowWatchBookmarks"),
        initial_events,
        end: Instant::now() + length,
    };
    let (to, body) = mpsc::channel(QUEUE);
    let shared = cluster.clone();
    cluster.spawn(async move {
        // The error is that the client is gone.
        let _ = watch.run(&shared, from, &to).await;
    });
    Ok(Answer::stream("application/json", body))
}

struct ClientGone;
type Sender = mpsc::Sender<io::Result<Bytes>>;

impl Watch {
    async fn run(&self, cluster: &Cluster, mut from: u64, to: &Sender) -> Result<(), ClientGone> {
        let mut revisions = cluster.revisions();
        let mut faults = cluster.faults.changes();
        let expired = cluster.faults.read(|faults| faults.watches_expired);
        if from == 0 || self.initial_events {
            let (objects, revision) =
                cluster.store(|store| (store.list(self.resource, &self.namespace), store.revision()));
            for object in objects.iter().filter(|object| self.wants(object)) {
                send(to, "ADDED", object).await?;
            }
            from = revision;
            if self.initial_events {
                let mut mark = self.bookmark(from);
                mark["metadata"]["annotations"] = json!({"k8s.io/initial-events-end": "true"});
                send(to, "BOOKMARK", &mark).await?;
            }
        }
        let began = Instant::now();
        let near_end = self.end.checked_sub(BOOKMARK_BEFORE_END).filter(|at| *at > began).unwrap_or(self.end);
        let mut next_bookmark = near_end.min(began + BOOKMARK_EVERY);
        loop {
            let (hang, now_expired) = cluster.faults.read(|faults| (faults.watches_hang, faults.watches_expired));
            if now_expired != expired {
                send(to, "ERROR", &too_old(from, cluster.store(|store| store.revision()))).await?;
                return Ok(());
            }
            if !hang {
                let (changes, compacted, revision) =
                    cluster.store(|store| (store.since(self.resource, from), store.compacted(), store.revision()));
                if from < compacted {
                    send(to, "ERROR", &too_old(from, compacted)).await?;
                    return Ok(());
                }
                for change in &changes {
                    if let Some((kind, object)) = self.seen(change) {
                        send(to, kind, object).await?;
                    }
                }
                // A version of the future stays what it is until the cluster has come there.
                from = from.max(revision);
                let now = Instant::now();
                if self.bookmarks && now >= next_bookmark {
                    send(to, "BOOKMARK", &self.bookmark(from)).await?;
                    let soon = (now + BOOKMARK_EVERY).min(near_end);
                    next_bookmark = if soon > now { soon } else { self.end + BOOKMARK_EVERY };
                }
            }
            tokio::select! {
                _ = revisions.changed() => {}
                _ = faults.changed() => {}
                () = to.closed() => return Err(ClientGone),
                () = tokio::time::sleep_until(self.end) => return Ok(()),
                () = tokio::time::sleep_until(next_bookmark), if self.bookmarks && !hang => {}
            }
        }
    }

    fn wants(&self, object: &Value) -> bool {
        let meta = &object["metadata"];
        (self.namespace.is_empty() || meta["namespace"] == self.namespace.as_str())
            && (self.name.is_empty() || meta["name"] == self.name.as_str())
            && self.selector.matches(object)
    }

    /// How this watch sees a change: an object that begins to match is new to it, one that ceases to match is gone.
    fn seen<'a>(&self, change: &'a Change) -> Option<(&'static str, &'a Value)> {
        let before = change.before.as_deref().is_some_and(|before| self.wants(before));
        let after = self.wants(&change.object);
        match (change.kind, before, after) {
            (ChangeKind::Deleted, true, _) | (ChangeKind::Modified, true, false) => Some(("DELETED", &change.object)),
            (ChangeKind::Added, _, true) | (ChangeKind::Modified, false, true) => Some(("ADDED", &change.object)),
            (ChangeKind::Modified, true, true) => Some(("MODIFIED", &change.object)),
            _ => None,
        }
    }

    fn bookmark(&self, revision: u64) -> Value {
        let mut mark = json!({
            "kind": self.resource.kind, "apiVersion": self.resource.api_version(), "metadata": {"resourceVersion": revision.to_string()},
        });
        match self.resource.plural {
            "jobs" => {
                mark["spec"] = json!({"template": {"metadata": {}, "spec": {"containers": null}}});
                mark["status"] = json!({});
            }
            "pods" => {
                mark["spec"] = json!({"containers": null});
                mark["status"] = json!({});
            }
            _ => {}
        }
        mark
    }
}

fn too_old(from: u64, oldest: u64) -> Value {
    Failure::expired(format!("too old resource version: {from} ({oldest})")).body
}

async fn send(to: &Sender, kind: &str, object: &Value) -> Result<(), ClientGone> {
    let mut line = json!({"type": kind, "object": object}).to_string();
    line.push('\n');
    to.send(Ok(Bytes::from(line))).await.map_err(|_| ClientGone)
}
