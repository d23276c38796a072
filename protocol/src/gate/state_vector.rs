//! State vectors: how many clocks of each client somebody has.

use super::{Facts, MAX_CLOCK, Refusal, grammar::MAX_CLIENT};
use crate::lib0::{Reader, write_var_uint};

/// How many clocks of each client are known, ordered by client. Clients with none are left out.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct StateVector {
    entries: Vec<(u64, u32)>,
}

impl StateVector {
    /// Reads the v1 encoding: a count, then client and clock each. The declared count never exceeds half of
    /// the bytes that follow.
    ///
    /// # Errors
    /// [`Refusal::Malformed`] when it is cut off, goes on after its end, names a client twice, or has numbers
    /// outside their range.
    pub fn parse(bytes: &[u8]) -> Result<Self, Refusal> {
        let mut reader = Reader::new(bytes);
        let count = reader.count(2)?;
        let mut entries = Vec::with_capacity(count);
        for _ in 0..count {
            let client = reader.var_uint(MAX_CLIENT)?;
            let clock = reader.var_uint(u64::from(MAX_CLOCK))? as u32;
            entries.push((client, clock));
        }
        if !reader.is_empty() {
            return Err(Refusal::Malformed("goes on after its end"));
        }
        entries.sort_unstable_by_key(|&(client, _)| client);
        if entries.windows(2).any(|pair| pair[0].0 == pair[1].0) {
            return Err(Refusal::Malformed("names a client twice"));
        }
        entries.retain(|&(_, clock)| clock > 0);
        Ok(Self { entries })
    }

    /// Clocks of `client` that are known; 0 for clients never seen.
    #[must_use]
    pub fn get(&self, client: u64) -> u32 {
        self.find(client).map_or(0, |at| self.entries[at].1)
    }

    /// Makes the entry of `client` at least `clock`.
    pub fn advance(&mut self, client: u64, clock: u32) {
        match self.find(client) {
            Ok(at) => self.entries[at].1 = self.entries[at].1.max(clock),
            Err(at) if clock > 0 => self.entries.insert(at, (client, clock)),
            Err(_) => {}
        }
    }

    /// Takes in what an accepted update writes.
    pub fn accept(&mut self, facts: &Facts) {
        for writer in &facts.writers {
            self.advance(writer.client, writer.end);
        }
    }

    /// Whether everything `other` has is here too.
    #[must_use]
    pub fn covers(&self, other: &Self) -> bool {
        other.entries.iter().all(|&(client, clock)| self.get(client) >= clock)
    }

    /// The entries, ordered by client.
    pub fn iter(&self) -> impl Iterator<Item = (u64, u32)> + '_ {
        self.entries.iter().copied()
    }

    /// Number of clients.
    #[must_use]
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether nothing is known.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// The v1 encoding, largest client first as Yjs writes it.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(2 + self.entries.len() * 8);
        write_var_uint(&mut out, self.entries.len() as u64);
        for &(client, clock) in self.entries.iter().rev() {
            write_var_uint(&mut out, client);
            write_var_uint(&mut out, u64::from(clock));
        }
        out
    }

    fn find(&self, client: u64) -> Result<usize, usize> {
        self.entries.binary_search_by_key(&client, |&(id, _)| id)
    }
}

impl FromIterator<(u64, u32)> for StateVector {
    /// Of two entries for one client the larger counts.
    fn from_iter<T: IntoIterator<Item = (u64, u32)>>(entries: T) -> Self {
        let mut entries: Vec<_> = entries.into_iter().filter(|&(_, clock)| clock > 0).collect();
        entries.sort_unstable_by_key(|&(client, clock)| (client, std::cmp::Reverse(clock)));
        entries.dedup_by_key(|&mut (client, _)| client);
        Self { entries }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn vector_is_read_as_it_was_written() {
        let vector: StateVector = [(7, 3), (1 << 52, 9), (1, 1 << 20), (7, 2), (5, 0)].into_iter().collect();
        assert_eq!(vector.iter().collect::<Vec<_>>(), [(1, 1 << 20), (7, 3), (1 << 52, 9)]);
        assert_eq!(StateVector::parse(&vector.encode()), Ok(vector));
        assert_eq!(StateVector::parse(&[0]), Ok(StateVector::default()));
    }

    #[test]
    fn declared_counts_cost_nothing() {
        // 100 and 400 million entries: yrs touches 129 and 513 MiB for these.
        assert!(StateVector::parse(&[0x80, 0xc2, 0xd7, 0x2f]).is_err());
        assert!(StateVector::parse(&[0x80, 0x88, 0xde, 0xbe, 0x01]).is_err());
    }

    #[test]
    fn malformed_vectors_are_refused() {
        for bytes in [&[][..], &[1], &[1, 5], &[0, 0], &[2, 5, 1, 5, 2], &[1, 5, 0xff, 0xff, 0xff, 0xff, 0x0f]] {
            assert!(StateVector::parse(bytes).is_err(), "{bytes:?}");
        }
    }

    #[test]
    fn covering_means_having_everything() {
        let more: StateVector = [(1, 5), (2, 3)].into_iter().collect();
        let less: StateVector = [(1, 5)].into_iter().collect();
        assert!(more.covers(&less) && !less.covers(&more) && less.covers(&StateVector::default()));
        let mut grown = less.clone();
        grown.advance(2, 3);
        grown.advance(1, 4);
        assert_eq!(grown, more);
    }
}
