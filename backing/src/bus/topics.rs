//! Topics within this process, for both twins: who is subscribed, and what each has not heard yet. Nothing is allocated
//! for a topic but its subscribers, and a subscriber's list of messages grows only while it is behind: idle rooms cost
//! next to nothing.

use std::{
    collections::{HashMap, VecDeque},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use bytes::Bytes;
use tokio::sync::Notify;

use crate::bus::BusEvent;

/// Messages a subscriber may be behind. Then they are dropped and it hears [`BusEvent::Lost`].
const MAX_BEHIND: usize = 256;

/// Lists this short keep their memory when they run empty.
const KEPT_CAPACITY: usize = 4;

/// All topics that somebody is subscribed to.
#[derive(Debug, Default)]
pub(super) struct Topics {
    /// Held while publishing, subscribing and unsubscribing; never over an await.
    inboxes: Mutex<HashMap<Arc<str>, Vec<Arc<Inbox>>>>,
}

#[derive(Debug, Default)]
struct Inbox {
    /// Held by the publisher for a push and by the subscriber for a pop.
    waiting: Mutex<Waiting>,
    arrived: Notify,
}

#[derive(Debug, Default)]
struct Waiting {
    messages: VecDeque<Bytes>,
    /// Messages before those in `messages` were dropped.
    lost: bool,
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Topics {
    /// Hands `message` to everybody subscribed here; whether there was anybody.
    pub(super) fn publish(&self, topic: &str, message: &Bytes) -> bool {
        let inboxes = locked(&self.inboxes);
        let Some(members) = inboxes.get(topic) else { return false };
        for inbox in members {
            let mut waiting = locked(&inbox.waiting);
            if waiting.messages.len() >= MAX_BEHIND {
                waiting.messages.clear();
                waiting.lost = true;
            }
            waiting.messages.push_back(message.clone());
            drop(waiting);
            inbox.arrived.notify_one();
        }
        true
    }

    /// Tells every subscriber that it may have missed messages. What it has not heard yet is dropped: it will read the
    /// truth anyway.
    pub(super) fn lose_all(&self) {
        for inbox in locked(&self.inboxes).values().flatten() {
            let mut waiting = locked(&inbox.waiting);
            waiting.messages.clear();
            waiting.lost = true;
            drop(waiting);
            inbox.arrived.notify_one();
        }
    }

    /// Whether somebody here is subscribed to `topic`.
    pub(super) fn has(&self, topic: &str) -> bool {
        locked(&self.inboxes).contains_key(topic)
    }

    /// The topics somebody here is subscribed to.
    pub(super) fn names(&self) -> Vec<Arc<str>> {
        locked(&self.inboxes).keys().cloned().collect()
    }

    /// Topics that have subscribers.
    #[cfg(test)]
    fn count(&self) -> usize {
        locked(&self.inboxes).len()
    }
}

/// The receiving end of one topic. Dropping it unsubscribes.
#[derive(Debug)]
pub struct TopicSubscription {
    topics: Arc<Topics>,
    topic: Arc<str>,
    inbox: Arc<Inbox>,
}

impl TopicSubscription {
    /// Subscribes; everything handed to `topic` from now on is heard.
    pub(super) fn new(topics: &Arc<Topics>, topic: &str) -> Self {
        let inbox = Arc::new(Inbox::default());
        let mut inboxes = locked(&topics.inboxes);
        let topic = inboxes.get_key_value(topic).map_or_else(|| Arc::from(topic), |(topic, _)| topic.clone());
        let members = inboxes.entry(topic.clone()).or_insert_with(|| Vec::with_capacity(1));
        members.push(inbox.clone());
        drop(inboxes);
        Self { topics: topics.clone(), topic, inbox }
    }

    pub(super) async fn next(&mut self) -> BusEvent {
        loop {
            if let Some(event) = self.inbox.take() {
                return event;
            }
            self.inbox.arrived.notified().await;
        }
    }
}

impl Inbox {
    fn take(&self) -> Option<BusEvent> {
        let mut waiting = locked(&self.waiting);
        if std::mem::take(&mut waiting.lost) {
            return Some(BusEvent::Lost);
        }
        let message = waiting.messages.pop_front()?;
        if waiting.messages.is_empty() {
            waiting.messages.shrink_to(KEPT_CAPACITY);
        }
        Some(BusEvent::Message(message))
    }
}

impl Drop for TopicSubscription {
    fn drop(&mut self) {
        let mut inboxes = locked(&self.topics.inboxes);
        if let Some(members) = inboxes.get_mut(&self.topic) {
            members.retain(|inbox| !Arc::ptr_eq(inbox, &self.inbox));
            if members.is_empty() {
                inboxes.remove(&self.topic);
            }
        }
        // A map does not give memory back by itself.
        let (used, held) = (inboxes.len(), inboxes.capacity());
        if held > 1024 && used < held / 8 {
            inboxes.shrink_to(used * 2);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn topics_nobody_listens_to_leave_nothing_behind() {
        let topics = Arc::new(Topics::default());
        let subscriptions: Vec<_> =
            (0..100_000).map(|number| TopicSubscription::new(&topics, &format!("task/{number}"))).collect();
        assert_eq!(topics.count(), 100_000);
        drop(subscriptions);
        topics.publish("task/1", &Bytes::from_static(b"x"));
        assert_eq!(topics.count(), 0);
        assert!(locked(&topics.inboxes).capacity() <= 1024);
    }
}
