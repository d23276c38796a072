//! Browser sessions: a random key in a cookie, its hash in the tables. A session ends when it is idle for too long, at
//! an absolute age, at sign-out, or when its user is suspended; each sign-in begins a new one and ends the one before.

use std::net::IpAddr;

use axum::http::{HeaderMap, header};
use coderoom_backing::{
    tables::{Row, Sql, Statement, Tx},
    values,
};
use coderoom_protocol::{
    ids::UserId,
    problem::{ErrorCode, WireError},
};

use uuid::Uuid;

use super::{Credential, Grant, Identity, Known, People, SignInError, ms, names, password, secrets, store_failed};

/// The cookie that holds a session's key.
pub const SESSION_COOKIE: &str = "coderoom_session";

/// Its name where cookies are only sent over HTTPS: browsers then refuse one that another host or a subpath has set.
pub(super) const SECURE_SESSION_COOKIE: &str = "__Host-coderoom_session";

/// How often at most the time of last use is written: once a minute.
pub(super) const TOUCH_INTERVAL_MS: i64 = 60_000;

/// How long a key that was replaced still works, for requests that were on their way: two minutes.
const OLD_KEY_MS: i64 = 120_000;

/// Longest name of a browser that is kept, in characters.
const MAX_AGENT_CHARACTERS: usize = 200;

/// Ends the session that has this key, or had it until lately; gives its user.
const END_BY_KEY: &str = "DELETE FROM sessions WHERE hash = $1 OR old_hash = $1 RETURNING user_id";

/// Id, name and `is_admin` of a user who may sign in and, if a hash is given, whose password still has it. Their row stays
/// as it is until the transaction ends: whoever changes it then finds, and ends, what came of it.
fn still_the_same() -> Sql {
    let sql = "SELECT id, name, is_admin FROM users WHERE id = $1 AND suspended_at IS NULL \
               AND COALESCE(password_hash, '') = COALESCE($2, password_hash, '')";
    Sql { sqlite: sql.into(), postgres: format!("{sql} FOR NO KEY UPDATE").into() }
}

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

/// A browser session, as its user sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Session {
    /// For ending it.
    pub id: String,
    /// When it began, in milliseconds since the Unix epoch.
    pub created_at: i64,
    /// When it was last used, within a minute.
    pub seen_at: i64,
    /// When it ends at the latest.
    pub expires_at: i64,
    /// What the browser called itself.
    pub agent: String,
    /// Where it signed in from.
    pub address: String,
}

/// The session key in a request's cookies.
pub(super) fn cookie<'h>(headers: &'h HeaderMap, cookie_name: &str) -> Option<&'h str> {
    headers
        .get_all(header::COOKIE)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(';'))
        .filter_map(|pair| pair.trim().split_once('='))
        .find(|(name, _)| *name == cookie_name)
        .map(|(_, key)| key)
}

