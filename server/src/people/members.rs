//! Who may do what in a task. A task keeps at least one owner; strangers cannot tell it from one that does not exist.

use coderoom_backing::{tables::Tx, values};
use coderoom_protocol::{
    control::UserSummary,
    ids::{TaskId, UserId},
    problem::{ErrorCode, WireError},
    role::Role,
};
use coderoom_worker::announce::{TaskEvent, task_topic};
use uuid::Uuid;

use super::{Action, Identity, People, Right, Standing, no_such_user, store_failed};

/// Somebody with a role in a task.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Member {
    /// Who.
    pub user: UserSummary,
    /// What they may do.
    pub role: Role,
    /// When the membership ends, in milliseconds since the Unix epoch; `None`: not by itself.
    pub expires_at: Option<i64>,
    /// The link it depends on.
    pub link: Option<String>,
}

/// What a user has in a task, whatever they came with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) is_admin: bool,
    pub(super) role: Option<Role>,
    /// The role ends then.
    pub(super) until: i64,
}

/// The role that a membership's row (`m`) gives at a time (a placeholder), or NULL. Who came by a link that has ended is again
/// what they were for good before.
pub(crate) fn live_role(now: &str) -> String {
    format!("CASE WHEN m.expires_at <= {now} THEN m.lasting_role ELSE m.role END")
}

/// What ends with that link: a column of the same row, or NULL when the link has ended.
fn while_it_lasts(column: &str, now: &str) -> String {
    format!("CASE WHEN m.expires_at <= {now} THEN NULL ELSE m.{column} END")
}

/// The start of a statement that makes members again what they were for good; who was nothing has a row left to delete.
pub(in crate::people) const FALL_BACK: &str = "UPDATE members SET role = lasting_role, expires_at = NULL, link_id = NULL, \
    lasting_role = NULL WHERE lasting_role IS NOT NULL";

impl Place {
    /// The role of somebody, as far as their credential goes; not yet clipped to its ceiling.
    pub(super) fn role_of(self, is_admin: bool) -> Option<Role> {
        if is_admin && self.is_admin { Some(Role::Owner) } else { self.role }
    }
}

impl People {
    /// What somebody may do in a task's documents; `None` for strangers and for tasks that do not exist (they look the
    /// same), and for credentials that have ended or are not good for this task.
    pub async fn role_in(&self, identity: &Identity, task: TaskId) -> Result<Option<Role>, WireError> {
        Ok(self.known_standing(identity, task).await?.map(|standing| standing.role))
    }

    /// The same with the time until which it holds. May be answered from memory.
    pub async fn known_standing(&self, identity: &Identity, task: TaskId) -> Result<Option<Standing>, WireError> {
        let found = self.whole_role_in(identity, task).await?;
        Ok(found.map(|(role, until)| Standing { role: role.min(identity.grant.ceiling()), until }))
    }

    /// The role as if the credential had every scope, and until when.
    async fn whole_role_in(&self, identity: &Identity, task: TaskId) -> Result<Option<(Role, i64)>, WireError> {
        let now = self.inner.clock.now_ms();
        let grant = &identity.grant;
        if !grant.covers(task) || now >= grant.until {
            return Ok(None);
        }
        let Some(place) = self.place_of(identity.user, task, now).await? else { return Ok(None) };
        let until = if identity.is_admin && place.is_admin { grant.until } else { grant.until.min(place.until) };
        Ok(place.role_of(identity.is_admin).map(|role| (role, until)))
    }

