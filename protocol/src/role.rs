//! What a member of a task may do.

use serde::{Deserialize, Serialize};

/// A member's role, ordered: each role may do all that the one before it may.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, ts_rs::TS, utoipa::ToSchema,
)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// Reads files, follows logs, has presence, changes nothing.
    Viewer,
    /// Also edits files, submits and stops runs.
    Editor,
    /// Also changes the task itself, its members, and deletes it.
    Owner,
}

impl Role {
    /// Whether the role may change files and start or stop runs.
    #[must_use]
    pub fn may_edit(self) -> bool {
        self >= Self::Editor
    }

    /// The word used in tables and JSON.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Viewer => "viewer",
            Self::Editor => "editor",
            Self::Owner => "owner",
        }
    }

    /// The role written as `word`, if there is one.
    #[must_use]
    pub fn parse(word: &str) -> Option<Self> {
        [Self::Viewer, Self::Editor, Self::Owner].into_iter().find(|role| role.as_str() == word)
    }
}
