//! People and programs: who somebody is, and what they may do in a task.

use coderoom_protocol::{
    control::UserSummary,
    ids::{TaskId, UserId},
    problem::WireError,
    role::Role,
};

/// Who sent a request. Made only by [`People`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    /// The user.
    pub user: UserId,
    /// The name shown to others.
    pub name: String,
    /// May administer the server (and has the role owner in every task).
    pub is_admin: bool,
}

impl Identity {
    /// Id and name, as clients see them.
    #[must_use]
    pub fn summary(&self) -> UserSummary {
        UserSummary { id: self.user, name: self.name.clone() }
    }
}

/// A cheap handle to users, sessions, tokens and memberships.
#[derive(Clone, Debug)]
pub struct People {}

impl People {
    /// The identity behind an API token or one that a browser page handed on; `None` when it is unknown or expired.
    pub async fn by_token(&self, _token: &str) -> Result<Option<Identity>, WireError> {
        todo!()
    }

    /// The identity behind the headers of a request: `Authorization: Bearer`, else the session cookie; `None` when there is neither.
    /// A cookie counts only when the Origin, if sent, is the server's own or a trusted one (else `origin_refused`).
    pub async fn by_headers(&self, _headers: &axum::http::HeaderMap) -> Result<Option<Identity>, WireError> {
        todo!()
    }

    /// What somebody may do in a task; `None` for strangers and for tasks that do not exist (they look the same).
    pub async fn role_in(&self, _identity: &Identity, _task: TaskId) -> Result<Option<Role>, WireError> {
        todo!()
    }
}