    async fn place_of(&self, user: UserId, task: TaskId, now: i64) -> Result<Option<Place>, WireError> {
        let key = (user, task);
        if let Some(place) = self.inner.roles.get(&key).await.filter(|place| now < place.until) {
            return Ok(Some(place));
        }
        let sql = format!(
            "SELECT u.is_admin, {}, {} FROM tasks t JOIN users u ON u.id = $2 AND u.suspended_at IS NULL \
             LEFT JOIN members m ON m.task_id = t.id AND m.user_id = u.id WHERE t.id = $1",
            live_role("$3"),
            while_it_lasts("expires_at", "$3")
        );
        let values = values![task.to_string(), user.to_string(), now];
        let Some(row) = self.inner.tables.query_opt(sql, values).await.map_err(store_failed)? else { return Ok(None) };
        let place = Place {
            is_admin: row.bool(0).map_err(store_failed)?,
            role: row.opt_text(1).map_err(store_failed)?.and_then(Role::parse),
            until: row.opt_int(2).map_err(store_failed)?.unwrap_or(i64::MAX),
        };
        if place.is_admin || place.role.is_some() {
            self.inner.roles.insert(key, place).await;
        }
        Ok(Some(place))
    }

    /// The role of a user in a task as the tables have it now (`None`: no role). For rooms that hear of a change.
    pub async fn read_role(&self, task: TaskId, user: UserId) -> Result<Option<Role>, WireError> {
        self.forget_role(task, user).await;
        let place = self.place_of(user, task, self.inner.clock.now_ms()).await?;
        Ok(place.and_then(|place| place.role_of(true)))
    }

    /// The role, if it has the right: else `not_found` for strangers and `not_allowed` for members.
    pub async fn require(&self, identity: &Identity, task: TaskId, right: Right) -> Result<Role, WireError> {
        let Some((role, _)) = self.whole_role_in(identity, task).await? else {
            return Err(WireError::plain(ErrorCode::NotFound));
        };
        if role < right.role() {
            return Err(WireError::new(
                ErrorCode::NotAllowed,
                format!("You are {} in this task; this needs the role {}.", role.as_str(), right.role().as_str()),
            ));
        }
        identity.require_scope(right.scope())?;
        Ok(role.min(identity.grant.ceiling()))
    }

    /// Forgets what is remembered of roles in a task: after it was deleted, or when another node says that they changed.
    pub async fn forget_role(&self, task: TaskId, user: UserId) {
        self.inner.roles.invalidate(&(user, task)).await;
    }

    /// The members of a task, ordered by name. The caller has checked that the asker may know.
    pub async fn members(&self, task: TaskId) -> Result<Vec<Member>, WireError> {
        let sql = format!(
            "SELECT u.id, u.name, {role}, {}, {} FROM members m JOIN users u ON u.id = m.user_id \
             WHERE m.task_id = $1 AND {role} IS NOT NULL ORDER BY u.name_key",
            while_it_lasts("expires_at", "$2"),
            while_it_lasts("link_id", "$2"),
            role = live_role("$2")
        );
        let values = values![task.to_string(), self.inner.clock.now_ms()];
        let rows = self.inner.tables.query(sql, values).await.map_err(store_failed)?;
        let mut members = Vec::with_capacity(rows.len());
        for row in &rows {
            let user = UserSummary {
                id: row.parse(0).map_err(store_failed)?,
                name: row.text(1).map_err(store_failed)?.to_owned(),
            };
            let role = Role::parse(row.text(2).map_err(store_failed)?);
            let expires_at = row.opt_int(3).map_err(store_failed)?;
            let link = row.opt_text(4).map_err(store_failed)?.map(str::to_owned);
            members.extend(role.map(|role| Member { user, role, expires_at, link }));
        }
        Ok(members)
    }

