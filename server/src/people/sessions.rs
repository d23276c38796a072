//! Browser sessions: a random key in a cookie, its hash in the tables. A session ends when it is idle for too long, at
//! an absolute age, at sign-out, or when its user is suspended; each sign-in begins a new one and ends the one before.

use std::net::IpAddr;

use axum::http::{HeaderMap, header};
use coderoom_backing::{tables::Statement, values};
use coderoom_protocol::{
    ids::UserId,
    problem::{ErrorCode, WireError},
};

use super::{Identity, Known, People, SignInError, ms, names, password, secrets, store_failed};

/// The cookie that holds a session's key.
pub const SESSION_COOKIE: &str = "coderoom_session";

/// How often at most the time of last use is written: once a minute.
pub(super) const TOUCH_INTERVAL_MS: i64 = 60_000;

/// Somebody who just signed in.
#[derive(Debug)]
pub struct SignedIn {
    /// Who it is.
    pub identity: Identity,
    /// The session's key, for the cookie and nothing else.
    pub key: String,
    /// Seconds after which the session ends whatever happens.
    pub max_age_s: u64,
}

/// The session key in a request's cookies.
pub(super) fn cookie(headers: &HeaderMap) -> Option<&str> {
    headers
        .get_all(header::COOKIE)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(';'))
        .filter_map(|pair| pair.trim().split_once('='))
        .find(|(name, _)| *name == SESSION_COOKIE)
        .map(|(_, key)| key)
}

impl People {
    /// Signs somebody in by name and password. `before` are the request's headers: a session in them ends.
    /// Unknown names, wrong passwords and suspended users all give `wrong_password` after the same time.
    pub async fn sign_in(
        &self,
        name: &str,
        password: String,
        address: IpAddr,
        before: &HeaderMap,
    ) -> Result<SignedIn, SignInError> {
        let key = names::name_key(name);
        self.inner.attempts.count(address, Some(&key)).map_err(SignInError::TooMany)?;
        if password.len() > password::MAX_PASSWORD_BYTES {
            return Err(WireError::plain(ErrorCode::WrongPassword).into());
        }
        let sql = "SELECT id, name, is_admin, password_hash FROM users WHERE name_key = $1 AND suspended_at IS NULL";
        let row = self.inner.tables.query_opt(sql, values![key]).await.map_err(store_failed)?;
        let hash = match &row {
            Some(row) => row.opt_text(3).map_err(store_failed)?.map(str::to_owned),
            None => None,
        };
        let matches = self.inner.hasher.verify(hash, password).await?;
        let (Some(row), true) = (row, matches) else {
            return Err(WireError::plain(ErrorCode::WrongPassword).into());
        };
        let identity = Identity::from_row(&row, 0).map_err(store_failed)?;
        Ok(self.begin_session(identity, before).await?)
    }

    /// Begins a session for somebody who proved who they are.
    pub(super) async fn begin_session(&self, identity: Identity, before: &HeaderMap) -> Result<SignedIn, WireError> {
        let key = secrets::new_secret();
        let now = self.inner.clock.now_ms();
        let lifetime = self.inner.settings.session_lifetime;
        let mut statements = vec![Statement::new(
            "INSERT INTO sessions (hash, user_id, created_at, seen_at, expires_at) VALUES ($1, $2, $3, $3, $4)",
            values![secrets::hash(&key).as_slice(), identity.user.to_string(), now, now.saturating_add(ms(lifetime))],
        )];
        let old = cookie(before).map(secrets::hash);
        if let Some(old) = old {
            statements.push(Statement::new("DELETE FROM sessions WHERE hash = $1", values![old.as_slice()]));
        }
        self.inner.tables.batch(statements).await.map_err(store_failed)?;
        if let Some(old) = old {
            self.inner.known.invalidate(&old).await;
        }
        Ok(SignedIn { identity, key, max_age_s: lifetime.as_secs() })
    }

    /// Ends the session in these headers, if there is one.
    pub async fn sign_out(&self, headers: &HeaderMap) -> Result<(), WireError> {
        let Some(key) = cookie(headers) else { return Ok(()) };
        super::origin::check(headers, &self.inner.trusted_origins)?;
        let hash = secrets::hash(key);
        let sql = "DELETE FROM sessions WHERE hash = $1";
        self.inner.tables.execute(sql, values![hash.as_slice()]).await.map_err(store_failed)?;
        self.inner.known.invalidate(&hash).await;
        Ok(())
    }

    /// Who a session's key stands for.
    pub(super) async fn find_session(&self, hash: secrets::SecretHash) -> Result<Option<Known>, WireError> {
        let sql = "SELECT u.id, u.name, u.is_admin, s.seen_at, s.expires_at FROM sessions s \
                   JOIN users u ON u.id = s.user_id WHERE s.hash = $1 AND u.suspended_at IS NULL";
        let row = self.inner.tables.query_opt(sql, values![hash.as_slice()]).await.map_err(store_failed)?;
        let Some(row) = row else { return Ok(None) };
        let (seen, expires) = (row.int(3).map_err(store_failed)?, row.int(4).map_err(store_failed)?);
        let now = self.inner.clock.now_ms();
        let idle = ms(self.inner.settings.session_idle);
        if now >= expires || now >= seen.saturating_add(idle) {
            return Ok(None);
        }
        let mut last_use = seen;
        if now - seen >= TOUCH_INTERVAL_MS {
            let touch = "UPDATE sessions SET seen_at = $2 WHERE hash = $1";
            match self.inner.tables.execute(touch, values![hash.as_slice(), now]).await {
                Ok(_) => last_use = now,
                // Reading goes on while storing fails; the session is only a little older than it should be.
                Err(error) => tracing::warn!(%error, "the last use of a session could not be stored"),
            }
        }
        let identity = Identity::from_row(&row, 0).map_err(store_failed)?;
        Ok(Some(Known { identity, until: expires.min(last_use.saturating_add(idle)) }))
    }

    /// Ends a user's sessions but the one in these headers.
    pub(super) async fn end_other_sessions(&self, user: UserId, keep: &HeaderMap) -> Result<(), WireError> {
        let keep = cookie(keep).map(secrets::hash).unwrap_or_default();
        let sql = "DELETE FROM sessions WHERE user_id = $1 AND hash <> $2";
        self.inner.tables.execute(sql, values![user.to_string(), keep.as_slice()]).await.map_err(store_failed)?;
        self.inner.known.invalidate_all();
        Ok(())
    }
}
