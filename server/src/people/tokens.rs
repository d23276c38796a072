//! API tokens: how programs say who they work for. The secret is shown once, when the token is made.

use coderoom_backing::{tables::Tx, values};
use coderoom_protocol::{
    ids::{TaskId, UserId},
    people::Scope,
    problem::{ErrorCode, WireError},
};
use uuid::Uuid;

use super::{
    Credential, Grant, Identity, Known, People, TOKEN_PREFIX, secrets, sessions::TOUCH_INTERVAL_MS, store_failed,
};

/// Longest name of a token, in characters.
pub const MAX_TOKEN_NAME_CHARACTERS: usize = 100;

/// Most tasks that a token may name.
const MAX_NAMED_TASKS: usize = 50;

/// Most scopes that may be said of a token.
const MAX_SCOPES: usize = Scope::ALL.len();

/// Most tokens of one user.
const MAX_TOKENS: i64 = 200;

/// A token without its secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Token {
    /// Its id, for deleting it.
    pub id: Uuid,
    /// What its owner calls it.
    pub name: String,
    /// When it was made, in milliseconds since the Unix epoch.
    pub created_at: i64,
    /// When it stops working; `None`: never.
    pub expires_at: Option<i64>,
    /// When it was last used, within a minute.
    pub last_used_at: Option<i64>,
    /// What its bearer may do.
    pub scopes: Vec<Scope>,
    /// The only tasks it is good for; `None`: all of its user's.
    pub tasks: Option<Vec<TaskId>>,
}

/// What a new token is like.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TokenWish {
    /// What its owner calls it.
    pub name: String,
    /// When it stops working, in milliseconds since the Unix epoch; `None`: never.
    pub expires_at: Option<i64>,
    /// What its bearer may do; `None`: all its user may.
    pub scopes: Option<Vec<Scope>>,
    /// The only tasks it is good for; `None`: all.
    pub tasks: Option<Vec<TaskId>>,
}

/// A token that was just made.
#[derive(Clone, Debug)]
pub struct NewToken {
    /// What is stored of it.
    pub token: Token,
    /// The secret; it cannot be had again.
    pub secret: String,
}

impl People {
    /// Makes a token with every scope for a user. It stops working at `expires_at` (milliseconds since the Unix epoch).
    pub async fn create_token(&self, user: UserId, name: &str, expires_at: Option<i64>) -> Result<NewToken, WireError> {
        let wish = TokenWish { name: name.to_owned(), expires_at, ..TokenWish::default() };
        let tx = self.inner.tables.begin().await.map_err(store_failed)?;
        self.put_token(tx, user, user, wish).await
    }

    /// Makes a token for a user, by themselves or an administrator. `invalid` when a value breaks a rule, or the user has
    /// too many; `sign_in_required` when what the maker came with has ended meanwhile.
    pub async fn create_scoped_token(
        &self,
        by: &Identity,
        user: UserId,
        mut wish: TokenWish,
    ) -> Result<NewToken, WireError> {
        // A token makes none that outlives it. A session does: that is how programs get theirs.
        let ends = !matches!(by.grant.credential, Credential::Session(_)) && by.grant.until < i64::MAX;
        if ends && wish.expires_at.is_none_or(|at| at > by.grant.until) {
            wish.expires_at = Some(by.grant.until);
        }
        let mut tx = self.inner.tables.begin().await.map_err(store_failed)?;
        self.hold_signed_in(&mut tx, by).await?;
        self.put_token(tx, by.user, user, wish).await
    }

    async fn put_token(&self, mut tx: Tx, by: UserId, user: UserId, wish: TokenWish) -> Result<NewToken, WireError> {
        let TokenWish { name, expires_at, scopes, tasks } = check(wish)?;
        self.check_future(expires_at)?;
        let now = self.inner.clock.now_ms();
        let sql = "SELECT count(*) FROM tokens WHERE user_id = $1";
        let count = tx.query_opt(sql, values![user.to_string()]).await.map_err(store_failed)?;
        if count.map_or(Ok(0), |row| row.int(0)).map_err(store_failed)? >= MAX_TOKENS {
            let text = format!("One user has at most {MAX_TOKENS} tokens. Delete one first.");
            return Err(WireError::new(ErrorCode::Invalid, text));
        }
        let secret = format!("{TOKEN_PREFIX}{}", secrets::new_secret());
        let words = scopes.as_ref().map(|scopes| join(scopes.iter().map(|scope| scope.as_str())));
        let ids = tasks.as_ref().map(|tasks| join(tasks.iter()));
        let scopes = scopes.unwrap_or_else(|| Scope::ALL.to_vec());
        let token = Token { id: Uuid::now_v7(), name, created_at: now, expires_at, last_used_at: None, scopes, tasks };
        let sql = "INSERT INTO tokens (id, hash, user_id, name, created_at, expires_at, scopes, tasks) \
                   VALUES ($1, $2, $3, $4, $5, $6, $7, $8)";
        let hash = secrets::hash(&secret);
        let (id, name) = (token.id.to_string(), token.name.as_str());
        let values = values![id, hash.as_slice(), user.to_string(), name, now, expires_at, words, ids];
        tx.execute(sql, values).await.map_err(store_failed)?;
        tx.commit().await.map_err(store_failed)?;
        let whose = if by == user { String::new() } else { format!(" for {user}") };
        let detail = format!("{} {}{whose}", token.id, join(token.scopes.iter().map(|scope| scope.as_str())));
        self.note(by, super::Action::CreateToken, None, &detail).await;
        Ok(NewToken { token, secret })
    }

