//! The local executor: the supervisor in a sandbox on this machine.

use std::{path::PathBuf, time::Duration};

use coderoom_protocol::{
    ids::RunId,
    supervisor::{Ending, Frame},
};

use super::{StartError, StartRequest};

/// Handle to the local executor.
#[derive(Clone, Debug)]
pub struct LocalExecutor {}

impl LocalExecutor {
    pub(super) async fn start(&self, _request: &StartRequest) -> Result<LocalExecution, StartError> {
        todo!()
    }
    pub(super) async fn adopt(&self, _run: RunId) -> Result<Option<LocalExecution>, StartError> {
        todo!()
    }
    pub(super) async fn sweep(&self, _known: &[RunId]) -> usize {
        todo!()
    }
    pub(super) fn level(&self) -> &str {
        todo!()
    }
}

/// A run started here.
#[derive(Debug)]
pub struct LocalExecution {}

impl LocalExecution {
    pub(super) async fn next_frame(&mut self) -> Result<Option<Frame>, StartError> {
        todo!()
    }
    pub(super) async fn stop(&self, _grace: Duration) {
        todo!()
    }
    pub(super) async fn lost_ending(&self) -> Ending {
        todo!()
    }
    pub(super) async fn output_archive(&self) -> Option<PathBuf> {
        todo!()
    }
    pub(super) async fn remove(self) {
        todo!()
    }
}
