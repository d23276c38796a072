//! Links that invite into a task. The tables hold the hash of a code only. Who comes by a link depends on it: when it ends,
//! so does what it gave, unless the link keeps or an owner has given a role by name meanwhile: a member is again what they were.
//! A link speaks for its maker: it invites while they are an owner. And it does not undo what an owner decided after it was made.

use coderoom_backing::{
    tables::{Row, Tx},
    values,
};
use coderoom_protocol::{
    control::UserSummary,
    ids::{TaskId, UserId},
    people::Invitation,
    problem::{ErrorCode, WireError},
    role::Role,
};
use uuid::Uuid;

use super::{
    Action, Identity, People, Right,
    members::{FALL_BACK, live_role, lock_task, put_member},
    secrets, store_failed,
};

/// Longest note of a link, in characters.
const MAX_NOTE_CHARACTERS: usize = 200;

/// Most links of a task.
const MAX_LINKS: i64 = 100;

/// What a new link is like.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewShareLink {
    /// What who comes by it may do: viewer or editor.
    pub role: Role,
    /// When it ends, in milliseconds since the Unix epoch; `None`: when it is deleted.
    pub expires_at: Option<i64>,
    /// How many may come by it; `None`: any number.
    pub max_uses: Option<u32>,
    /// Who came by it stays when it ends.
    pub keeps: bool,
    /// For whom it is meant.
    pub note: String,
}

/// A link without its code.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ShareLink {
    /// For deleting it.
    pub id: Uuid,
    /// What it was made with.
    pub about: NewShareLink,
    /// Who made it.
    pub created_by: UserSummary,
    /// When, in milliseconds since the Unix epoch.
    pub created_at: i64,
    /// How many came by it.
    pub uses: u32,
    /// Whether it brings anybody in: it is not used up, and its maker is an owner.
    pub invites: bool,
}

/// Whether a link's maker `u` is an owner of its task now; needs [`MAKER`].
const SPEAKS_FOR_AN_OWNER: &str =
    "CAST(CASE WHEN u.suspended_at IS NULL AND (u.is_admin = 1 OR o.role = 'owner') THEN 1 ELSE 0 END AS BIGINT)";

/// The maker of a link `l`, and what they are in its task.
const MAKER: &str = "JOIN users u ON u.id = l.created_by \
                     LEFT JOIN members o ON o.task_id = l.task_id AND o.user_id = l.created_by";

impl People {
    /// Makes a link, as an owner. The second part is its code, which cannot be had again.
    /// `invalid` for the role owner, a time that has passed, no uses, or too many links.
    pub async fn create_share_link(
        &self,
        by: &Identity,
        task: TaskId,
        wish: NewShareLink,
    ) -> Result<(ShareLink, String), WireError> {
        self.require(by, task, Right::Own).await?;
        let refuse = |why: &str| Err(WireError::new(ErrorCode::Invalid, why));
        if wish.role == Role::Owner {
            return refuse("A link invites viewers or editors. Make somebody owner by name.");
        }
        if wish.max_uses == Some(0) {
            return refuse("A link must be good for at least one use.");
        }
        if wish.note.chars().count() > MAX_NOTE_CHARACTERS || wish.note.chars().any(char::is_control) {
            let why = format!(
                "A link's note has at most {MAX_NOTE_CHARACTERS} characters, none of them a control character."
            );
            return refuse(&why);
        }
        self.check_future(wish.expires_at)?;
        let code = secrets::new_secret();
        let (id, now) = (Uuid::now_v7(), self.inner.clock.now_ms());
        let mut tx = self.inner.tables.begin().await.map_err(store_failed)?;
        lock_task(&mut tx, task).await?;
        let sql = "SELECT count(*) FROM share_links WHERE task_id = $1 AND (expires_at IS NULL OR expires_at > $2)";
        let count = tx.query_opt(sql, values![task.to_string(), now]).await.map_err(store_failed)?;
        if count.map_or(Ok(0), |row| row.int(0)).map_err(store_failed)? >= MAX_LINKS {
            return refuse("The task has as many links as it may have. Delete one first.");
        }
        let sql = "INSERT INTO share_links (id, hash, task_id, role, note, keeps, created_by, created_at, expires_at, max_uses) \
                   VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)";
        let values = values![
            id.to_string(),
            secrets::hash(&code).as_slice(),
            task.to_string(),
            wish.role.as_str(),
            wish.note.as_str(),
            wish.keeps,
            by.user.to_string(),
            now,
            wish.expires_at,
            wish.max_uses
        ];
        tx.execute(sql, values).await.map_err(store_failed)?;
        tx.commit().await.map_err(store_failed)?;
        self.note(by.user, Action::CreateLink, Some(task), &format!("{id} {}", wish.role.as_str())).await;
        Ok((ShareLink { id, about: wish, created_by: by.summary(), created_at: now, uses: 0, invites: true }, code))
    }

