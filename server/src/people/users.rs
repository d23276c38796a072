//! Users: made, listed and suspended by an administrator. The first one is made when the tables are empty.

use coderoom_backing::{
    tables::{Row, TablesError},
    values,
};
use coderoom_protocol::{
    ids::{TaskId, UserId},
    problem::{ErrorCode, WireError},
};

use super::{Credential, Grant, Identity, People, names, password, sessions::other_sessions, store_failed};

/// Name of the user that the first start makes.
const FIRST_USER: &str = "admin";

/// A user, as administrators see it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct User {
    /// The user.
    pub id: UserId,
    /// The name shown to others.
    pub name: String,
    /// May administer the server.
    pub is_admin: bool,
    /// Has a password; else signs in by link or token only.
    pub has_password: bool,
    /// When it was made, in milliseconds since the Unix epoch.
    pub created_at: i64,
    /// Since when it may not sign in; `None`: it may.
    pub suspended_at: Option<i64>,
}

const COLUMNS: &str = "id, name, is_admin, password_hash IS NOT NULL, created_at, suspended_at";

impl User {
    fn from_row(row: &Row) -> Result<Self, TablesError> {
        Ok(Self {
            id: row.parse(0)?,
            name: row.text(1)?.to_owned(),
            is_admin: row.bool(2)?,
            has_password: row.bool(3)?,
            created_at: row.int(4)?,
            suspended_at: row.opt_int(5)?,
        })
    }
}

impl People {
    /// The administrator that acts for this server: the first one ever made. Makes it when there is none.
    pub async fn ensure_admin(&self) -> Result<Identity, WireError> {
        if let Some(admin) = self.first_admin().await? {
            return Ok(admin);
        }
        match self.create_user(FIRST_USER, None, true).await {
            Ok(user) => Ok(Identity::whole(user.id, user.name, true)),
            // Another server on the same tables was faster.
            Err(error) if error.code == ErrorCode::NameTaken => {
                self.first_admin().await?.ok_or_else(|| WireError::plain(ErrorCode::Internal))
            }
            Err(error) => Err(error),
        }
    }

    /// The oldest administrator who may sign in.
    pub(super) async fn first_admin(&self) -> Result<Option<Identity>, WireError> {
        let sql =
            "SELECT id, name, is_admin FROM users WHERE is_admin = 1 AND suspended_at IS NULL ORDER BY id LIMIT 1";
        let row = self.inner.tables.query_opt(sql, values![]).await.map_err(store_failed)?;
        let whole = || Grant::whole(Credential::Outside, i64::MAX);
        row.map(|row| Identity::from_row(&row, 0, whole())).transpose().map_err(store_failed)
    }

    /// Makes a user. Without a password it signs in by link or token only.
    /// `name_taken` when a name that looks the same exists, `invalid` when name or password break a rule.
    pub async fn create_user(&self, name: &str, password: Option<String>, is_admin: bool) -> Result<User, WireError> {
        let name = names::normal_name(name)?;
        let hash = match password {
            Some(password) => {
                password::check_rules(&password, self.inner.settings.min_password_length)?;
                Some(self.inner.hasher.hash(password).await?)
            }
            None => None,
        };
        let now = self.inner.clock.now_ms();
        let user = User {
            id: UserId::new(),
            has_password: hash.is_some(),
            is_admin,
            created_at: now,
            suspended_at: None,
            name: name.clone(),
        };
        let sql = "INSERT INTO users (id, name, name_key, password_hash, is_admin, created_at) VALUES ($1, $2, $3, $4, $5, $6)";
        let values = values![user.id.to_string(), name.as_str(), names::name_key(&name), hash, is_admin, now];
        match self.inner.tables.execute(sql, values).await {
            Ok(_) => Ok(user),
            Err(TablesError::Unique(_)) => Err(WireError::new(
                ErrorCode::NameTaken,
                format!("A user called {name} exists, or one whose name looks the same."),
            )),
            Err(error) => Err(store_failed(error)),
        }
    }

    /// A page of the users, ordered by name, those after the name `after`.
    pub async fn users(&self, after: Option<&str>, limit: u32) -> Result<Vec<User>, WireError> {
        let sql = format!("SELECT {COLUMNS} FROM users WHERE name_key > $1 ORDER BY name_key LIMIT $2");
        let too_long = || WireError::new(ErrorCode::Invalid, "Nobody has a name that is as long as `after`.");
        let after = after.map(|name| names::name_key(name).ok_or_else(too_long)).transpose()?.unwrap_or_default();
        let rows = self.inner.tables.query(sql, values![after, limit]).await.map_err(store_failed)?;
        rows.iter().map(User::from_row).collect::<Result<_, _>>().map_err(store_failed)
    }

    /// A user by id or name (whatever its case); `None` when there is none.
    pub async fn user(&self, id_or_name: &str) -> Result<Option<User>, WireError> {
        let (column, value) = match id_or_name.parse::<UserId>() {
            Ok(id) => ("id", Some(id.to_string())),
            // Without a key it is NULL, which nobody has.
            Err(_) => ("name_key", names::name_key(id_or_name)),
        };
        let sql = format!("SELECT {COLUMNS} FROM users WHERE {column} = $1");
        let row = self.inner.tables.query_opt(sql, values![value]).await.map_err(store_failed)?;
        row.as_ref().map(User::from_row).transpose().map_err(store_failed)
    }

