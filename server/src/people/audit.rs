//! Who did what to which task when. Rows are added and never changed; the tables refuse anything else.

use std::net::IpAddr;

use coderoom_backing::{
    tables::{Row, TablesError, Value},
    values,
};
use coderoom_protocol::{
    ids::{TaskId, UserId},
    people::AuditLine,
    problem::WireError,
};
use uuid::Uuid;

use super::{People, store_failed};

/// What was done: one closed list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// Signed in, by password, link or another provider.
    SignIn,
    /// Made or changed a membership, or joined by a link.
    Share,
    /// Ended a membership, or left.
    Unshare,
    /// Made a share link.
    CreateLink,
    /// Deleted a share link.
    DeleteLink,
    /// Made somebody else owner.
    Transfer,
    /// Deleted a task.
    DeleteTask,
    /// Submitted or repeated a run.
    Submit,
    /// Stopped a run.
    Stop,
    /// Made a token.
    CreateToken,
    /// Deleted a token.
    DeleteToken,
    /// Did something to a user, as an administrator.
    Admin,
}

impl Action {
    /// The word used in tables and JSON.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::SignIn => "sign_in",
            Self::Share => "share",
            Self::Unshare => "unshare",
            Self::CreateLink => "create_link",
            Self::DeleteLink => "delete_link",
            Self::Transfer => "transfer",
            Self::DeleteTask => "delete_task",
            Self::Submit => "submit",
            Self::Stop => "stop",
            Self::CreateToken => "create_token",
            Self::DeleteToken => "delete_token",
            Self::Admin => "admin",
        }
    }
}

/// Which lines are wanted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AuditFilter {
    /// Only about this task.
    pub task: Option<TaskId>,
    /// Only what this user did.
    pub user: Option<UserId>,
    /// Only older than the line with this id.
    pub before: Option<Uuid>,
    /// At most so many.
    pub limit: u32,
}

impl People {
    /// Notes what somebody did. It is done already: when the note cannot be stored, that goes to the log as an error.
    pub async fn note(&self, user: UserId, action: Action, task: Option<TaskId>, detail: &str) {
        self.note_from(user, None, action, task, detail).await;
    }

    /// The same with the address it was done from.
    pub async fn note_from(
        &self,
        user: UserId,
        address: Option<IpAddr>,
        action: Action,
        task: Option<TaskId>,
        detail: &str,
    ) {
        let sql = "INSERT INTO audit (id, at, user_id, user_name, address, action, task_id, detail) \
                   VALUES ($1, $2, $3, COALESCE((SELECT name FROM users WHERE id = $3), ''), $4, $5, $6, $7)";
        let values = values![
            Uuid::now_v7().to_string(),
            self.inner.clock.now_ms(),
            user.to_string(),
            address.map(|address| address.to_string()).unwrap_or_default(),
            action.as_str(),
            task.map(|task| task.to_string()),
            detail
        ];
        if let Err(error) = self.inner.tables.execute(sql, values).await {
            tracing::error!(%error, audit.action = action.as_str(), "a line of the audit log could not be stored");
        }
    }

    /// Lines of the audit log, newest first. The caller has checked that the asker may see them.
    pub async fn audit(&self, filter: &AuditFilter) -> Result<Vec<AuditLine>, WireError> {
        let mut sql =
            "SELECT id, at, user_id, user_name, address, action, task_id, detail FROM audit WHERE 1 = 1".to_owned();
        let mut values: Vec<Value> = Vec::new();
        let mut and = |condition: &str, value: String| {
            values.push(value.into());
            sql.push_str(&format!(" AND {condition} ${}", values.len()));
        };
        if let Some(task) = filter.task {
            and("task_id =", task.to_string());
        }
        if let Some(user) = filter.user {
            and("user_id =", user.to_string());
        }
        if let Some(before) = filter.before {
            and("id <", before.to_string());
        }
        sql.push_str(&format!(" ORDER BY id DESC LIMIT {}", filter.limit));
        let rows = self.inner.tables.query(sql, values).await.map_err(store_failed)?;
        rows.iter().map(read).collect::<Result<_, _>>().map_err(store_failed)
    }
}

fn read(row: &Row) -> Result<AuditLine, TablesError> {
    Ok(AuditLine {
        id: row.text(0)?.to_owned(),
        at: row.int(1)?,
        user: row.opt_parse(2)?,
        user_name: row.text(3)?.to_owned(),
        address: row.text(4)?.to_owned(),
        action: row.text(5)?.to_owned(),
        task: row.opt_parse(6)?,
        detail: row.text(7)?.to_owned(),
    })
}