impl People {
    /// The name of the cookie that holds a session's key here.
    #[must_use]
    pub fn cookie_name(&self) -> &'static str {
        if self.inner.secure { SECURE_SESSION_COOKIE } else { SESSION_COOKIE }
    }

    /// Whether cookies are only sent over HTTPS.
    #[must_use]
    pub fn has_secure_cookies(&self) -> bool {
        self.inner.secure
    }

    /// The hash of the session key in these headers.
    pub(super) fn session_hash(&self, headers: &HeaderMap) -> Option<secrets::SecretHash> {
        cookie(headers, self.cookie_name()).map(secrets::hash)
    }

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
        self.inner.attempts.count(address, key.as_deref()).map_err(SignInError::TooMany)?;
        if password.len() > password::MAX_PASSWORD_BYTES {
            return Err(WireError::plain(ErrorCode::WrongPassword).into());
        }
        let sql = "SELECT id, name, is_admin, password_hash FROM users WHERE name_key = $1 AND suspended_at IS NULL";
        // NULL is nobody's key.
        let row = self.inner.tables.query_opt(sql, values![key]).await.map_err(store_failed)?;
        let hash = match &row {
            Some(row) => row.opt_text(3).map_err(store_failed)?.map(str::to_owned),
            None => None,
        };
        let matches = self.inner.hasher.verify(hash.clone(), password).await?;
        let (Some(row), true) = (row, matches) else {
            return Err(WireError::plain(ErrorCode::WrongPassword).into());
        };
        let user = row.parse(0).map_err(store_failed)?;
        let tx = self.inner.tables.begin().await.map_err(store_failed)?;
        let signed_in = self.begin_session(tx, user, hash.as_deref(), address, before).await?;
        let signed_in = signed_in.ok_or_else(|| WireError::plain(ErrorCode::WrongPassword))?;
        self.note_from(signed_in.identity.user, Some(address), super::Action::SignIn, None, "password").await;
        Ok(signed_in)
    }

    /// Begins a session for somebody who proved who they are, at the end of this transaction; `by_hash` is that of the
    /// password they proved it with. `None`: they were suspended meanwhile, or have another password or none (checking
    /// one waits its turn, and that may be long). Nothing of the transaction is stored then.
    pub(super) async fn begin_session(
        &self,
        mut tx: Tx,
        user: UserId,
        by_hash: Option<&str>,
        address: IpAddr,
        before: &HeaderMap,
    ) -> Result<Option<SignedIn>, WireError> {
        let Some(row) =
            tx.query_opt(still_the_same(), values![user.to_string(), by_hash]).await.map_err(store_failed)?
        else {
            return Ok(None);
        };
        let (key, id) = (secrets::new_secret(), Uuid::now_v7().to_string());
        let now = self.inner.clock.now_ms();
        let lifetime = self.inner.settings.session_lifetime;
        let until = now.saturating_add(ms(lifetime));
        let grant = Grant::whole(Credential::Session(id.as_str().into()), until);
        let identity = Identity::from_row(&row, 0, grant).map_err(store_failed)?;
        let agent = before.get(header::USER_AGENT).and_then(|agent| agent.to_str().ok()).unwrap_or_default();
        let agent: String = agent.chars().take(MAX_AGENT_CHARACTERS).collect();
        let mut statements = vec![Statement::new(
            "INSERT INTO sessions (hash, user_id, created_at, seen_at, expires_at, id, agent, address, keyed_at) \
             VALUES ($1, $2, $3, $3, $4, $5, $6, $7, $3)",
            values![
                secrets::hash(&key).as_slice(),
                identity.user.to_string(),
                now,
                until,
                id,
                agent,
                address.to_string()
            ],
        )];
        let old = self.session_hash(before);
        if let Some(old) = old {
            statements.push(Statement::new(END_BY_KEY, values![old.as_slice()]));
        }
        let ended = tx.batch(statements).await.map_err(store_failed)?;
        tx.commit().await.map_err(store_failed)?;
        self.forget_ended(old, &ended).await?;
        Ok(Some(SignedIn { identity, key, max_age_s: lifetime.as_secs() }))
    }

    /// Ends the session in these headers, if there is one.
    pub async fn sign_out(&self, headers: &HeaderMap) -> Result<(), WireError> {
        let Some(hash) = self.session_hash(headers) else { return Ok(()) };
        super::origin::check(headers, &self.inner.trusted_origins)?;
        let statement = Statement::new(END_BY_KEY, values![hash.as_slice()]);
        let ended = self.inner.tables.batch(vec![statement]).await.map_err(store_failed)?;
        self.forget_ended(Some(hash), &ended).await
    }

    /// Forgets a key, and tells all nodes of the sessions that [`END_BY_KEY`] ended.
    async fn forget_ended(&self, key: Option<secrets::SecretHash>, ended: &[Vec<Row>]) -> Result<(), WireError> {
        if let Some(key) = key {
            self.inner.known.invalidate(&key).await;
        }
        for row in ended.iter().flatten() {
            self.announce_access(row.parse(0).map_err(store_failed)?, None).await;
        }
        Ok(())
    }

    /// Who a session's key stands for.
    pub(super) async fn find_session(&self, hash: secrets::SecretHash) -> Result<Option<Known>, WireError> {
        let now = self.inner.clock.now_ms();
        let sql = "SELECT u.id, u.name, u.is_admin, s.seen_at, s.expires_at, s.id, s.keyed_at, s.hash, s.old_until \
                   FROM sessions s JOIN users u ON u.id = s.user_id \
                   WHERE (s.hash = $1 OR (s.old_hash = $1 AND s.old_until > $2)) AND u.suspended_at IS NULL";
        let row = self.inner.tables.query_opt(sql, values![hash.as_slice(), now]).await.map_err(store_failed)?;
        let Some(row) = row else { return Ok(None) };
        let (seen, expires) = (row.int(3).map_err(store_failed)?, row.int(4).map_err(store_failed)?);
        let idle = ms(self.inner.settings.session_idle);
        if now >= expires || now >= seen.saturating_add(idle) {
            return Ok(None);
        }
        let id = row.text(5).map_err(store_failed)?;
        let mut last_use = seen;
        if now - seen >= TOUCH_INTERVAL_MS {
            let touch = "UPDATE sessions SET seen_at = $2 WHERE id = $1";
            match self.inner.tables.execute(touch, values![id, now]).await {
                Ok(_) => last_use = now,
                // Reading goes on while storing fails; the session is only a little older than it should be.
                Err(error) => tracing::warn!(%error, "the last use of a session could not be stored"),
            }
        }
        let until = expires.min(last_use.saturating_add(idle));
        let grant = Grant::whole(Credential::Session(id.into()), until);
        let is_old = row.blob(7).map_err(store_failed)? != hash.as_slice();
        let old_until = row.opt_int(8).map_err(store_failed)?.unwrap_or(i64::MIN);
        let rotation = ms(self.inner.settings.session_rotation);
        Ok(Some(Known {
            identity: Identity::from_row(&row, 0, grant).map_err(store_failed)?,
            until: if is_old { until.min(old_until) } else { until },
            new_key_at: if is_old { i64::MAX } else { row.int(6).map_err(store_failed)?.saturating_add(rotation) },
        }))
    }

    /// A new key for the session in these headers, when the present one is old. The old one works for two minutes more.
    /// `None`: it stays, or there is no session that was used just now.
    pub async fn rotate(&self, headers: &HeaderMap) -> Option<SignedIn> {
        let hash = self.session_hash(headers)?;
        let known = self.inner.known.get(&hash).await?;
        let now = self.inner.clock.now_ms();
        if now < known.new_key_at || now >= known.until {
            return None;
        }
        let key = secrets::new_secret();
        let sql = "UPDATE sessions SET hash = $2, old_hash = $1, old_until = $3, keyed_at = $4 WHERE hash = $1 \
                   RETURNING expires_at";
        let values = values![hash.as_slice(), secrets::hash(&key).as_slice(), now + OLD_KEY_MS, now];
        let changed = self.inner.tables.batch(vec![Statement::new(sql, values)]).await;
        self.inner.known.invalidate(&hash).await;
        let expires_at = changed.and_then(|rows| rows.iter().flatten().next().map(|row| row.int(0)).transpose());
        match expires_at {
            // Another request got the new key.
            Ok(None) => None,
            Ok(Some(expires_at)) => {
                // Not the idle end, which moves with every use: the cookie would go while the session is good.
                let left = expires_at.saturating_sub(now) / 1000;
                Some(SignedIn { identity: known.identity, key, max_age_s: u64::try_from(left).unwrap_or_default() })
            }
            Err(error) => {
                tracing::warn!(%error, "a session keeps its key: the new one could not be stored");
                None
            }
        }
    }

    /// A user's sessions that have not ended, the last used first.
    pub async fn sessions(&self, user: UserId) -> Result<Vec<Session>, WireError> {
        let now = self.inner.clock.now_ms();
        let sql = "SELECT id, created_at, seen_at, expires_at, agent, address FROM sessions \
                   WHERE user_id = $1 AND expires_at > $2 AND seen_at > $3 ORDER BY seen_at DESC, id LIMIT 200";
        let values = values![user.to_string(), now, now - ms(self.inner.settings.session_idle)];
        let rows = self.inner.tables.query(sql, values).await.map_err(store_failed)?;
        let read = |row: &Row| {
            Ok(Session {
                id: row.text(0)?.to_owned(),
                created_at: row.int(1)?,
                seen_at: row.int(2)?,
                expires_at: row.int(3)?,
                agent: row.opt_text(4)?.unwrap_or_default().to_owned(),
                address: row.opt_text(5)?.unwrap_or_default().to_owned(),
            })
        };
        rows.iter().map(read).collect::<Result<_, _>>().map_err(store_failed)
    }

    /// Ends one of a user's sessions. `not_found` when the user has no such session.
    pub async fn end_session(&self, user: UserId, id: &str) -> Result<(), WireError> {
        let sql = "DELETE FROM sessions WHERE id = $1 AND user_id = $2";
        if self.inner.tables.execute(sql, values![id, user.to_string()]).await.map_err(store_failed)? == 0 {
            return Err(WireError::plain(ErrorCode::NotFound));
        }
        self.announce_access(user, None).await;
        Ok(())
    }

    /// Ends somebody's sessions but the one that they come with, whichever of its keys they showed.
    pub async fn end_other_sessions(&self, by: &Identity) -> Result<(), WireError> {
        let Statement { sql, values } = other_sessions(by);
        self.inner.tables.execute(sql, values).await.map_err(store_failed)?;
        self.announce_access(by.user, None).await;
        Ok(())
    }
}

/// Ends somebody's sessions but the one that they come with.
pub(super) fn other_sessions(by: &Identity) -> Statement {
    let keep = match &by.grant.credential {
        Credential::Session(id) => &**id,
        Credential::Token(_) | Credential::Outside => "",
    };
    Statement::new("DELETE FROM sessions WHERE user_id = $1 AND id <> $2", values![by.user.to_string(), keep])
}
