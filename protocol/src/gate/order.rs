//! Whether the blocks of an update that refer to each other across clients can be applied in some order.
//!
//! Two blocks that wait for each other would stay pending in every document for good, so this replays
//! the order in which a document integrates: each client's blocks one after the other, a block only when
//! what it refers to is there. Each reference is looked at once: O(n log n).

use std::{cmp::Reverse, collections::BinaryHeap};

use super::{Refusal, Writer};

/// A block at (`client`, `clock`) that needs (`of`, `needed`) first, of another client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Wait {
    pub(crate) client: u64,
    pub(crate) clock: u32,
    pub(crate) of: u64,
    pub(crate) needed: u32,
}

/// Refuses references to clocks that neither the document nor the update has, and references in a circle.
/// `writers` are ordered by client, `waits` of one client by clock.
pub(super) fn check_order(writers: &[Writer], waits: &mut [Wait]) -> Result<(), Refusal> {
    // Stable, so that each client's references stay in the order of its clocks.
    waits.sort_by_key(|wait| wait.client);
    let mut needs = Vec::with_capacity(waits.len());
    for wait in &*waits {
        let of = writers.binary_search_by_key(&wait.of, |writer| writer.client);
        let Some(of) = of.ok().filter(|&at| wait.needed < writers[at].end) else {
            return Err(Refusal::UnknownOrigin { client: wait.of, clock: wait.needed });
        };
        needs.push(Need { of, needed: wait.needed, clock: wait.clock });
    }

    let mut sections = vec![Section::default(); writers.len()];
    let mut at = 0;
    for (section, writer) in sections.iter_mut().zip(writers) {
        section.next = at;
        at += waits[at..].iter().take_while(|wait| wait.client == writer.client).count();
        section.end = at;
    }
    let mut sleepers: Vec<BinaryHeap<Reverse<(u32, usize)>>> = vec![BinaryHeap::new(); writers.len()];
    let mut ready: Vec<usize> = (0..writers.len()).collect();
    let mut finished = 0;
    while let Some(index) = ready.pop() {
        // Go on until the next reference that is not there yet, then sleep at its client.
        let mut reached = writers[index].end;
        while sections[index].next < sections[index].end {
            let need = needs[sections[index].next];
            if need.needed >= sections[need.of].reached {
                reached = need.clock;
                sleepers[need.of].push(Reverse((need.needed, index)));
                break;
            }
            sections[index].next += 1;
        }
        sections[index].reached = reached;
        finished += usize::from(sections[index].next == sections[index].end);
        while let Some(&Reverse((needed, sleeper))) = sleepers[index].peek() {
            if needed >= reached {
                break;
            }
            sleepers[index].pop();
            ready.push(sleeper);
        }
    }
    if finished == writers.len() { Ok(()) } else { Err(Refusal::Malformed("has blocks that wait for each other")) }
}

/// A reference with its client as an index: the block at `clock` needs `needed` of section `of`.
#[derive(Clone, Copy, Debug)]
struct Need {
    of: usize,
    needed: u32,
    clock: u32,
}

/// How far one client's blocks have got.
#[derive(Clone, Copy, Debug, Default)]
struct Section {
    /// Its references not yet looked at: from `next` up to `end` of the sorted list.
    next: usize,
    end: usize,
    /// Clocks before this one are integrated.
    reached: u32,
}
