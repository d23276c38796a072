//! Users, tokens and members as the HTTP interface shows them. What carries a password or a secret has no `Debug`,
//! so that it cannot get into a log line.

mod sharing;

use serde::{Deserialize, Serialize};

use crate::ids::{TaskId, UserId};

pub use self::sharing::{
    CreatedShareLink, Invitation, LinkCode, MemberLine, MemberList, NewShareLink, RoleChange, ShareLinkLine,
    ShareLinkList, Transfer,
};

/// Name and password.
#[derive(Clone, Serialize, Deserialize, ts_rs::TS, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SignIn {
    /// The user's name, in any letter case.
    pub name: String,
    /// The password.
    pub password: String,
}

/// The code of a one-time link.
#[derive(Clone, Serialize, Deserialize, ts_rs::TS, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SignInByCode {
    /// What the link has after `code=`.
    pub code: String,
}

/// Whom the server takes the client for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ts_rs::TS, utoipa::ToSchema)]
pub struct Me {
    /// The user.
    pub id: UserId,
    /// The name shown to others.
    pub name: String,
    /// Whether the user may administer the server.
    pub is_admin: bool,
}

/// A new password.
#[derive(Clone, Serialize, Deserialize, ts_rs::TS, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PasswordChange {
    /// The password so far; not needed by somebody who has none yet.
    #[serde(default)]
    #[ts(optional)]
    pub current: Option<String>,
    /// The new one.
    pub new: String,
}

/// What an API token lets its bearer do; never more than its user may.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, ts_rs::TS, utoipa::ToSchema,
)]
#[serde(rename_all = "lowercase")]
pub enum Scope {
    /// Read files, runs and logs, and be seen in rooms. Every scope has it.
    Read,
    /// Also change files, and make tasks (unless the token is for named tasks).
    Edit,
    /// Also submit, stop and repeat runs.
    Run,
    /// Everything its user may: share and delete tasks, the account itself, and for administrators the server.
    Admin,
}

impl Scope {
    /// Every scope.
    pub const ALL: [Self; 4] = [Self::Read, Self::Edit, Self::Run, Self::Admin];

    /// The word used in tables and JSON.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Edit => "edit",
            Self::Run => "run",
            Self::Admin => "admin",
        }
    }
}

/// An API token without its secret.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ts_rs::TS, utoipa::ToSchema)]
pub struct TokenLine {
    /// For deleting it.
    pub id: String,
    /// What its owner calls it.
    pub name: String,
    /// Milliseconds since the Unix epoch when it was made.
    #[ts(type = "number")]
    pub created_at: i64,
    /// The same for when it stops working; absent: never.
    #[ts(type = "number | null")]
    pub expires_at: Option<i64>,
    /// The same for its last use, within a minute.
    #[ts(type = "number | null")]
    pub last_used_at: Option<i64>,
    /// What its bearer may do.
    pub scopes: Vec<Scope>,
    /// The only tasks it is good for; absent: all of its user's.
    pub tasks: Option<Vec<TaskId>>,
}

/// A user's tokens, newest first.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ts_rs::TS, utoipa::ToSchema)]
pub struct TokenList {
    /// The tokens.
    pub tokens: Vec<TokenLine>,
}

/// What makes a token.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ts_rs::TS, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewToken {
    /// What its owner will call it: 1 to 100 characters.
    pub name: String,
    /// Days until it stops working; absent: it does not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[ts(optional)]
    pub expires_days: Option<u32>,
    /// The same to the millisecond since the Unix epoch; goes before the days.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[ts(optional, type = "number")]
    pub expires_at: Option<i64>,
    /// What its bearer may do; absent: everything its user may.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[ts(optional)]
    pub scopes: Option<Vec<Scope>>,
    /// The only tasks it is good for, at most 50; absent: all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[ts(optional)]
    pub tasks: Option<Vec<TaskId>>,
    /// For whom, by name or id; only administrators make tokens for others.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[ts(optional)]
    pub user: Option<String>,
}

/// A token that was just made.
#[derive(Clone, Serialize, Deserialize, ts_rs::TS, utoipa::ToSchema)]
pub struct CreatedToken {
    /// The secret: `crt_` and 43 characters. It cannot be had again.
    pub token: String,
    /// What is stored of it.
    pub about: TokenLine,
}

/// A user, as administrators see it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ts_rs::TS, utoipa::ToSchema)]
pub struct UserLine {
    /// The user.
    pub id: UserId,
    /// The name shown to others.
    pub name: String,
    /// Whether the user may administer the server.
    pub is_admin: bool,
    /// Whether the user has a password.
    pub has_password: bool,
    /// Milliseconds since the Unix epoch when it was made.
    #[ts(type = "number")]
    pub created_at: i64,
    /// The same for when it was suspended; absent: it may sign in.
    #[ts(type = "number | null")]
    pub suspended_at: Option<i64>,
}

