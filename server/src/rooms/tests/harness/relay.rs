//! Two buses of which each hears the other's messages about one task, with the faults that a test wants.

use std::{
    collections::HashSet,
    sync::{
        Arc, Mutex,
        atomic::{AtomicU8, AtomicUsize, Ordering},
    },
};

use bytes::Bytes;
use coderoom_backing::bus::{Bus, BusEvent};
use coderoom_protocol::ids::TaskId;
use coderoom_worker::announce::task_topic;

/// What becomes of messages.
#[derive(Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(in crate::rooms::tests) enum Fault {
    /// Nothing.
    None,
    /// None arrives.
    Cut,
    /// Every other one is lost.
    Loses,
    /// Every one comes twice.
    Doubles,
    /// Every one comes after the one behind it.
    Swaps,
}

/// The way between two buses.
pub(in crate::rooms::tests) struct Relay {
    fault: Arc<AtomicU8>,
    /// Messages that were edits, not counting doubles.
    pub(in crate::rooms::tests) edits: Arc<AtomicUsize>,
    /// The same for presence.
    pub(in crate::rooms::tests) presence: Arc<AtomicUsize>,
}

impl Relay {
    pub(in crate::rooms::tests) async fn between(one: &Bus, two: &Bus, task: TaskId) -> Self {
        let fault = Arc::new(AtomicU8::new(Fault::None as u8));
        let (edits, presence) = (Arc::<AtomicUsize>::default(), Arc::<AtomicUsize>::default());
        // What was brought over is not brought back.
        let brought = Arc::new(Mutex::new(HashSet::new()));
        for (from, to) in [(one, two), (two, one)] {
            let mut heard = from.subscribe(&task_topic(task)).await.unwrap();
            let (to, fault, brought) = (to.clone(), fault.clone(), brought.clone());
            let (edits, presence) = (edits.clone(), presence.clone());
            tokio::spawn(async move {
                let mut kept: Option<Bytes> = None;
                let mut count = 0;
                loop {
                    let BusEvent::Message(message) = heard.next().await else { continue };
                    if brought.lock().unwrap().remove(&message) {
                        continue;
                    }
                    count += 1;
                    edits.fetch_add(usize::from(message.first() == Some(&1)), Ordering::Relaxed);
                    presence.fetch_add(usize::from(message.first() == Some(&3)), Ordering::Relaxed);
                    let now = fault.load(Ordering::Relaxed);
                    let out = match now {
                        _ if now == Fault::Cut as u8 => vec![],
                        _ if now == Fault::Loses as u8 && count % 2 == 0 => vec![],
                        _ if now == Fault::Doubles as u8 => vec![message.clone(), message],
                        _ if now == Fault::Swaps as u8 && kept.is_none() => {
                            kept = Some(message);
                            vec![]
                        }
                        _ => [Some(message), kept.take()].into_iter().flatten().collect(),
                    };
                    for message in out {
                        brought.lock().unwrap().insert(message.clone());
                        to.publish(&task_topic(task), message).await.unwrap();
                    }
                }
            });
        }
        Self { fault, edits, presence }
    }

    pub(in crate::rooms::tests) fn has(&self, fault: Fault) {
        self.fault.store(fault as u8, Ordering::Relaxed);
    }
}
