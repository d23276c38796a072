//! Makes wrong inputs out of right ones: bits turned, numbers made huge, pieces cut, doubled and swapped in.

use std::{
    hash::{BuildHasher, RandomState},
    ops::Range,
};

/// Longest input that mutating makes, in bytes.
const MAX_INPUT_BYTES: usize = 1 << 16;
/// Numbers that break careless readers, as varUints: the ends of 7, 14, 30, 32, 53 and 64 bits, a superfluous zero.
const NUMBERS: [&[u8]; 9] = [
    &[0],
    &[0x7f],
    &[0xff, 0x7f],
    &[0x80, 0x80, 0x80, 0x80, 0x04],
    &[0xff, 0xff, 0xff, 0xff, 0x0f],
    &[0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x0f],
    &[0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01],
    &[0x81, 0x00],
    &[0x80, 0xc2, 0xd7, 0x2f],
];

/// A source of mutated seeds. Its random numbers follow from one seed.
pub(super) struct Mutator<'a> {
    seeds: &'a [&'a [u8]],
    state: u64,
}

impl<'a> Mutator<'a> {
    pub(super) fn new(seeds: &'a [&'a [u8]]) -> Self {
        let fresh = || RandomState::new().hash_one(0_u8);
        let seed = std::env::var("CODEROOM_SEED").ok().and_then(|text| text.parse().ok()).unwrap_or_else(fresh);
        println!("replay with CODEROOM_SEED={seed}");
        Self { seeds, state: seed | 1 }
    }

    /// A mutation of any seed.
    pub(super) fn mutate(&mut self) -> Vec<u8> {
        self.mutate_near(0..self.seeds.len())
    }

    /// A mutation of one of these seeds.
    pub(super) fn mutate_near(&mut self, range: Range<usize>) -> Vec<u8> {
        let at = range.start + self.below(range.len());
        let mut input = self.seeds[at].to_vec();
        for _ in 0..=self.below(3) {
            self.change(&mut input);
        }
        input.truncate(MAX_INPUT_BYTES);
        input
    }

    /// True once in `times`.
    pub(super) fn chance(&mut self, times: usize) -> bool {
        self.below(times) == 0
    }

    fn change(&mut self, input: &mut Vec<u8>) {
        let at = self.below(input.len() + 1);
        let end = at + self.below(input.len() - at + 1).min(16);
        match self.below(8) {
            0 | 1 if at < input.len() => input[at] ^= 1 << self.below(8),
            2 if at < input.len() => input[at] = self.below(256) as u8,
            3 => {
                let number = NUMBERS[self.below(NUMBERS.len())];
                input.splice(at..(at + 1).min(input.len()), number.iter().copied());
            }
            4 => input.truncate(at),
            5 => {
                let doubled = input[at..end].to_vec();
                input.splice(at..at, doubled);
            }
            6 => {
                let other = self.seeds[self.below(self.seeds.len())];
                let from = self.below(other.len() + 1);
                let to = from + self.below(other.len() - from + 1).min(32);
                input.splice(at..end, other[from..to].iter().copied());
            }
            _ => {
                input.drain(at..end);
            }
        }
    }

    /// A number from 0 up to, not including, `limit`; 0 for a limit of 0. Xorshift: good enough for this.
    fn below(&mut self, limit: usize) -> usize {
        self.state ^= self.state << 13;
        self.state ^= self.state >> 7;
        self.state ^= self.state << 17;
        if limit == 0 { 0 } else { ((self.state >> 16) % limit as u64) as usize }
    }
}
