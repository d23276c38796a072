//! Members of a task and the links that invite into it. What carries a link's code has no `Debug`, so that it cannot get
//! into a log line.

use serde::{Deserialize, Serialize};

use crate::{control::UserSummary, ids::TaskId, role::Role};

/// Somebody with a role in a task.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ts_rs::TS, utoipa::ToSchema)]
pub struct MemberLine {
    /// Who.
    pub user: UserSummary,
    /// What they may do.
    pub role: Role,
    /// Milliseconds since the Unix epoch when the membership ends; absent: it does not end by itself.
    #[ts(type = "number | null")]
    pub expires_at: Option<i64>,
    /// The link they came by, while the membership depends on it.
    pub link: Option<String>,
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
    /// Milliseconds since the Unix epoch when the membership ends; absent: it does not. Owners stay.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[ts(optional, type = "number")]
    pub expires_at: Option<i64>,
}

/// To whom a task goes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ts_rs::TS, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Transfer {
    /// The new owner, by name or id.
    pub to: String,
    /// What the caller is from then on; absent: editor.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[ts(optional)]
    pub stay_as: Option<Role>,
}

/// What makes a link that invites into a task.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ts_rs::TS, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewShareLink {
    /// What who comes by it may do: viewer or editor.
    pub role: Role,
    /// Milliseconds since the Unix epoch when it ends, and with it the memberships made by it; absent: when it is deleted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[ts(optional, type = "number")]
    pub expires_at: Option<i64>,
    /// How many people may come by it; absent: any number.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[ts(optional)]
    pub max_uses: Option<u32>,
    /// Whether who came by it stays when it ends.
    #[serde(default)]
    #[ts(optional, as = "Option<bool>")]
    pub keeps: bool,
    /// For whom it is meant: up to 200 characters.
    #[serde(default)]
    #[ts(optional, as = "Option<String>")]
    pub note: String,
}

/// A link that invites into a task, without its code.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ts_rs::TS, utoipa::ToSchema)]
pub struct ShareLinkLine {
    /// For deleting it.
    pub id: String,
    /// What who comes by it may do.
    pub role: Role,
    /// For whom it is meant.
    pub note: String,
    /// Whether who came by it stays when it ends.
    pub keeps: bool,
    /// Who made it.
    pub created_by: UserSummary,
    /// Milliseconds since the Unix epoch when it was made.
    #[ts(type = "number")]
    pub created_at: i64,
    /// The same for when it ends; absent: when it is deleted.
    #[ts(type = "number | null")]
    pub expires_at: Option<i64>,
    /// How many people may come by it; absent: any number.
    pub max_uses: Option<u32>,
    /// How many came by it.
    pub uses: u32,
    /// Whether it still brings anybody in: not when it is used up, and not while its maker is no owner or is suspended.
    pub invites: bool,
}

/// The links of a task, newest first.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ts_rs::TS, utoipa::ToSchema)]
pub struct ShareLinkList {
    /// The links.
    pub links: Vec<ShareLinkLine>,
}

/// A link that was just made.
#[derive(Clone, Serialize, Deserialize, ts_rs::TS, utoipa::ToSchema)]
pub struct CreatedShareLink {
    /// The whole address. The code stands behind `#`, so that no server or proxy sees it; it cannot be had again.
    pub url: String,
    /// The code alone.
    pub code: String,
    /// What is stored of it.
    pub about: ShareLinkLine,
}

/// The code of a link that invites into a task.
#[derive(Clone, Serialize, Deserialize, ts_rs::TS, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct LinkCode {
    /// What the link has after `#`.
    pub code: String,
}

/// Where a link leads.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ts_rs::TS, utoipa::ToSchema)]
pub struct Invitation {
    /// The task.
    pub task: TaskId,
    /// Its name.
    pub name: String,
    /// What the caller may do there by the link; after accepting it, what they may do there.
    pub role: Role,
    /// Who made the link.
    pub invited_by: UserSummary,
}
