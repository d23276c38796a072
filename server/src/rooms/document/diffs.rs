//! What clients lack, encoded once for however many lack the same.

use bytes::Bytes;
use coderoom_protocol::gate::StateVector;

use super::Live;
use crate::rooms::{
    event::Framing,
    replica::{Deleted, ReplicaError},
    say::{self, Step},
};

/// Different vectors whose answers are kept until the next edit: joiners with nothing, and a crowd that comes back.
const CACHED_DIFFS: usize = 2;
/// Answers that many joiners share, void after the next edit.
#[derive(Default)]
pub(super) struct Cache {
    diffs: Vec<Diff>,
    pub(super) deleted: Option<Deleted>,
}

/// What somebody with this vector lacks.
struct Diff {
    known: StateVector,
    state: Bytes,
    /// The same as frames, for whom it was needed last: mostly all joiners of a document use the same framing.
    frames: Option<(Framing, Step, Bytes)>,
}

impl Live {
    /// What somebody with this vector lacks.
    pub(super) fn diff(&mut self, known: &StateVector) -> Result<Bytes, ReplicaError> {
        Ok(self.cached_diff(known)?.state.clone())
    }

    /// The same as frames, in pieces of about `piece_bytes`.
    pub(super) fn diff_frames(
        &mut self,
        known: &StateVector,
        framing: &Framing,
        step: Step,
        piece_bytes: usize,
    ) -> Result<Bytes, ReplicaError> {
        let diff = self.cached_diff(known)?;
        if let Some((for_framing, for_step, frames)) = &diff.frames
            && for_framing == framing
            && *for_step == step
        {
            return Ok(frames.clone());
        }
        let frames = say::large_sync(framing, step, &diff.state, piece_bytes);
        diff.frames = Some((framing.clone(), step, frames.clone()));
        Ok(frames)
    }

    fn cached_diff(&mut self, known: &StateVector) -> Result<&mut Diff, ReplicaError> {
        let diffs = &mut self.cache.diffs;
        let at = match diffs.iter().position(|diff| diff.known == *known) {
            Some(at) => at,
            None => {
                let replica = self.replica.as_ref().ok_or(ReplicaError::Panicked)?;
                metrics::counter!("coderoom_documents_encoded_total").increment(1);
                let state = Bytes::from(replica.diff_v1(known)?);
                if diffs.len() >= CACHED_DIFFS {
                    diffs.remove(0);
                }
                diffs.push(Diff { known: known.clone(), state, frames: None });
                diffs.len() - 1
            }
        };
        Ok(&mut diffs[at])
    }

    pub(super) fn forget_cache(&mut self) {
        self.cache = Cache::default();
    }
}
