//! An order in which the blocks of an update can be applied one by one.

use std::{
    cmp::Reverse,
    collections::{BinaryHeap, HashMap},
};

use super::Section;

/// All blocks as (section, index), each after everything it refers to. `None` when blocks wait for each other,
/// which no document encodes.
pub(super) fn causal_order(sections: &[Section<'_>]) -> Option<Vec<(usize, usize)>> {
    let index_of: HashMap<u64, usize> = sections.iter().enumerate().map(|(at, section)| (section.client, at)).collect();
    let total = sections.iter().map(|section| section.blocks.len()).sum();
    let mut order = Vec::with_capacity(total);
    let mut next = vec![0; sections.len()];
    // Clocks before this one have their place in the order (those before the section are with the receiver).
    let mut reached: Vec<u32> = sections.iter().map(|section| section.start).collect();
    let mut sleepers: Vec<BinaryHeap<Reverse<(u32, usize)>>> = vec![BinaryHeap::new(); sections.len()];
    let mut ready: Vec<usize> = (0..sections.len()).collect();
    while let Some(at) = ready.pop() {
        while let Some(block) = sections[at].blocks.get(next[at]) {
            let missing = [block.origin, block.right_origin].into_iter().flatten().find_map(|id| {
                if id.client == sections[at].client {
                    return None;
                }
                let of = *index_of.get(&id.client)?;
                (id.clock >= reached[of]).then_some((of, id.clock))
            });
            if let Some((of, clock)) = missing {
                sleepers[of].push(Reverse((clock, at)));
                break;
            }
            order.push((at, next[at]));
            next[at] += 1;
            reached[at] = block.clock.saturating_add(block.len);
        }
        while let Some(&Reverse((clock, sleeper))) = sleepers[at].peek() {
            if clock >= reached[at] {
                break;
            }
            sleepers[at].pop();
            ready.push(sleeper);
        }
    }
    (order.len() == total).then_some(order)
}