/// One page of users, ordered by name.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ts_rs::TS, utoipa::ToSchema)]
pub struct UserPage {
    /// The users.
    pub users: Vec<UserLine>,
    /// Asks for the page after this one as `after`; absent on the last page.
    pub next: Option<String>,
}

/// What makes a user.
#[derive(Clone, Serialize, Deserialize, ts_rs::TS, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewUser {
    /// Its name: 1 to 64 characters without `/ \ ? # %`.
    pub name: String,
    /// Its password; without one it signs in by link or token.
    #[serde(default)]
    #[ts(optional)]
    pub password: Option<String>,
    /// Whether it may administer the server.
    #[serde(default)]
    #[ts(optional, as = "Option<bool>")]
    pub is_admin: bool,
}

/// A link that signs somebody in once.
#[derive(Clone, Serialize, Deserialize, ts_rs::TS, utoipa::ToSchema)]
pub struct SignInLink {
    /// The whole address.
    pub url: String,
    /// Milliseconds since the Unix epoch when it stops working.
    #[ts(type = "number")]
    pub expires_at: i64,
}

/// A browser session of the caller.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ts_rs::TS, utoipa::ToSchema)]
pub struct SessionLine {
    /// For ending it.
    pub id: String,
    /// Milliseconds since the Unix epoch when it began.
    #[ts(type = "number")]
    pub created_at: i64,
    /// The same for its last use, within a minute.
    #[ts(type = "number")]
    pub seen_at: i64,
    /// The same for when it ends at the latest.
    #[ts(type = "number")]
    pub expires_at: i64,
    /// What the browser called itself.
    pub agent: String,
    /// The address it signed in from.
    pub address: String,
    /// Whether it is the one that asks.
    pub current: bool,
}

/// The caller's sessions, the last used first.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ts_rs::TS, utoipa::ToSchema)]
pub struct SessionList {
    /// The sessions.
    pub sessions: Vec<SessionLine>,
}

/// What a user has and had.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ts_rs::TS, utoipa::ToSchema)]
pub struct UserUsage {
    /// Tasks they made.
    #[ts(type = "number")]
    pub tasks: u64,
    /// Bytes of all files in them, of deleted ones that are not removed yet, and of what their runs left in `output/`.
    #[ts(type = "number")]
    pub storage_bytes: u64,
    /// Runs that wait or run.
    #[ts(type = "number")]
    pub unfinished_runs: u64,
    /// All runs.
    #[ts(type = "number")]
    pub runs: u64,
    /// Bytes of logs of the runs submitted within the last day.
    #[ts(type = "number")]
    pub log_bytes_today: u64,
    /// API tokens.
    #[ts(type = "number")]
    pub tokens: u64,
    /// Browser sessions.
    #[ts(type = "number")]
    pub sessions: u64,
}

/// One line of the audit log.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ts_rs::TS, utoipa::ToSchema)]
pub struct AuditLine {
    /// Its id: in the order of time.
    pub id: String,
    /// Milliseconds since the Unix epoch when it was done.
    #[ts(type = "number")]
    pub at: i64,
    /// Who did it.
    pub user: Option<UserId>,
    /// What they were called then.
    pub user_name: String,
    /// Where from, for what has to do with signing in.
    pub address: String,
    /// What: `sign_in`, `share`, `unshare`, `create_link`, `delete_link`, `transfer`, `delete_task`, `submit`, `stop`,
    /// `create_token`, `delete_token`, `admin`.
    pub action: String,
    /// To which task.
    pub task: Option<TaskId>,
    /// What else there is to say.
    pub detail: String,
}

/// A page of the audit log, newest first.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ts_rs::TS, utoipa::ToSchema)]
pub struct AuditPage {
    /// The lines.
    pub lines: Vec<AuditLine>,
    /// Asks for the page after this one as `before`; absent on the last page.
    pub next: Option<String>,
}

/// Another provider that one can sign in with.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ts_rs::TS, utoipa::ToSchema)]
pub struct SignInProvider {
    /// Its name in addresses: `/api/v1/sign-in/with/{name}` sends a browser there.
    pub name: String,
    /// What people read.
    pub title: String,
}

/// All of them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ts_rs::TS, utoipa::ToSchema)]
pub struct SignInProviders {
    /// In the order of the settings.
    pub providers: Vec<SignInProvider>,
}

/// Which node is to drain.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ts_rs::TS, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct DrainWish {
    /// `this`: the one that gets the request.
    pub node: String,
}

/// Unfinished runs of the whole deployment, the oldest first.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ts_rs::TS, utoipa::ToSchema)]
pub struct UnfinishedRuns {
    /// The runs.
    pub runs: Vec<crate::run::Run>,
}
