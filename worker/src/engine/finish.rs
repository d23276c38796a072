//! The end of a run: its log is complete in object storage, then its output, then one move of its state, and only then
//! is everything else about it removed. Each step can be done again by whoever adopts the run in between.

use std::{future::Future, time::Duration};

use coderoom_protocol::{
    ids::RunId,
    run::{Reason, RunState},
    supervisor::Ending,
};
use tokio::time::sleep;

use super::{
    Shared,
    drive::{Log, ending_of},
    notes::{Note, Notes},
};
use crate::{
    announce::log_stream,
    executor::{Execution, OutputArchive, StartRequest},
    fault::{Fault, Result},
    log::write::{Closed, LogWriter},
    moves::{self, Outcome},
    snapshot::output_key,
    storage,
};

/// Opens the log of a run, however long the services take; `None` when it never can be.
pub(super) async fn open_log(shared: &Shared, run: RunId) -> Option<Log> {
    patiently(run, "open log", || LogWriter::open(&shared.runs, run)).await
}

/// Ends a run of which nothing is left, or that could not be started.
pub(super) async fn without_execution(shared: &Shared, run: RunId, log: Log, reason: Reason, detail: Option<String>) {
    match close_log(shared, run, log).await {
        Some(closed) => {
            conclude(shared, run, closed, &Note::default(), ending_of(reason, detail), Output::default()).await;
        }
        None => without_log(shared, run, None).await,
    }
}

/// Ends a run whose log cannot be opened or closed, now or later. A run must not stay unfinished because of that: its
/// user could not submit again. If it was deleted, this only removes what is left.
pub(super) async fn without_log(shared: &Shared, run: RunId, execution: Option<Execution>) {
    if let Some(execution) = &execution {
        execution.stop(Duration::ZERO).await;
    }
    let closed = Closed { size: 0, sha256: moves::EMPTY_SHA256.to_owned() };
    let ending = ending_of(Reason::Internal, Some("Its log could not be stored.".into()));
    let over = conclude(shared, run, closed, &Note::default(), ending, Output::default()).await;
    if let Some(execution) = execution.filter(|_| over) {
        execution.remove().await;
    }
}

/// Ends a run whose supervisor said so (or is gone), and removes what is left of it.
pub(super) async fn with_execution(
    shared: &Shared,
    request: &StartRequest,
    execution: Execution,
    log: Log,
    notes: &Notes,
    ending: Ending,
) {
    let run = request.run;
    let (closed, output) = tokio::join!(close_log(shared, run, log), store_output(shared, request, &execution));
    let Some(closed) = closed else { return without_log(shared, run, Some(execution)).await };
    if conclude(shared, run, closed, &notes.now(), ending, output).await {
        execution.remove().await;
    }
}

/// Everything archived; `None` when it never can be: the run was deleted, or stored parts are damaged.
async fn close_log(shared: &Shared, run: RunId, log: Log) -> Option<Closed> {
    match log.close().await {
        Ok(closed) => Some(closed),
        Err(cause) => {
            tracing::warn!(run.id = %run, %cause, "a log was not closed at once; closing what is stored of it");
            patiently(run, "close log", || async { LogWriter::open(&shared.runs, run).await?.close().await }).await
        }
    }
}

/// What became of what a run left in `output/`.
#[derive(Debug, Default)]
struct Output {
    /// Key of the stored archive.
    key: Option<String>,
    /// Its size.
    bytes: u64,
    /// Why there is none though there was something to keep, as sentences for people.
    lost: Option<String>,
}

impl Output {
    fn lost(why: String) -> Self {
        Self { lost: Some(why), ..Self::default() }
    }
}

/// Stores the archive of `output/`, if there is one, it is no larger than it may be, and there is room for it.
async fn store_output(shared: &Shared, request: &StartRequest, execution: &Execution) -> Output {
    match execution.output_archive().await {
        None => Output::default(),
        Some(archive) => keep_output(shared, request, archive).await.unwrap_or_default(),
    }
}