    /// The links of a task that have not ended, newest first, for owners.
    pub async fn share_links(&self, by: &Identity, task: TaskId) -> Result<Vec<ShareLink>, WireError> {
        self.require(by, task, Right::Own).await?;
        let sql = format!(
            "SELECT l.id, l.role, l.expires_at, l.max_uses, l.keeps, l.note, u.id, u.name, l.created_at, l.uses, \
             {SPEAKS_FOR_AN_OWNER} FROM share_links l {MAKER} \
             WHERE l.task_id = $1 AND (l.expires_at IS NULL OR l.expires_at > $2) ORDER BY l.id DESC"
        );
        let values = values![task.to_string(), self.inner.clock.now_ms()];
        let rows = self.inner.tables.query(sql, values).await.map_err(store_failed)?;
        rows.iter().map(read_link).collect::<Result<_, _>>().map_err(store_failed)
    }

    /// Deletes a link, as an owner. Who depends on it is again what they were before. `not_found` when the task has no such link.
    pub async fn delete_share_link(&self, by: &Identity, task: TaskId, link: Uuid) -> Result<(), WireError> {
        self.require(by, task, Right::Own).await?;
        let mut tx = self.inner.tables.begin().await.map_err(store_failed)?;
        lock_task(&mut tx, task).await?;
        let sql = "DELETE FROM share_links WHERE id = $1 AND task_id = $2";
        if tx.execute(sql, values![link.to_string(), task.to_string()]).await.map_err(store_failed)? == 0 {
            return Err(WireError::new(ErrorCode::NotFound, "The task has no such link."));
        }
        let mut gone = Vec::new();
        let of_link = "task_id = $1 AND link_id = $2 AND role <> 'owner' RETURNING user_id";
        for sql in [format!("{FALL_BACK} AND {of_link}"), format!("DELETE FROM members WHERE {of_link}")] {
            gone.extend(tx.query(sql, values![task.to_string(), link.to_string()]).await.map_err(store_failed)?);
        }
        tx.commit().await.map_err(store_failed)?;
        for row in gone {
            self.announce_role(task, row.parse(0).map_err(store_failed)?).await;
        }
        self.note(by.user, Action::DeleteLink, Some(task), &link.to_string()).await;
        Ok(())
    }

    /// Where a link leads, without using it. Fails as [`Self::accept_link`] does.
    pub async fn look_at_link(&self, by: &Identity, code: &str) -> Result<Invitation, WireError> {
        let mut tx = self.inner.tables.begin_read().await.map_err(store_failed)?;
        Ok(self.find_link(&mut tx, code, by.user).await?.invitation)
    }

    /// Makes somebody a member by a link. A member keeps a role that is as large, and uses nothing up.
    /// `not_found` when the link is used up, has ended or never was, when its maker is no owner any more, and when an owner
    /// removed the caller or set their role after it was made.
    pub async fn accept_link(&self, by: &Identity, code: &str) -> Result<Invitation, WireError> {
        by.require_whole()?;
        let mut tx = self.inner.tables.begin().await.map_err(store_failed)?;
        let found = self.find_link(&mut tx, code, by.user).await?;
        let task = found.invitation.task;
        lock_task(&mut tx, task).await?;
        // Again, now that nobody else changes it.
        let Found { mut invitation, id, expires_at, keeps, has } = self.find_link(&mut tx, code, by.user).await?;
        if let Some(has) = has.filter(|has| *has >= invitation.role) {
            invitation.role = has;
            return Ok(invitation);
        }
        let sql = "UPDATE share_links SET uses = uses + 1 WHERE id = $1";
        tx.execute(sql, values![id.as_str()]).await.map_err(store_failed)?;
        let (until, link) = if keeps { (None, None) } else { (expires_at, Some(id.as_str())) };
        put_member(&mut tx, task, by.user, invitation.role, until, link).await?;
        tx.commit().await.map_err(store_failed)?;
        self.announce_role(task, by.user).await;
        self.note(by.user, Action::Share, Some(task), &format!("joined by link {id}")).await;
        Ok(invitation)
    }

