//! Who may do what in a task. A task keeps at least one owner; strangers cannot tell it from one that does not exist.

use coderoom_backing::values;
use coderoom_protocol::{
    control::UserSummary,
    ids::{TaskId, UserId},
    problem::{ErrorCode, WireError},
    role::Role,
};
use coderoom_worker::announce::{TaskEvent, task_topic};

use super::{Identity, People, store_failed};

/// Somebody with a role in a task.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Member {
    /// Who.
    pub user: UserSummary,
    /// What they may do.
    pub role: Role,
}

impl People {
    /// What somebody may do in a task; `None` for strangers and for tasks that do not exist (they look the same).
    pub async fn role_in(&self, identity: &Identity, task: TaskId) -> Result<Option<Role>, WireError> {
        let key = (identity.user, task);
        if let Some(role) = self.inner.roles.get(&key).await {
            return Ok(Some(role));
        }
        let sql = "SELECT u.is_admin, m.role FROM tasks t JOIN users u ON u.id = $2 AND u.suspended_at IS NULL \
                   LEFT JOIN members m ON m.task_id = t.id AND m.user_id = u.id WHERE t.id = $1";
        let values = values![task.to_string(), identity.user.to_string()];
        let Some(row) = self.inner.tables.query_opt(sql, values).await.map_err(store_failed)? else { return Ok(None) };
        let role = if row.bool(0).map_err(store_failed)? {
            Some(Role::Owner)
        } else {
            row.opt_text(1).map_err(store_failed)?.and_then(Role::parse)
        };
        if let Some(role) = role {
            self.inner.roles.insert(key, role).await;
        }
        Ok(role)
    }

    /// The role of a user in a task as the tables have it now (`None`: no role). For rooms that hear of a change.
    pub async fn read_role(&self, task: TaskId, user: UserId) -> Result<Option<Role>, WireError> {
        self.forget_role(task, user).await;
        self.role_in(&Identity { user, name: String::new(), is_admin: false }, task).await
    }

    /// The role, if it is at least `needed`: else `not_found` for strangers and `not_allowed` for members.
    pub async fn require(&self, identity: &Identity, task: TaskId, needed: Role) -> Result<Role, WireError> {
        match self.role_in(identity, task).await? {
            None => Err(WireError::plain(ErrorCode::NotFound)),
            Some(role) if role >= needed => Ok(role),
            Some(role) => Err(WireError::new(
                ErrorCode::NotAllowed,
                format!("You are {} in this task; this needs the role {}.", role.as_str(), needed.as_str()),
            )),
        }
    }

    /// Forgets what is remembered of roles in a task: after it was deleted, or when another node says that they changed.
    pub async fn forget_role(&self, task: TaskId, user: UserId) {
        self.inner.roles.invalidate(&(user, task)).await;
    }

    /// The members of a task, ordered by name. The caller has checked that the asker may know.
    pub async fn members(&self, task: TaskId) -> Result<Vec<Member>, WireError> {
        let sql = "SELECT u.id, u.name, m.role FROM members m JOIN users u ON u.id = m.user_id \
                   WHERE m.task_id = $1 ORDER BY u.name_key";
        let rows = self.inner.tables.query(sql, values![task.to_string()]).await.map_err(store_failed)?;
        let mut members = Vec::with_capacity(rows.len());
        for row in &rows {
            let user = UserSummary {
                id: row.parse(0).map_err(store_failed)?,
                name: row.text(1).map_err(store_failed)?.to_owned(),
            };
            let role = Role::parse(row.text(2).map_err(store_failed)?);
            members.extend(role.map(|role| Member { user, role }));
        }
        Ok(members)
    }

    /// Gives somebody a role in a task, as one of its owners. `invalid` when the task would be left without an owner.
    pub async fn set_member(&self, by: &Identity, task: TaskId, user: &str, role: Role) -> Result<Member, WireError> {
        self.require(by, task, Role::Owner).await?;
        let user = self.user(user).await?.ok_or_else(|| no_such_user(user))?;
        let mut tx = self.inner.tables.begin().await.map_err(store_failed)?;
        lock_task(&mut tx, task).await?;
        if role != Role::Owner {
            keep_an_owner(&mut tx, task, user.id).await?;
        }
        let sql = "INSERT INTO members (task_id, user_id, role) VALUES ($1, $2, $3) \
                   ON CONFLICT (task_id, user_id) DO UPDATE SET role = excluded.role";
        let values = values![task.to_string(), user.id.to_string(), role.as_str()];
        tx.execute(sql, values).await.map_err(store_failed)?;
        tx.commit().await.map_err(store_failed)?;
        self.announce_role(task, user.id).await;
        Ok(Member { user: UserSummary { id: user.id, name: user.name }, role })
    }

    /// Ends somebody's membership: owners may end everybody's, everybody their own.
    /// `invalid` when the task would be left without an owner, `not_found` when they are no member.
    pub async fn remove_member(&self, by: &Identity, task: TaskId, user: &str) -> Result<(), WireError> {
        self.require(by, task, Role::Viewer).await?;
        let user = self.user(user).await?.ok_or_else(|| no_such_user(user))?;
        if user.id != by.user {
            self.require(by, task, Role::Owner).await?;
        }
        let mut tx = self.inner.tables.begin().await.map_err(store_failed)?;
        lock_task(&mut tx, task).await?;
        keep_an_owner(&mut tx, task, user.id).await?;
        let sql = "DELETE FROM members WHERE task_id = $1 AND user_id = $2";
        let values = values![task.to_string(), user.id.to_string()];
        if tx.execute(sql, values).await.map_err(store_failed)? == 0 {
            return Err(no_such_user(&user.name));
        }
        tx.commit().await.map_err(store_failed)?;
        self.announce_role(task, user.id).await;
        Ok(())
    }

    /// Forgets a role and tells all nodes to read it again.
    pub(super) async fn announce_role(&self, task: TaskId, user: UserId) {
        self.forget_role(task, user).await;
        let Ok(event) = serde_json::to_vec(&TaskEvent::Members { user }) else { return };
        if let Err(error) = self.inner.bus.publish(&task_topic(task), event.into()).await {
            // The change is stored; who misses the announcement reads the tables when it looks again.
            tracing::warn!(%error, task.id = %task, "a change of roles could not be announced");
        }
    }
}

/// Takes the task's row lock, so that two changes of its owners come one after the other.
async fn lock_task(tx: &mut coderoom_backing::tables::Tx, task: TaskId) -> Result<(), WireError> {
    let sql = "UPDATE tasks SET updated_at = updated_at WHERE id = $1";
    match tx.execute(sql, values![task.to_string()]).await.map_err(store_failed)? {
        0 => Err(WireError::plain(ErrorCode::NotFound)),
        _ => Ok(()),
    }
}

/// Refuses when the task has no owner but this user.
async fn keep_an_owner(tx: &mut coderoom_backing::tables::Tx, task: TaskId, user: UserId) -> Result<(), WireError> {
    let sql = "SELECT user_id FROM members WHERE task_id = $1 AND role = 'owner' ORDER BY user_id LIMIT 2";
    let owners = tx.query(sql, values![task.to_string()]).await.map_err(store_failed)?;
    let mut ids = owners.iter().map(|row| row.parse::<UserId>(0));
    match (ids.next(), ids.next()) {
        (Some(Ok(only)), None) if only == user => {
            Err(WireError::new(ErrorCode::Invalid, "A task needs at least one owner; make somebody else owner first."))
        }
        _ => Ok(()),
    }
}

fn no_such_user(name: &str) -> WireError {
    WireError::new(ErrorCode::NotFound, format!("There is no user {name:?} here."))
}