    /// Gives somebody a role in a task, as one of its owners, until a time or for good; it depends on no link any more, and no link
    /// that there is now makes more of it.
    /// `invalid` when the task would be left without an owner, when an owner's time is limited, or the time lies in the past.
    pub async fn set_member(
        &self,
        by: &Identity,
        task: TaskId,
        user: &str,
        role: Role,
        expires_at: Option<i64>,
    ) -> Result<Member, WireError> {
        self.require(by, task, Right::Own).await?;
        if role == Role::Owner && expires_at.is_some() {
            return Err(WireError::new(ErrorCode::Invalid, "An owner's membership cannot end by itself."));
        }
        self.check_future(expires_at)?;
        let user = self.user(user).await?.ok_or_else(|| no_such_user(user))?;
        let mut tx = self.inner.tables.begin().await.map_err(store_failed)?;
        lock_task(&mut tx, task).await?;
        if role != Role::Owner {
            keep_an_owner(&mut tx, task, user.id).await?;
        }
        let member =
            Member { user: UserSummary { id: user.id, name: user.name.clone() }, role, expires_at, link: None };
        let is_news = !is_member_so(&mut tx, task, &member).await?;
        put_member(&mut tx, task, user.id, role, expires_at, None).await?;
        note_decision(&mut tx, task, user.id).await?;
        tx.commit().await.map_err(store_failed)?;
        if !is_news {
            // The audit log has it already.
            return Ok(member);
        }
        self.announce_role(task, user.id).await;
        self.note(by.user, Action::Share, Some(task), &format!("{} is {}", user.name, role.as_str())).await;
        Ok(member)
    }

    /// Makes somebody else owner, and the caller what they stay as, in one step.
    pub async fn transfer(&self, by: &Identity, task: TaskId, to: &str, stay_as: Role) -> Result<Member, WireError> {
        self.require(by, task, Right::Own).await?;
        let to = self.user(to).await?.filter(|to| to.suspended_at.is_none()).ok_or_else(|| no_such_user(to))?;
        if to.id == by.user {
            return Err(WireError::new(ErrorCode::Invalid, "A task is transferred to somebody else."));
        }
        let mut tx = self.inner.tables.begin().await.map_err(store_failed)?;
        lock_task(&mut tx, task).await?;
        put_member(&mut tx, task, to.id, Role::Owner, None, None).await?;
        let sql = "UPDATE members SET role = $3, expires_at = NULL, link_id = NULL, lasting_role = NULL \
                   WHERE task_id = $1 AND user_id = $2";
        let values = values![task.to_string(), by.user.to_string(), stay_as.as_str()];
        tx.execute(sql, values).await.map_err(store_failed)?;
        tx.commit().await.map_err(store_failed)?;
        self.announce_role(task, to.id).await;
        self.announce_role(task, by.user).await;
        self.note(by.user, Action::Transfer, Some(task), &format!("to {}", to.name)).await;
        let user = UserSummary { id: to.id, name: to.name };
        Ok(Member { user, role: Role::Owner, expires_at: None, link: None })
    }

    /// Refuses a time that has passed (`invalid`).
    pub(super) fn check_future(&self, at: Option<i64>) -> Result<(), WireError> {
        match at {
            Some(at) if at <= self.inner.clock.now_ms() => {
                Err(WireError::new(ErrorCode::Invalid, "The time at which it ends lies in the past."))
            }
            _ => Ok(()),
        }
    }

    /// Ends somebody's membership: owners may end everybody's, everybody their own. Whom an owner removed no link brings back that
    /// there is now.
    /// `invalid` when the task would be left without an owner, `not_found` when they are no member.
    pub async fn remove_member(&self, by: &Identity, task: TaskId, user: &str) -> Result<(), WireError> {
        self.require(by, task, Right::Read).await?;
        by.require_scope(coderoom_protocol::people::Scope::Admin)?;
        // Who may not look anybody up must not learn who there is.
        let user = match self.user(user).await? {
            Some(user) if user.id == by.user => user,
            other => {
                self.require(by, task, Right::Own).await?;
                other.ok_or_else(|| no_such_user(user))?
            }
        };
        let mut tx = self.inner.tables.begin().await.map_err(store_failed)?;
        lock_task(&mut tx, task).await?;
        keep_an_owner(&mut tx, task, user.id).await?;
        let sql = "DELETE FROM members WHERE task_id = $1 AND user_id = $2";
        let values = values![task.to_string(), user.id.to_string()];
        if tx.execute(sql, values).await.map_err(store_failed)? == 0 {
            return Err(no_such_user(&user.name));
        }
        if user.id != by.user {
            note_decision(&mut tx, task, user.id).await?;
        }
        tx.commit().await.map_err(store_failed)?;
        self.announce_role(task, user.id).await;
        self.note(by.user, Action::Unshare, Some(task), &user.name).await;
        Ok(())
    }

