//! What an ending becomes when the kernel's counters are known: from inside the box a killed child looks like any failure.

use coderoom_protocol::{run::Reason, supervisor::Ending};

use super::cgroup::Facts;

/// Corrects what the supervisor said.
pub(crate) fn correct(ending: &mut Ending, facts: &Facts) {
    ending.peak_memory_bytes = facts.peak_memory_bytes.or(ending.peak_memory_bytes);
    ending.cpu_ms = facts.cpu_ms.or(ending.cpu_ms);
    let failed = ending.exit_code != Some(0);
    match ending.reason {
        Reason::ExitCode | Reason::Signal | Reason::CommandNotFound | Reason::DiskLimit if failed => {
            if facts.oom_kills > 0 {
                (ending.reason, ending.detail) = (Reason::OutOfMemory, None);
            } else if facts.pids_denied > 0 {
                (ending.reason, ending.detail) = (Reason::PidsLimit, None);
            }
        }
        Reason::TimeLimit if facts.pids_denied > 0 && ending.detail.is_none() => {
            ending.detail = Some("It also reached the limit of processes.".to_owned());
        }
        _ => {}
    }
}

/// What can be said when the supervisor left no ending.
pub(super) fn lost(facts: &Facts, stopped: bool, log_bytes: u64) -> Ending {
    let reason = match facts {
        _ if stopped => Reason::StoppedBy,
        Facts { oom_kills: 1.., .. } => Reason::OutOfMemory,
        Facts { pids_denied: 1.., .. } => Reason::PidsLimit,
        _ => Reason::WorkerLost,
    };
    Ending {
        reason,
        detail: None,
        exit_code: None,
        signal: None,
        peak_memory_bytes: facts.peak_memory_bytes,
        cpu_ms: facts.cpu_ms,
        log_bytes,
        truncated: false,
        output_bytes: 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ending(reason: Reason, exit_code: Option<i32>) -> Ending {
        Ending { reason, exit_code, ..lost(&Facts::default(), false, 0) }
    }

    fn corrected(reason: Reason, exit_code: Option<i32>, oom_kills: u64, pids_denied: u64) -> Reason {
        let mut ending = ending(reason, exit_code);
        correct(&mut ending, &Facts { oom_kills, pids_denied, ..Facts::default() });
        ending.reason
    }

    #[test]
    fn killed_child_makes_a_failed_run_out_of_memory() {
        assert_eq!(corrected(Reason::ExitCode, Some(137), 1, 0), Reason::OutOfMemory);
        assert_eq!(corrected(Reason::Signal, None, 1, 5), Reason::OutOfMemory);
        assert_eq!(corrected(Reason::ExitCode, Some(1), 0, 5), Reason::PidsLimit);
    }

    #[test]
    fn run_that_succeeded_or_was_ended_keeps_its_reason() {
        assert_eq!(corrected(Reason::ExitCode, Some(0), 1, 1), Reason::ExitCode);
        assert_eq!(corrected(Reason::StoppedBy, None, 1, 1), Reason::StoppedBy);
        assert_eq!(corrected(Reason::TimeLimit, None, 1, 1), Reason::TimeLimit);
    }

    #[test]
    fn lost_run_is_explained_by_the_counters() {
        let facts = Facts { oom_kills: 1, ..Facts::default() };
        assert_eq!(lost(&facts, false, 0).reason, Reason::OutOfMemory);
        assert_eq!(lost(&facts, true, 0).reason, Reason::StoppedBy);
        assert_eq!(lost(&Facts::default(), false, 7).log_bytes, 7);
    }
}
