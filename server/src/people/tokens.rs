//! API tokens: how programs say who they work for. The secret is shown once, when the token is made.

use coderoom_backing::values;
use coderoom_protocol::{
    ids::UserId,
    problem::{ErrorCode, WireError},
};
use uuid::Uuid;

use super::{Identity, Known, People, TOKEN_PREFIX, secrets, sessions::TOUCH_INTERVAL_MS, store_failed};

/// Longest name of a token, in characters.
pub const MAX_TOKEN_NAME_CHARACTERS: usize = 100;

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
    /// Makes a token for a user. It stops working at `expires_at` (milliseconds since the Unix epoch).
    pub async fn create_token(&self, user: UserId, name: &str, expires_at: Option<i64>) -> Result<NewToken, WireError> {
        let name = name.trim();
        if name.is_empty() || name.chars().count() > MAX_TOKEN_NAME_CHARACTERS || name.chars().any(char::is_control) {
            let text = format!(
                "A token's name has 1 to {MAX_TOKEN_NAME_CHARACTERS} characters, none of them a control character."
            );
            return Err(WireError::new(ErrorCode::Invalid, text));
        }
        let now = self.inner.clock.now_ms();
        if expires_at.is_some_and(|at| at <= now) {
            return Err(WireError::new(ErrorCode::Invalid, "The token's expiry lies in the past."));
        }
        let secret = format!("{TOKEN_PREFIX}{}", secrets::new_secret());
        let token =
            Token { id: Uuid::now_v7(), name: name.to_owned(), created_at: now, expires_at, last_used_at: None };
        let sql =
            "INSERT INTO tokens (id, hash, user_id, name, created_at, expires_at) VALUES ($1, $2, $3, $4, $5, $6)";
        let hash = secrets::hash(&secret);
        let values = values![token.id.to_string(), hash.as_slice(), user.to_string(), name, now, expires_at];
        self.inner.tables.execute(sql, values).await.map_err(store_failed)?;
        Ok(NewToken { token, secret })
    }

    /// A user's tokens, newest first.
    pub async fn tokens(&self, user: UserId) -> Result<Vec<Token>, WireError> {
        let sql =
            "SELECT id, name, created_at, expires_at, last_used_at FROM tokens WHERE user_id = $1 ORDER BY id DESC";
        let rows = self.inner.tables.query(sql, values![user.to_string()]).await.map_err(store_failed)?;
        let token = |row: &coderoom_backing::tables::Row| {
            Ok(Token {
                id: row.parse(0)?,
                name: row.text(1)?.to_owned(),
                created_at: row.int(2)?,
                expires_at: row.opt_int(3)?,
                last_used_at: row.opt_int(4)?,
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
        self.inner.known.invalidate_all();
        Ok(())
    }

    /// Who a token stands for.
    pub(super) async fn find_token(&self, hash: secrets::SecretHash) -> Result<Option<Known>, WireError> {
        let sql = "SELECT u.id, u.name, u.is_admin, t.id, t.expires_at, t.last_used_at FROM tokens t \
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
        Ok(Some(Known { identity: Identity::from_row(&row, 0).map_err(store_failed)?, until }))
    }
}
