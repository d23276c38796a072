//! What becomes of leftovers: runs of an earlier server process that nobody will take up.

use std::{collections::HashSet, str::FromStr as _, sync::Arc};

use coderoom_protocol::ids::RunId;

use super::{
    Inner,
    execution::{end_and_remove, open_process},
    run_dir::{RunDir, RunState, start_time},
};

/// Ends and removes every run that is not in `known`; gives how many there were.
pub(super) async fn sweep(inner: &Arc<Inner>, known: &[RunId]) -> usize {
    let known: HashSet<RunId> = known.iter().copied().collect();
    let mut swept = 0;
    for (run, dir) in run_dirs(inner).filter(|(run, _)| !known.contains(run)) {
        let mut state = dir.read_state().unwrap_or(RunState {
            nonce: String::new(),
            uid: None,
            cgroups: None,
            plain_work: None,
            pid: None,
            start_time: None,
        });
        if state.pid.is_none() && dir.is_alive() {
            state.pid = dir.read_pid();
            state.start_time = state.pid.and_then(start_time);
        }
        let process = state.pid.and_then(|pid| open_process(pid, state.start_time));
        end_and_remove(inner, &dir, &state, process.as_ref()).await;
        tracing::info!(run.id = %run, "leftover of a run was removed");
        swept += 1;
    }
    // Groups whose directory is gone.
    for (run, groups) in inner.walls.cgroups.iter().flat_map(super::cgroup::Cgroups::list) {
        if !RunId::from_str(&run).is_ok_and(|run| known.contains(&run)) {
            groups.kill();
            groups.remove_now();
        }
    }
    swept
}

/// Marks the user ids of runs that are still there as used.
pub(super) fn keep_uids(inner: &Inner) {
    let Some(uids) = &inner.uids else { return };
    for (_, dir) in run_dirs(inner) {
        if let Some(uid) = dir.read_state().and_then(|state| state.uid) {
            uids.keep(uid);
        }
    }
}

fn run_dirs(inner: &Inner) -> impl Iterator<Item = (RunId, RunDir)> {
    let entries = std::fs::read_dir(&inner.settings.runs_dir).into_iter().flatten().flatten();
    entries.filter_map(|entry| {
        let run = RunId::from_str(entry.file_name().to_str()?).ok()?;
        Some((run, inner.dir(run)))
    })
}