    /// A user's tokens, newest first.
    pub async fn tokens(&self, user: UserId) -> Result<Vec<Token>, WireError> {
        let sql = "SELECT id, name, created_at, expires_at, last_used_at, scopes, tasks FROM tokens \
                   WHERE user_id = $1 ORDER BY id DESC";
        let rows = self.inner.tables.query(sql, values![user.to_string()]).await.map_err(store_failed)?;
        let token = |row: &coderoom_backing::tables::Row| {
            let grant = Grant::stored(row.opt_text(5)?, row.opt_text(6)?, 0, Credential::Outside);
            let words = grant.words();
            Ok(Token {
                id: row.parse(0)?,
                name: row.text(1)?.to_owned(),
                created_at: row.int(2)?,
                expires_at: row.opt_int(3)?,
                last_used_at: row.opt_int(4)?,
                scopes: Scope::ALL.into_iter().filter(|scope| words.split(' ').any(|w| w == scope.as_str())).collect(),
                tasks: grant.tasks().map(<[_]>::to_vec),
            })
        };
        rows.iter().map(token).collect::<Result<_, _>>().map_err(store_failed)
    }

    /// Deletes a user's token; it stops working at once. `not_found` when the user has no such token.
    pub async fn delete_token(&self, user: UserId, id: Uuid) -> Result<(), WireError> {
        let sql = "DELETE FROM tokens WHERE id = $1 AND user_id = $2";
        let values = values![id.to_string(), user.to_string()];
        if self.inner.tables.execute(sql, values).await.map_err(store_failed)? == 0 {
            return Err(WireError::plain(ErrorCode::NotFound));
        }
        self.announce_access(user, None).await;
        self.note(user, super::Action::DeleteToken, None, &id.to_string()).await;
        Ok(())
    }

    /// Who a token stands for.
    pub(super) async fn find_token(&self, hash: secrets::SecretHash) -> Result<Option<Known>, WireError> {
        let sql = "SELECT u.id, u.name, u.is_admin, t.id, t.expires_at, t.last_used_at, t.scopes, t.tasks FROM tokens t \
                   JOIN users u ON u.id = t.user_id WHERE t.hash = $1 AND u.suspended_at IS NULL";
        let row = self.inner.tables.query_opt(sql, values![hash.as_slice()]).await.map_err(store_failed)?;
        let Some(row) = row else { return Ok(None) };
        let until = row.opt_int(4).map_err(store_failed)?.unwrap_or(i64::MAX);
        let now = self.inner.clock.now_ms();
        if now >= until {
            return Ok(None);
        }
        let last_used = row.opt_int(5).map_err(store_failed)?.unwrap_or(i64::MIN);
        if now.saturating_sub(last_used) >= TOUCH_INTERVAL_MS {
            let id = row.text(3).map_err(store_failed)?;
            let touch = "UPDATE tokens SET last_used_at = $2 WHERE id = $1";
            if let Err(error) = self.inner.tables.execute(touch, values![id, now]).await {
                tracing::warn!(%error, "the last use of a token could not be stored");
            }
        }
        let grant = |row: &coderoom_backing::tables::Row| {
            let credential = Credential::Token(row.text(3)?.into());
            Ok(Grant::stored(row.opt_text(6)?, row.opt_text(7)?, until, credential))
        };
        let identity = grant(&row).and_then(|grant| Identity::from_row(&row, 0, grant)).map_err(store_failed)?;
        Ok(Some(Known { identity, until, new_key_at: i64::MAX }))
    }
}

/// Refuses names, scopes and tasks that break a rule (`invalid`).
fn check(wish: TokenWish) -> Result<TokenWish, WireError> {
    let name = wish.name.trim().to_owned();
    if name.is_empty() || name.chars().count() > MAX_TOKEN_NAME_CHARACTERS || name.chars().any(char::is_control) {
        let text = format!(
            "A token's name has 1 to {MAX_TOKEN_NAME_CHARACTERS} characters, none of them a control character."
        );
        return Err(WireError::new(ErrorCode::Invalid, text));
    }
    if wish.scopes.as_ref().is_some_and(|scopes| scopes.is_empty() || scopes.len() > MAX_SCOPES) {
        let text = format!("A token has 1 to {MAX_SCOPES} scopes: read, edit, run or admin.");
        return Err(WireError::new(ErrorCode::Invalid, text));
    }
    // Each once, in their order.
    let scopes = wish.scopes.map(|said| Scope::ALL.into_iter().filter(|scope| said.contains(scope)).collect());
    if wish.tasks.as_ref().is_some_and(|tasks| tasks.is_empty() || tasks.len() > MAX_NAMED_TASKS) {
        let text = format!("A token for named tasks names 1 to {MAX_NAMED_TASKS} of them.");
        return Err(WireError::new(ErrorCode::Invalid, text));
    }
    Ok(TokenWish { name, scopes, ..wish })
}

fn join(words: impl Iterator<Item = impl ToString>) -> String {
    words.map(|word| word.to_string()).collect::<Vec<_>>().join(" ")
}
