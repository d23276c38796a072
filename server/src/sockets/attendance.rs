//! Who is attached through this node, and whether they still may be: looked up again when their access changes, when their
//! credential or membership ends, and now and then in case an announcement was lost. One task serves all sockets.

use std::{
    collections::{BTreeSet, HashMap},
    sync::{Arc, Mutex, MutexGuard, PoisonError, Weak},
    time::Duration,
};

use coderoom_protocol::{ids::TaskId, role::Role};
use futures_util::future::join_all;
use tokio::{
    sync::broadcast::error::RecvError,
    time::{Instant, MissedTickBehavior, interval, timeout},
};

use super::{control::stop_following_all, socket::Socket};
use crate::{
    app::App,
    people::{AccessChange, Identity, People, Standing},
    rooms::{RoomEvent, SessionId},
};

/// How often it is looked what has ended by the clock.
const TICK: Duration = Duration::from_millis(250);

/// How long a room may take to hear of a change. A socket whose room does not hear of it is closed.
const ROOM_PATIENCE: Duration = Duration::from_millis(500);

/// Sessions of this node. Shared by every socket and by the task that watches.
#[derive(Clone, Debug, Default)]
pub(super) struct Attendance {
    /// Never held over an await.
    present: Arc<Mutex<Present>>,
}

#[derive(Debug, Default)]
struct Present {
    sessions: HashMap<SessionId, Attendant>,
    /// When sessions end by the clock, in milliseconds since the Unix epoch.
    ends: BTreeSet<(i64, SessionId)>,
}

#[derive(Debug)]
struct Attendant {
    socket: Weak<Socket>,
    identity: Identity,
    task: TaskId,
    /// What the room was told last.
    told: (Role, Role),
    until: i64,
}

impl Attendance {
    /// A session was attached, or the same person came with another credential.
    pub(super) fn note(&self, session: SessionId, socket: &Arc<Socket>, identity: &Identity, standing: Standing) {
        let (task, until) = (socket.task, standing.until);
        let told = (standing.role, identity.grant.ceiling());
        let attendant = Attendant { socket: Arc::downgrade(socket), identity: identity.clone(), task, told, until };
        let mut present = self.lock();
        present.ends.insert((until, session));
        if let Some(before) = present.sessions.insert(session, attendant)
            && before.until != until
        {
            present.ends.remove(&(before.until, session));
        }
    }

    /// A session is gone.
    pub(super) fn forget(&self, session: SessionId) {
        let mut present = self.lock();
        if let Some(attendant) = present.sessions.remove(&session) {
            present.ends.remove(&(attendant.until, session));
        }
    }

    /// Watches until the server drains.
    pub(super) async fn watch(self, app: App) {
        let mut changes = app.people.access_changes();
        let mut tick = interval(TICK);
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut looked = Instant::now();
        loop {
            let asked = tokio::select! {
                () = app.draining.cancelled() => return,
                change = changes.recv() => match change {
                    Ok(change) => self.concerned(change),
                    Err(RecvError::Lagged(_)) => self.concerned(AccessChange { user: None, task: None }),
                    Err(RecvError::Closed) => return,
                },
                _ = tick.tick() => {
                    if looked.elapsed() >= app.settings.people.recheck {
                        looked = Instant::now();
                        self.concerned(AccessChange { user: None, task: None })
                    } else {
                        self.ended(app.clock.now_ms())
                    }
                }
            };
            self.look_up(&app.people, asked).await;
        }
    }

    fn concerned(&self, change: AccessChange) -> Vec<(SessionId, Identity, TaskId)> {
        let is_concerned = |attendant: &Attendant| {
            change.user.is_none_or(|user| user == attendant.identity.user)
                && change.task.is_none_or(|task| task == attendant.task)
        };
        let present = self.lock();
        let concerned = present.sessions.iter().filter(|(_, attendant)| is_concerned(attendant));
        concerned.map(|(session, attendant)| (*session, attendant.identity.clone(), attendant.task)).collect()
    }

    /// Those whose time is over, as the clock says.
    fn ended(&self, now: i64) -> Vec<(SessionId, Identity, TaskId)> {
        let present = self.lock();
        let ended = present.ends.iter().take_while(|(until, _)| *until <= now);
        ended
            .filter_map(|(_, session)| {
                let attendant = present.sessions.get(session)?;
                Some((*session, attendant.identity.clone(), attendant.task))
            })
            .collect()
    }

    async fn look_up(&self, people: &People, asked: Vec<(SessionId, Identity, TaskId)>) {
        if asked.is_empty() {
            return;
        }
        // Several sessions of one person in one task with one credential are one question.
        let mut questions: Vec<(Identity, TaskId)> = Vec::new();
        let mut numbers: HashMap<_, usize> = HashMap::new();
        let mut answers = Vec::with_capacity(asked.len());
        for (session, identity, task) in asked {
            let key = (identity.user, identity.grant.credential.clone(), identity.grant.until, task);
            let number = *numbers.entry(key).or_insert_with(|| {
                questions.push((identity, task));
                questions.len() - 1
            });
            answers.push((session, number));
        }
        let standings = match people.standings(&questions).await {
            Ok(standings) => standings,
            // Said in the log already. The next look comes soon; until then everybody stays what they are.
            Err(_) => return,
        };
        // Side by side: a room that is jammed must not hold up what others are told.
        let told =
            answers.into_iter().map(|(session, number)| self.tell(session, standings.get(number).copied().flatten()));
        join_all(told).await;
    }

    /// Tells the room what a session may do now, when that is something else than before.
    async fn tell(&self, session: SessionId, standing: Option<Standing>) {
        let (socket, ceiling) = {
            let mut present = self.lock();
            let Some(attendant) = present.sessions.get_mut(&session) else { return };
            let socket = attendant.socket.upgrade();
            let ceiling = attendant.identity.grant.ceiling();
            let (before, told) = (attendant.until, attendant.told);
            if let Some(standing) = standing {
                attendant.until = standing.until;
                attendant.told = (standing.role, ceiling);
                if before != standing.until {
                    present.ends.remove(&(before, session));
                    present.ends.insert((standing.until, session));
                }
                if told == (standing.role, ceiling) {
                    return;
                }
            } else {
                present.sessions.remove(&session);
                present.ends.remove(&(before, session));
            }
            (socket, ceiling)
        };
        let Some(socket) = socket else { return self.forget(session) };
        if standing.is_none() {
            stop_following_all(&socket, session);
            metrics::counter!("coderoom_sessions_revoked_total").increment(1);
        }
        let role = standing.map(|standing| (standing.role, ceiling));
        let event = RoomEvent::Standing { session, role };
        // Never longer than so: the next look waits for this one, so that each session is told in order.
        if timeout(ROOM_PATIENCE, socket.tell_room(event)).await.is_err() {
            socket.outbox.close(1013, "the room is busy; try again later");
        }
    }

    fn lock(&self) -> MutexGuard<'_, Present> {
        self.present.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