    /// Forgets a role and tells all nodes to read it again.
    pub(super) async fn announce_role(&self, task: TaskId, user: UserId) {
        self.forget_role(task, user).await;
        self.announce_access(user, Some(task)).await;
        let Ok(event) = serde_json::to_vec(&TaskEvent::Members { user }) else { return };
        if let Err(error) = self.inner.bus.publish(&task_topic(task), event.into()).await {
            // The change is stored; who misses the announcement reads the tables when it looks again.
            tracing::warn!(%error, task.id = %task, "a change of roles could not be announced");
        }
    }
}

/// Writes a membership. One that depends on a link keeps the role that was given for good before, for when the link has ended;
/// one by name replaces all.
pub(super) async fn put_member(
    tx: &mut Tx,
    task: TaskId,
    user: UserId,
    role: Role,
    expires_at: Option<i64>,
    link: Option<&str>,
) -> Result<(), WireError> {
    let sql = "INSERT INTO members (task_id, user_id, role, expires_at, link_id) VALUES ($1, $2, $3, $4, $5) \
               ON CONFLICT (task_id, user_id) DO UPDATE SET role = excluded.role, expires_at = excluded.expires_at, \
               link_id = excluded.link_id, lasting_role = CASE WHEN excluded.link_id IS NULL THEN NULL \
               WHEN members.expires_at IS NULL AND members.link_id IS NULL THEN members.role ELSE members.lasting_role END";
    let values = values![task.to_string(), user.to_string(), role.as_str(), expires_at, link];
    tx.execute(sql, values).await.map(|_| ()).map_err(store_failed)
}

/// Whether somebody is exactly this member already, by name and not by a link.
async fn is_member_so(tx: &mut Tx, task: TaskId, member: &Member) -> Result<bool, WireError> {
    let sql = "SELECT 1 FROM members WHERE task_id = $1 AND user_id = $2 AND role = $3 \
               AND COALESCE(expires_at, -1) = COALESCE($4, -1) AND link_id IS NULL";
    let values = values![task.to_string(), member.user.id.to_string(), member.role.as_str(), member.expires_at];
    tx.query_opt(sql, values).await.map(|row| row.is_some()).map_err(store_failed)
}

/// Notes that an owner decided what somebody is, for who knocks with a link that was made before.
async fn note_decision(tx: &mut Tx, task: TaskId, user: UserId) -> Result<(), WireError> {
    let sql = "INSERT INTO role_decisions (task_id, user_id, id) VALUES ($1, $2, $3) \
               ON CONFLICT (task_id, user_id) DO UPDATE SET id = excluded.id";
    let values = values![task.to_string(), user.to_string(), Uuid::now_v7().to_string()];
    tx.execute(sql, values).await.map(|_| ()).map_err(store_failed)
}

/// Takes the task's row lock, so that two changes of its owners come one after the other.
pub(super) async fn lock_task(tx: &mut Tx, task: TaskId) -> Result<(), WireError> {
    let sql = "UPDATE tasks SET updated_at = updated_at WHERE id = $1";
    match tx.execute(sql, values![task.to_string()]).await.map_err(store_failed)? {
        0 => Err(WireError::plain(ErrorCode::NotFound)),
        _ => Ok(()),
    }
}

/// Refuses when the task has no owner but this user.
async fn keep_an_owner(tx: &mut Tx, task: TaskId, user: UserId) -> Result<(), WireError> {
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
