//! What a credential lets its bearer do: never more than its user may, often less.

use std::sync::Arc;

use coderoom_protocol::{ids::TaskId, people::Scope, role::Role};

/// What somebody wants to do in a task.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Right {
    /// Read files, runs and logs.
    Read,
    /// Change files.
    Edit,
    /// Submit, stop and repeat runs.
    Run,
    /// Change the task itself, share it, delete it.
    Own,
}

impl Right {
    /// The least role that has it.
    #[must_use]
    pub fn role(self) -> Role {
        match self {
            Self::Read => Role::Viewer,
            Self::Edit | Self::Run => Role::Editor,
            Self::Own => Role::Owner,
        }
    }

    /// The scope of a token that has it.
    #[must_use]
    pub fn scope(self) -> Scope {
        match self {
            Self::Read => Scope::Read,
            Self::Edit => Scope::Edit,
            Self::Run => Scope::Run,
            Self::Own => Scope::Admin,
        }
    }
}

/// Which credential it is, so that it can be looked up again.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Credential {
    /// A browser session, by its id.
    Session(Arc<str>),
    /// An API token, by its id.
    Token(Arc<str>),
    /// Something that no table has: the administrator's token of the settings, or a signed token of another issuer. It
    /// ends by its time alone.
    Outside,
}

/// What a credential lets its bearer do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Grant {
    /// One bit for each [`Scope`].
    scopes: u8,
    /// The only tasks it is good for; `None`: all.
    tasks: Option<Arc<[TaskId]>>,
    /// It stands for nobody from then on, in milliseconds since the Unix epoch.
    pub until: i64,
    /// Which one it is.
    pub credential: Credential,
}

/// The scopes as they are stored when nothing else is said.
const EVERY_SCOPE: u8 = 0b1111;

fn bit(scope: Scope) -> u8 {
    1 << scope as u8
}

impl Grant {
    /// Everything its user may, until a time.
    #[must_use]
    pub fn whole(credential: Credential, until: i64) -> Self {
        Self { scopes: EVERY_SCOPE, tasks: None, until, credential }
    }

    /// From the columns of a token: words and ids separated by spaces; `None`: all. A word that nobody knows allows nothing.
    pub(super) fn stored(scopes: Option<&str>, tasks: Option<&str>, until: i64, credential: Credential) -> Self {
        let known = |word: &str| Scope::ALL.into_iter().find(|scope| scope.as_str() == word).map_or(0, bit);
        let scopes = scopes.map_or(EVERY_SCOPE, |words| words.split(' ').map(known).fold(0, |all, one| all | one));
        let tasks = tasks.map(|ids| ids.split(' ').filter_map(|id| id.parse().ok()).collect());
        Self { scopes, tasks, until, credential }
    }

    /// Whether it has a scope. Every scope includes reading; `admin` includes all.
    #[must_use]
    pub fn allows(&self, scope: Scope) -> bool {
        self.scopes & (bit(scope) | bit(Scope::Admin)) != 0 || (scope == Scope::Read && self.scopes != 0)
    }

    /// Whether it is good for this task.
    #[must_use]
    pub fn covers(&self, task: TaskId) -> bool {
        self.tasks.as_ref().is_none_or(|tasks| tasks.contains(&task))
    }

    /// The only tasks it is good for.
    #[must_use]
    pub fn tasks(&self) -> Option<&[TaskId]> {
        self.tasks.as_deref()
    }

    /// Whether it stands for its user in everything, not only in tasks.
    #[must_use]
    pub fn is_whole(&self) -> bool {
        self.allows(Scope::Admin) && self.tasks.is_none()
    }

    /// The largest role it gives in a document.
    #[must_use]
    pub fn ceiling(&self) -> Role {
        if self.allows(Scope::Admin) {
            Role::Owner
        } else if self.allows(Scope::Edit) {
            Role::Editor
        } else {
            Role::Viewer
        }
    }

    /// Its scopes, for people.
    #[must_use]
    pub fn words(&self) -> String {
        let words: Vec<_> =
            Scope::ALL.into_iter().filter(|scope| self.scopes & bit(*scope) != 0).map(Scope::as_str).collect();
        words.join(" ")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn grant(scopes: Option<&str>) -> Grant {
        Grant::stored(scopes, None, i64::MAX, Credential::Outside)
    }

    #[test]
    fn every_scope_reads_and_admin_has_all() {
        let read = grant(Some("read"));
        assert!(read.allows(Scope::Read) && !read.allows(Scope::Edit) && !read.allows(Scope::Run));
        let run = grant(Some("run"));
        assert!(run.allows(Scope::Read) && run.allows(Scope::Run) && !run.allows(Scope::Edit));
        assert_eq!((run.ceiling(), grant(Some("edit")).ceiling()), (Role::Viewer, Role::Editor));
        for all in [grant(Some("admin")), grant(None)] {
            assert!(Scope::ALL.into_iter().all(|scope| all.allows(scope)) && all.is_whole());
        }
        let unknown = grant(Some("fly"));
        assert!(Scope::ALL.into_iter().all(|scope| !unknown.allows(scope)), "an unknown word allows nothing");
    }

    #[test]
    fn token_for_named_tasks_is_good_for_these_alone() {
        let (ours, other) = (TaskId::new(), TaskId::new());
        let named = Grant::stored(None, Some(&ours.to_string()), i64::MAX, Credential::Outside);
        assert!(named.covers(ours) && !named.covers(other) && !named.is_whole());
    }
}
