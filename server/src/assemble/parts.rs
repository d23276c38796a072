//! What each part needs to know, out of all settings. Parts have settings of their own and never see the others'.

use std::{path::PathBuf, sync::Arc, time::Duration};

use anyhow::Context as _;
use coderoom_backing::{bus::Bus, clock::Clock, queue::QueueLimits, tables::Tables};
use coderoom_protocol::control::Limits;
use coderoom_worker::{executor::RunLimits, limits::RunSettings, runs::Runs};

use futures_util::future::BoxFuture;

use crate::{
    config::{Settings, topics::BusKind, value::Secret},
    people::{People, PeopleSettings, Quota, load_providers},
    rooms::{Ask, RoomSettings, Rooms},
    sockets::SocketSettings,
    tasks::TaskSettings,
};

pub(super) fn people_settings(settings: &Settings) -> anyhow::Result<PeopleSettings> {
    let limits = &settings.limits;
    Ok(PeopleSettings {
        providers: settings.people.oidc_file.as_deref().map(load_providers).transpose()?.unwrap_or_default(),
        quota: Quota {
            tasks: limits.max_tasks_per_user,
            storage_bytes: limits.max_storage_per_user.0,
            log_bytes_per_day: limits.max_logs_per_user.0,
        },
        requests: Some((limits.requests_per_address, limits.requests_per_user)),
        people: settings.people.clone(),
        trusted_origins: settings.server.trusted_origins.iter().chain(&settings.server.public_url).cloned().collect(),
        admin_token: settings.deployment.admin_token.clone().map(|Secret(token)| token),
        secure_cookies: settings.people.secure_cookies
            || settings.server.tls_certificate.is_some()
            || settings.server.public_url.as_ref().is_some_and(|url| url.starts_with("https://")),
    })
}

pub(super) fn socket_settings(settings: &Settings) -> SocketSettings {
    SocketSettings {
        max_frame_bytes: settings.sockets.max_frame_size.as_usize(),
        max_per_user: settings.sockets.max_per_user,
        max_per_address: settings.sockets.max_per_address,
        max_frames_per_second: settings.sockets.frames_per_second,
        max_bytes_per_second: settings.sockets.bytes_per_second.as_usize(),
        outbox_bytes: settings.sockets.outbox_size.as_usize(),
        outbox_hard_bytes: settings.sockets.outbox_hard_size.as_usize(),
        ..SocketSettings::default()
    }
}

pub(super) fn run_settings(settings: &Settings, scratch: PathBuf) -> RunSettings {
    let runs = &settings.runs;
    RunSettings {
        max_unfinished_per_user: runs.max_unfinished_per_user,
        max_running_per_user: runs.max_running_per_user,
        max_running_runs: runs.max_running,
        max_wait_ms: ms(runs.max_wait),
        max_storage_bytes: settings.limits.max_storage_per_user.0,
        limits: RunLimits {
            wall_ms: ms(runs.max_time),
            memory_bytes: runs.memory.0,
            disk_bytes: runs.disk.0,
            pids: runs.max_processes,
            cpu_millis: runs.cpu_millis,
            log_bytes: runs.max_log_size.0,
            output_bytes: runs.max_output_size.0,
            grace_ms: ms(runs.grace),
        },
        ..RunSettings::new(scratch)
    }
}

/// What a doorbell may go through. It lives as long as its run may wait: with less the run would end before its time.
pub(super) fn queue_limits(settings: &Settings) -> QueueLimits {
    QueueLimits { message_ttl: settings.runs.max_wait, ..QueueLimits::default() }
}

/// Within this time a stored blob is named by a file, and what a task has is frozen for a run, however slow the store is.
const LEAST_KEPT: Duration = Duration::from_secs(10 * 60);

pub(super) fn task_settings(settings: &Settings) -> TaskSettings {
    TaskSettings {
        max_text_bytes: settings.limits.max_text_size.0,
        max_task_bytes: settings.limits.max_task_size.0,
        max_files: settings.limits.max_files,
        max_storage_per_maker: settings.limits.max_storage_per_user.0,
        blob_age_ms: i64::try_from(ms(settings.limits.keep_deleted.max(LEAST_KEPT))).unwrap_or(i64::MAX / 2),
        ..TaskSettings::new(settings.deployment.data.join("uploads"))
    }
}

/// The directory for temporary files, made where it is missing.
pub(super) async fn make_scratch(settings: &Settings) -> anyhow::Result<PathBuf> {
    let scratch = settings.deployment.data.join("scratch");
    tokio::fs::create_dir_all(&scratch).await.with_context(|| format!("make {}", scratch.display()))?;
    Ok(scratch)
}

/// Runs that a room reads again when it may have missed what happened to them.
const RUNS_READ_AGAIN: u32 = 20;

/// The rooms of this node. They ask the people when somebody's role may have changed, and the runs when they may have
/// missed something.
pub(super) fn rooms(
    settings: &Settings,
    tables: &Tables,
    bus: &Bus,
    clock: &Clock,
    people: &People,
    runs: &Runs,
) -> Rooms {
    let room_settings = RoomSettings {
        other_nodes: !matches!(settings.deployment.bus, BusKind::Local),
        max_text_bytes: settings.limits.max_text_size.0,
        max_task_bytes: settings.limits.max_task_size.0,
        idle_room_ms: ms(settings.rooms.idle_room),
        idle_document_ms: ms(settings.rooms.idle_document),
        max_backlog_bytes: settings.rooms.max_backlog_size.as_usize(),
        compact_after_edits: settings.rooms.compact_after_edits,
        keep_history: settings.rooms.keep_history,
        gather_ms: ms(settings.rooms.gather),
        ..RoomSettings::default()
    };
    let people = people.clone();
    let read_role = Arc::new(move |task, user| -> BoxFuture<'static, _> {
        let people = people.clone();
        Box::pin(async move { people.read_role(task, user).await })
    });
    let runs = runs.clone();
    let read_runs = Arc::new(move |task| -> BoxFuture<'static, _> {
        let runs = runs.clone();
        Box::pin(async move { runs.newest(task, RUNS_READ_AGAIN).await })
    });
    let ask = Ask { read_role, read_runs };
    Rooms::new(tables.clone(), bus.clone(), clock.clone(), room_settings, ask)
}

/// What clients are told about sizes.
pub(super) fn limits(settings: &Settings) -> Limits {
    Limits {
        max_text_bytes: settings.limits.max_text_size.0,
        max_task_bytes: settings.limits.max_task_size.0,
        max_files: settings.limits.max_files,
        max_frame_bytes: settings.sockets.max_frame_size.0,
        max_log_bytes: settings.runs.max_log_size.0,
        max_run_ms: ms(settings.runs.max_time),
    }
}

fn ms(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn doorbell_lives_as_long_as_its_run_may_wait() {
        let mut settings = Settings::default();
        settings.runs.max_wait = Duration::from_secs(5 * 3600);
        let waits = run_settings(&settings, PathBuf::new()).max_wait_ms;
        assert_eq!((ms(queue_limits(&settings).message_ttl), waits), (5 * 3_600_000, 5 * 3_600_000));
    }
}