/// `None`: it is gone, or cannot be stored for good.
async fn keep_output(shared: &Shared, request: &StartRequest, archive: OutputArchive) -> Option<Output> {
    let (run, objects) = (request.run, shared.runs.objects());
    let bytes = match &archive {
        OutputArchive::File(archive) => tokio::fs::metadata(archive).await.ok()?.len(),
        OutputArchive::Stored(key) => {
            patiently(run, "look for output", || async { Ok(objects.size(key).await?) }).await??
        }
    };
    let refused = patiently(run, "look for room", || refuse_output(shared, request, bytes)).await?;
    if let Some(why) = refused {
        if let OutputArchive::Stored(key) = &archive {
            patiently(run, "delete output", || async { Ok(objects.delete(key).await?) }).await;
        }
        return Some(Output::lost(why));
    }
    let key = match archive {
        OutputArchive::Stored(key) => key,
        OutputArchive::File(archive) => {
            let key = output_key(run);
            patiently(run, "store output", || async { Ok(objects.put_file(&key, &archive).await.map(|_| ())?) })
                .await?;
            key
        }
    };
    Some(Output { key: Some(key), bytes, lost: None })
}

/// Why an output of so many bytes is not kept; `None`: it is.
async fn refuse_output(shared: &Shared, request: &StartRequest, bytes: u64) -> Result<Option<String>> {
    if bytes > request.limits.output_bytes.saturating_mul(2) {
        tracing::warn!(run.id = %request.run, size = bytes, "an output archive is larger than it may be and is not kept");
        return Ok(Some(format!("Its output of {bytes} bytes is larger than it may be and was not kept.")));
    }
    let most = shared.runs.settings().max_storage_bytes;
    if most == u64::MAX {
        return Ok(None);
    }
    let stored = storage::of_maker(shared.runs.tables(), request.task).await?;
    let fits = stored.checked_add(bytes).is_some_and(|after| after <= most);
    Ok((!fits).then(|| {
        format!(
            "Its output of {bytes} bytes was not kept: all tasks of one maker may have {most} bytes, and these have {stored}. \
             Delete files or tasks first."
        )
    }))
}

/// Moves the state and tells everybody. Whether the run has ended, so that its traces may go.
async fn conclude(shared: &Shared, run: RunId, closed: Closed, note: &Note, ending: Ending, output: Output) -> bool {
    let outcome = Outcome {
        reason: Some(ending.reason),
        detail: ending.detail,
        exit_code: ending.exit_code,
        signal: ending.signal,
        peak_memory_bytes: ending.peak_memory_bytes,
        cpu_ms: ending.cpu_ms,
        log_bytes: closed.size,
        log_sha256: closed.sha256,
        log_truncated: ending.truncated,
        output_key: output.key,
        output_bytes: output.bytes,
        output_lost: output.lost,
        started_at: note.started_at,
        sandbox: note.sandbox.clone(),
    };
    let (runs, owner) = (&shared.runs, shared.settings.owner.as_str());
    let moved = patiently(run, "store end", || moves::finish(runs, run, owner, &outcome)).await;
    let Some(Some(state)) = moved else {
        // Somebody else has it, or it is gone; in the second case nothing of it is kept.
        let gone = matches!(runs.get_inner(run).await, Ok(None));
        if gone {
            remove_live_log(shared, run).await;
        }
        return gone;
    };
    count(state, ending.reason);
    runs.announce_or_log(run).await;
    runs.announce_log_end(run).await;
    runs.announce_line(state).await;
    remove_live_log(shared, run).await;
    true
}

/// Removes the live part of a log that is archived, or that nobody may read any more.
pub(super) async fn remove_live_log(shared: &Shared, run: RunId) {
    if let Err(cause) = shared.runs.bus().remove(&log_stream(run)).await {
        tracing::debug!(run.id = %run, %cause, "the live part of a finished log stays on the bus until it expires");
    }
}

fn count(state: RunState, reason: Reason) {
    let reason = if state == RunState::Stopped { Reason::StoppedBy } else { reason };
    metrics::counter!("coderoom_runs_ended_total", "reason" => reason.as_str()).increment(1);
}

/// Does it again until it succeeds; `None` when trying again cannot help.
async fn patiently<T, F>(run: RunId, step: &str, mut attempt: impl FnMut() -> F) -> Option<T>
where
    F: Future<Output = Result<T>>,
{
    let mut delay = Duration::from_millis(100);
    loop {
        match attempt().await {
            Ok(done) => return Some(done),
            Err(cause @ Fault::Wire(_)) => {
                tracing::info!(run.id = %run, step, %cause, "a run was deleted under way");
                return None;
            }
            Err(cause) if cause.is_permanent() => {
                tracing::error!(run.id = %run, step, %cause, "a step of a run failed for good");
                return None;
            }
            Err(cause) => {
                tracing::warn!(run.id = %run, step, %cause, "a step of a run failed; trying again");
                sleep(delay).await;
                delay = (delay * 2).min(Duration::from_secs(5));
            }
        }
    }
}