    async fn find_link(&self, tx: &mut Tx, code: &str, user: UserId) -> Result<Found, WireError> {
        let now = self.inner.clock.now_ms();
        let sql = format!(
            "SELECT l.task_id, t.name, l.role, u.id, u.name, l.id, l.expires_at, l.keeps, {}, l.max_uses, l.uses, d.id, \
             {SPEAKS_FOR_AN_OWNER} FROM share_links l {MAKER} JOIN tasks t ON t.id = l.task_id \
             LEFT JOIN members m ON m.task_id = l.task_id AND m.user_id = $3 \
             LEFT JOIN role_decisions d ON d.task_id = l.task_id AND d.user_id = $3 \
             WHERE l.hash = $1 AND (l.expires_at IS NULL OR l.expires_at > $2)",
            live_role("$2")
        );
        let values = values![secrets::hash(code).as_slice(), now, user.to_string()];
        let row = tx.query_opt(sql, values).await.map_err(store_failed)?.ok_or_else(dead_link)?;
        let found = read_found(&row).map_err(store_failed)?;
        let (most, uses) = (row.opt_int(9).map_err(store_failed)?, row.int(10).map_err(store_failed)?);
        // Who has all that it gives may look at it again when it is used up.
        if found.has.is_some_and(|has| has >= found.invitation.role) {
            return Ok(found);
        }
        let speaks_for_an_owner = row.int(12).map_err(store_failed)? == 1;
        if !speaks_for_an_owner || most.is_some_and(|most| uses >= most) {
            return Err(dead_link());
        }
        if row.opt_text(11).map_err(store_failed)?.is_some_and(|decided| *decided > *found.id) {
            return Err(older_than_a_decision());
        }
        Ok(found)
    }
}

/// A link by its code.
struct Found {
    invitation: Invitation,
    id: String,
    expires_at: Option<i64>,
    keeps: bool,
    /// What the asker is already.
    has: Option<Role>,
}

fn read_found(row: &Row) -> Result<Found, coderoom_backing::tables::TablesError> {
    let invited_by = UserSummary { id: row.parse(3)?, name: row.text(4)?.to_owned() };
    let role = Role::parse(row.text(2)?).unwrap_or(Role::Viewer);
    let invitation = Invitation { task: row.parse(0)?, name: row.text(1)?.to_owned(), role, invited_by };
    let has = row.opt_text(8)?.and_then(Role::parse);
    Ok(Found { invitation, id: row.text(5)?.to_owned(), expires_at: row.opt_int(6)?, keeps: row.bool(7)?, has })
}

fn read_link(row: &Row) -> Result<ShareLink, coderoom_backing::tables::TablesError> {
    let count = |value: i64| u32::try_from(value).unwrap_or(u32::MAX);
    let (max_uses, uses) = (row.opt_int(3)?, row.int(9)?);
    Ok(ShareLink {
        id: row.parse(0)?,
        about: NewShareLink {
            role: Role::parse(row.text(1)?).unwrap_or(Role::Viewer),
            expires_at: row.opt_int(2)?,
            max_uses: max_uses.map(count),
            keeps: row.bool(4)?,
            note: row.text(5)?.to_owned(),
        },
        created_by: UserSummary { id: row.parse(6)?, name: row.text(7)?.to_owned() },
        created_at: row.int(8)?,
        uses: count(uses),
        invites: row.int(10)? == 1 && max_uses.is_none_or(|most| uses < most),
    })
}

fn older_than_a_decision() -> WireError {
    WireError::new(
        ErrorCode::NotFound,
        "Since this link was made an owner has removed you from the task or set your role. Ask for a new link.",
    )
}

fn dead_link() -> WireError {
    WireError::new(
        ErrorCode::NotFound,
        "This link has ended, is used up, or never was. Ask whoever sent it for a new one.",
    )
}