    /// Suspends a user (no way in works any more, sessions end, open rooms are told) or lets them in again.
    /// Nobody suspends themselves, so that an administrator always remains.
    pub async fn set_suspended(&self, by: &Identity, user: UserId, suspended: bool) -> Result<User, WireError> {
        if by.user == user && suspended {
            return Err(WireError::new(ErrorCode::Invalid, "You cannot suspend yourself."));
        }
        let at = suspended.then(|| self.inner.clock.now_ms());
        let mut tx = self.inner.tables.begin().await.map_err(store_failed)?;
        let sql = format!("UPDATE users SET suspended_at = $2 WHERE id = $1 RETURNING {COLUMNS}");
        let row = tx.query_opt(sql, values![user.to_string(), at]).await.map_err(store_failed)?;
        let Some(row) = row else { return Err(WireError::plain(ErrorCode::NotFound)) };
        let changed = User::from_row(&row).map_err(store_failed)?;
        if suspended {
            let sql = "DELETE FROM sessions WHERE user_id = $1";
            tx.execute(sql, values![user.to_string()]).await.map_err(store_failed)?;
        }
        let sql = "SELECT task_id FROM members WHERE user_id = $1";
        let tasks = tx.query(sql, values![user.to_string()]).await.map_err(store_failed)?;
        tx.commit().await.map_err(store_failed)?;
        self.announce_access(user, None).await;
        for row in tasks {
            let task: TaskId = row.parse(0).map_err(store_failed)?;
            self.announce_role(task, user).await;
        }
        Ok(changed)
    }

    /// Takes password, sessions and tokens from a user: they come in again by a link that an administrator gives them.
    /// Who proves who they are elsewhere still does.
    pub async fn reset(&self, user: UserId) -> Result<(), WireError> {
        let id = user.to_string();
        // Links first, then the user: in the order in which a link signs in. What sessions and tokens come of does so
        // while it holds the user's row, so that they are all found after it.
        let statements = [
            "DELETE FROM sign_in_links WHERE user_id = $1",
            "UPDATE users SET password_hash = NULL WHERE id = $1",
            "DELETE FROM sessions WHERE user_id = $1",
            "DELETE FROM tokens WHERE user_id = $1",
        ];
        let statements = statements.map(|sql| coderoom_backing::tables::Statement::new(sql, values![id.as_str()]));
        self.inner.tables.batch(statements.to_vec()).await.map_err(store_failed)?;
        self.announce_access(user, None).await;
        Ok(())
    }

    /// Gives somebody a new password and ends their other sessions. Who has a password must say it. `sign_in_required` when
    /// what they came with ended meanwhile (hashing waits its turn), `wrong_password` when the password changed.
    pub async fn change_password(
        &self,
        identity: &Identity,
        current: Option<String>,
        new: String,
    ) -> Result<(), super::SignInError> {
        password::check_rules(&new, self.inner.settings.min_password_length)?;
        let sql = "SELECT password_hash FROM users WHERE id = $1";
        let row = self.inner.tables.query_opt(sql, values![identity.user.to_string()]).await.map_err(store_failed)?;
        let row = row.ok_or_else(|| WireError::plain(ErrorCode::SignInRequired))?;
        let before = row.opt_text(0).map_err(store_failed)?.map(str::to_owned);
        if before.is_some() {
            let key = names::name_key(&identity.name).unwrap_or_default();
            self.inner.attempts.count_own(&key).map_err(super::SignInError::TooMany)?;
            if !self.inner.hasher.verify(before.clone(), current.unwrap_or_default()).await? {
                return Err(wrong_password().into());
            }
        }
        let hash = self.inner.hasher.hash(new).await?;
        self.put_password(identity, before.as_deref(), &hash).await?;
        Ok(())
    }

    /// Stores a new hash in place of the one that was there `before`, and ends other sessions and links to sign in.
    pub(super) async fn put_password(
        &self,
        identity: &Identity,
        before: Option<&str>,
        hash: &str,
    ) -> Result<(), WireError> {
        let mut tx = self.inner.tables.begin().await.map_err(store_failed)?;
        // Links before the user, in the order in which a sign-in by link locks them.
        let links = "DELETE FROM sign_in_links WHERE user_id = $1";
        tx.execute(links, values![identity.user.to_string()]).await.map_err(store_failed)?;
        self.hold_signed_in(&mut tx, identity).await?;
        let sql =
            "UPDATE users SET password_hash = $2 WHERE id = $1 AND COALESCE(password_hash, '') = COALESCE($3, '')";
        let changed = tx.execute(sql, values![identity.user.to_string(), hash, before]).await.map_err(store_failed)?;
        if changed == 0 {
            return Err(wrong_password());
        }
        let sessions = other_sessions(identity);
        tx.execute(sessions.sql, sessions.values).await.map_err(store_failed)?;
        tx.commit().await.map_err(store_failed)?;
        self.announce_access(identity.user, None).await;
        Ok(())
    }
}

fn wrong_password() -> WireError {
    WireError::new(ErrorCode::WrongPassword, "The current password is wrong.")
}

/// `not_found`, with as much of the name as a name may have.
pub(crate) fn no_such_user(name: &str) -> WireError {
    let name: String = name.chars().take(names::MAX_NAME_CHARACTERS).collect();
    WireError::new(ErrorCode::NotFound, format!("There is no user {name:?} here."))
}
