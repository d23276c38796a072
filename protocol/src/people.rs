//! Users, tokens and members as the HTTP interface shows them. What carries a password or a secret has no `Debug`,
//! so that it cannot get into a log line.

use serde::{Deserialize, Serialize};

use crate::{control::UserSummary, ids::UserId, role::Role};

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

/// Somebody with a role in a task.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ts_rs::TS, utoipa::ToSchema)]
pub struct MemberLine {
    /// Who.
    pub user: UserSummary,
    /// What they may do.
    pub role: Role,
}

/// The members of a task, ordered by name.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ts_rs::TS, utoipa::ToSchema)]
pub struct MemberList {
    /// The members.
    pub members: Vec<MemberLine>,
}

/// A member's role.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ts_rs::TS, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RoleChange {
    /// What they may do from now on.
    pub role: Role,
}
