//! What the bus says about the task, told to the room's members; and what is read from the tables when it may have said
//! something that nobody here heard.

use std::{collections::HashSet, time::Duration};

use coderoom_backing::{
    tables::{Tables, TablesError},
    values,
};
use coderoom_protocol::{
    control::ServerMessage,
    ids::{TaskId, UserId},
    role::Role,
    run::Run,
    tree::TreeChange,
};
use coderoom_worker::announce::TaskEvent;

use super::Room;
use crate::rooms::{
    mailbox::{FilesLeft, Letter},
    say::{self, Farewell},
};

/// Runs whose newest state a room remembers: more than can be unfinished in one task, or have just ended.
const KNOWN_RUNS: usize = 256;

/// A reading of a role that takes longer is taken for lost.
const READING_PATIENCE: Duration = Duration::from_secs(5);

impl Room {
    pub(super) fn announced(&mut self, message: &[u8]) {
        let event = match serde_json::from_slice(message) {
            Ok(event) => event,
            Err(error) => {
                tracing::warn!(error = %error, task.id = %self.around.task, "an announcement was not understood");
                return;
            }
        };
        match event {
            TaskEvent::Run { run } => self.tell_run(run),
            TaskEvent::Tree { revision, changes, by } => {
                let deleted: Vec<_> = changes
                    .iter()
                    .filter_map(|change| if let TreeChange::Deleted { file, .. } = change { Some(*file) } else { None })
                    .collect();
                self.tell(&ServerMessage::Tree { revision, changes, by });
                self.tree_changed();
                for file in deleted {
                    self.end_document(file, Farewell::Deleted);
                }
            }
            TaskEvent::Task {} => {}
            TaskEvent::Members { user } => self.read_role(user),
            TaskEvent::Deleted {} => self.task_deleted(),
        }
    }

    fn tell(&self, message: &ServerMessage) {
        if !self.members.is_empty() {
            self.members.push_control(&say::json(message));
        }
    }

    /// Tells where a run stands, unless members know better: processes announce what they have read, and of two that announce
    /// at once the one that read first may come last.
    fn tell_run(&mut self, run: Box<Run>) {
        let state = u8::from(run.state);
        let known = self.runs.entry(run.id).or_insert(state);
        if *known > state {
            metrics::counter!("coderoom_stale_runs_dropped_total").increment(1);
            return;
        }
        *known = state;
        if self.runs.len() > KNOWN_RUNS {
            // Ids are in the order of time: the oldest has ended long ago.
            self.runs.pop_first();
        }
        self.tell(&ServerMessage::Run { run });
    }

    fn task_deleted(&mut self) {
        self.is_deleted = true;
        self.tell(&ServerMessage::TaskDeleted { task: self.around.task });
        let files: Vec<_> = self.documents.keys().copied().collect();
        for file in files {
            // Sockets close as a whole below; documents still answer what is in flight.
            self.end_document(file, Farewell::Deleted);
        }
        let members = std::mem::take(&mut self.members);
        for member in members.iter() {
            self.places.remove(&member.session.id);
            member.session.outbox.close(4404, "the task was deleted");
        }
        self.note_emptiness();
    }

    fn read_role(&mut self, user: UserId) {
        let is_here =
            self.members.has_user(user) || self.documents.values().any(|document| document.members.has_user(user));
        if !is_here {
            return;
        }
        // One reading at a time: the last one must begin after the last change, and its answer must come last.
        let now = self.around.now;
        if let Some((began, again)) = self.reading.get_mut(&user)
            && now.duration_since(*began) < READING_PATIENCE
        {
            *again = true;
            return;
        }
        self.reading.insert(user, (now, false));
        let (task, mailbox) = (self.around.task, self.around.mailbox.clone());
        let reading = (self.around.shared.ask.read_role)(task, user);
        self.around.shared.tracker.spawn(async move {
            match reading.await {
                Ok(role) => mailbox.post(Letter::Role(user, role)),
                Err(error) => tracing::error!(error = %error, task.id = %task, "a changed role could not be read"),
            }
        });
    }

    /// A role was read.
    pub(super) fn role_read(&mut self, user: UserId, role: Option<Role>) {
        match self.reading.remove(&user) {
            Some((_, true)) => self.read_role(user),
            _ => self.role_changed(user, role),
        }
    }

    /// Announcements may have been missed: reads what they would have said.
    pub(super) fn lost(&mut self) {
        let everybody = self.members.iter().chain(self.documents.values().flat_map(|document| document.members.iter()));
        let users: HashSet<UserId> = everybody.map(|member| member.session.user.id).collect();
        for user in users {
            self.read_role(user);
        }
        let (shared, task, mailbox) = (self.around.shared.clone(), self.around.task, self.around.mailbox.clone());
        let (runs, runs_mailbox) = ((shared.ask.read_runs)(task), mailbox.clone());
        self.around.shared.tracker.spawn(async move {
            match runs.await {
                Ok(runs) => runs_mailbox.post(Letter::Runs(runs)),
                Err(error) => tracing::error!(error = %error, task.id = %task, "runs could not be read again"),
            }
        });
        self.around.shared.tracker.spawn(async move {
            match files_left(&shared.tables, task).await {
                Ok(left) => mailbox.post(Letter::FilesLeft(left.map(Box::new))),
                Err(error) => tracing::error!(error = %error, task.id = %task, "a tree could not be read again"),
            }
        });
    }

    /// The newest runs as they are, oldest first, as if each had just changed.
    pub(super) fn runs_read(&mut self, runs: Vec<Run>) {
        for run in runs.into_iter().rev() {
            self.tell_run(Box::new(run));
        }
    }

    /// The tree as it is. Members are told a revision twice: whatever they had, the second is not the one they expect next,
    /// so they ask for the tree.
    pub(super) fn files_left(&mut self, left: Option<FilesLeft>) {
        self.tree_changed();
        let Some(FilesLeft { revision, files }) = left else { return self.task_deleted() };
        let gone: Vec<_> = self.documents.keys().filter(|file| !files.contains_key(file)).copied().collect();
        for file in gone {
            self.end_document(file, Farewell::Deleted);
        }
        for (file, seq) in files {
            self.with(file, |document, around| document.heard_of(around, seq));
        }
        for _ in 0..2 {
            self.tell(&ServerMessage::Tree { revision, changes: Vec::new(), by: String::new() });
        }
    }
}

async fn files_left(tables: &Tables, task: TaskId) -> Result<Option<FilesLeft>, TablesError> {
    let mut tx = tables.begin_read().await?;
    let row = tx.query_opt("SELECT revision FROM tasks WHERE id = $1", values![task.to_string()]).await?;
    let Some(row) = row else { return Ok(None) };
    let files =
        tx.query("SELECT id, seq FROM files WHERE task_id = $1 AND kind = 'text'", values![task.to_string()]).await?;
    let files = files.iter().map(|row| Ok((row.parse(0)?, row.uint(1)?))).collect::<Result<_, TablesError>>()?;
    Ok(Some(FilesLeft { revision: row.uint(0)?, files }))
}
