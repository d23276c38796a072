//! People and programs: who somebody is, and what they may do in a task.
//!
//! The tables are the truth; a look-up may be answered from a memory of a few seconds, and a change made by this
//! process counts at once.

mod attempts;
mod audit;
mod changes;
mod external;
mod grant;
mod jwks;
mod jwt;
mod links;
mod members;
mod names;
mod oidc;
mod origin;
mod pace;
mod password;
mod quota;
mod secrets;
mod sessions;
mod share_links;
mod sign_in_error;
mod standing;
mod tokens;
mod users;

use std::{sync::Arc, time::Duration};

use coderoom_backing::{
    bus::Bus,
    clock::Clock,
    tables::{Row, Statement, Tables, TablesError},
    values,
};
use coderoom_protocol::{
    control::UserSummary,
    ids::{TaskId, UserId},
    problem::{ErrorCode, WireError},
};
use moka::future::Cache;

pub(crate) use attempts::network_of;
pub use audit::{Action, AuditFilter};
pub use changes::AccessChange;
pub use grant::{Credential, Grant, Right};
pub use jwt::check_settings as check_jwt_settings;
pub use members::Member;
pub(crate) use members::live_role;
pub use names::{MAX_NAME_CHARACTERS, name_key, normal_name};
pub use oidc::{Departure, PENDING_COOKIE, PENDING_LIFETIME, ProviderSettings, load as load_providers};
pub use password::MAX_PASSWORD_BYTES;
pub use quota::Quota;
pub(crate) use quota::check_storage;
pub use secrets::TOKEN_PREFIX;
pub use sessions::{SESSION_COOKIE, Session, SignedIn};
pub use share_links::{NewShareLink, ShareLink};
pub use sign_in_error::SignInError;
pub use standing::Standing;
pub use tokens::{MAX_TOKEN_NAME_CHARACTERS, NewToken, Token, TokenWish};
pub use users::User;
pub(crate) use users::no_such_user;

use crate::config::topics;

/// Who sent a request. Made only by [`People`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    /// The user.
    pub user: UserId,
    /// The name shown to others.
    pub name: String,
    /// May administer the server (and has the role owner in every task): an administrator with a credential that allows it.
    pub is_admin: bool,
    /// What the credential they came with allows.
    pub grant: Grant,
}

impl Identity {
    /// Id and name, as clients see them.
    #[must_use]
    pub fn summary(&self) -> UserSummary {
        UserSummary { id: self.user, name: self.name.clone() }
    }

    /// Somebody with all the rights of their user: for the server's own work.
    #[must_use]
    pub fn whole(user: UserId, name: String, is_admin: bool) -> Self {
        Self { user, name, is_admin, grant: Grant::whole(Credential::Outside, i64::MAX) }
    }

    /// From the columns id, name, `is_admin` that begin at `column`.
    fn from_row(row: &Row, column: usize, grant: Grant) -> Result<Self, TablesError> {
        let is_admin = row.bool(column + 2)? && grant.is_whole();
        Ok(Self { user: row.parse(column)?, name: row.text(column + 1)?.to_owned(), is_admin, grant })
    }

    /// Refuses a credential that does not stand for its user in everything (`not_allowed`).
    pub fn require_whole(&self) -> Result<(), WireError> {
        if self.grant.is_whole() {
            return Ok(());
        }
        Err(WireError::new(
            ErrorCode::NotAllowed,
            format!("This needs a token with the scope admin for all tasks; yours has: {}.", self.grant.words()),
        ))
    }

    /// Refuses a credential that may not do this at all, in whatever task (`not_allowed`).
    pub fn require_scope(&self, scope: coderoom_protocol::people::Scope) -> Result<(), WireError> {
        if self.grant.allows(scope) {
            return Ok(());
        }
        Err(WireError::new(
            ErrorCode::NotAllowed,
            format!("This needs a token with the scope {}; yours has: {}.", scope.as_str(), self.grant.words()),
        ))
    }
}

/// What [`People`] needs to know besides its services.
#[derive(Clone, Debug, Default)]
pub struct PeopleSettings {
    /// Lifetimes, rules and bounds.
    pub people: topics::People,
    /// Origins of other sites whose pages may use a signed-in browser.
    pub trusted_origins: Vec<String>,
    /// The administrator's token for automation, if there is one.
    pub admin_token: Option<String>,
    /// Cookies are only sent over HTTPS.
    pub secure_cookies: bool,
    /// Other providers that one can sign in with.
    pub providers: Vec<ProviderSettings>,
    /// How much one user may have.
    pub quota: Quota,
    /// Requests a minute from one address and of one user; `None`: any number.
    pub requests: Option<(u32, u32)>,
}

/// A cheap handle to users, sessions, tokens and memberships.
#[derive(Clone, Debug)]
pub struct People {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    tables: Tables,
    bus: Bus,
    clock: Clock,
    settings: topics::People,
    trusted_origins: Vec<String>,
    secure: bool,
    providers: oidc::Providers,
    issuer: Option<jwt::Issuer>,
    quota: Quota,
    pace: pace::Pace,
    admin_token: Option<secrets::SecretHash>,
    hasher: password::PasswordHasher,
    attempts: attempts::Attempts,
    /// Sessions and tokens that were looked up lately, by the hash of their secret.
    known: Cache<secrets::SecretHash, Known>,
    /// Roles that were looked up lately. Only roles somebody has: a new member must not wait.
    roles: Cache<(UserId, TaskId), members::Place>,
    /// Whose access changed, for those who keep sockets open. Who is 1,024 changes behind looks at everybody.
    changes: tokio::sync::broadcast::Sender<AccessChange>,
}

/// Somebody a secret stands for.
#[derive(Clone, Debug)]
struct Known {
    identity: Identity,
    /// The secret stands for nobody from then on, in milliseconds since the Unix epoch.
    until: i64,
    /// From then on a session's key is replaced when it is used.
    new_key_at: i64,
}

/// Most look-ups of either kind that are remembered.
const REMEMBERED: u64 = 20_000;

/// Changes of access that a slow listener may be behind.
const CHANGES_REMEMBERED: usize = 1024;

impl People {
    /// The people in these tables. Reads nothing yet.
    #[must_use]
    pub fn open(tables: Tables, bus: Bus, clock: Clock, settings: PeopleSettings) -> Self {
        let PeopleSettings { people, trusted_origins, admin_token, secure_cookies, providers, quota, requests } =
            settings;
        let (per_address, per_user) = requests.unwrap_or((u32::MAX, u32::MAX));
        let inner = Inner {
            tables,
            bus,
            clock,
            trusted_origins,
            secure: secure_cookies,
            providers: oidc::Providers::new(providers),
            issuer: jwt::Issuer::of(&people),
            quota,
            pace: pace::Pace::new(per_address, per_user),
            admin_token: admin_token.as_deref().map(secrets::hash),
            hasher: password::PasswordHasher::new(people.hashing_at_once),
            attempts: attempts::Attempts::new(
                people.attempts_per_address,
                people.attempts_per_name,
                people.attempts_per_name_in_all,
            ),
            known: Cache::builder()
                .max_capacity(REMEMBERED)
                .time_to_live(people.cache_time)
                .support_invalidation_closures()
                .build(),
            roles: Cache::builder()
                .max_capacity(REMEMBERED)
                .time_to_live(people.cache_time)
                .support_invalidation_closures()
                .build(),
            changes: tokio::sync::broadcast::channel(CHANGES_REMEMBERED).0,
            settings: people,
        };
        Self { inner: Arc::new(inner) }
    }

    /// The identity behind an API token, or a signed token of the issuer in the settings; `None` when it is unknown or expired, or its user is suspended.
    pub async fn by_token(&self, token: &str) -> Result<Option<Identity>, WireError> {
        let hash = secrets::hash(token);
        if self.inner.admin_token.as_ref().is_some_and(|admin| secrets::same(admin, &hash)) {
            return self.first_admin().await;
        }
        let is_ours = token.starts_with(TOKEN_PREFIX);
        if !is_ours && (self.inner.issuer.is_none() || !jwt::looks_signed(token)) {
            return Ok(None);
        }
        if let Some(known) = self.remembered(&hash).await {
            return Ok(Some(known));
        }
        let found = if is_ours { self.find_token(hash).await? } else { self.find_signed(token).await? };
        Ok(self.remember(hash, found).await)
    }

    /// The identity behind the headers of a request: `Authorization: Bearer`, else the session cookie; `None` when there is
    /// neither, or it stands for nobody. A cookie counts only when the Origin, if sent, is the server's own or a trusted
    /// one (else `origin_refused`).
    pub async fn by_headers(&self, headers: &axum::http::HeaderMap) -> Result<Option<Identity>, WireError> {
        if let Some(token) = bearer(headers) {
            return self.by_token(token).await;
        }
        let Some(hash) = self.session_hash(headers) else { return Ok(None) };
        // A token in the cookie is no session, however well it is remembered.
        let is_session = |identity: &Identity| matches!(identity.grant.credential, Credential::Session(_));
        let identity = match self.remembered(&hash).await.filter(is_session) {
            Some(identity) => Some(identity),
            None => {
                let found = self.find_session(hash).await?;
                self.remember(hash, found).await
            }
        };
        if identity.is_some() {
            origin::check(headers, &self.inner.trusted_origins)?;
        }
        Ok(identity)
    }

    /// Refuses a request that a page of another site sent (`origin_refused`). For routes that set a cookie.
    pub fn check_origin(&self, headers: &axum::http::HeaderMap) -> Result<(), WireError> {
        origin::check(headers, &self.inner.trusted_origins)
    }

    /// Counts an attempt to use a code; when there were too many from this address, the time after which one is allowed.
    pub fn count_attempt(&self, address: std::net::IpAddr) -> Result<(), Duration> {
        self.inner.attempts.count(address, None)
    }

    /// Removes what has expired. Called now and then.
    pub async fn sweep(&self) -> Result<(), WireError> {
        let now = self.inner.clock.now_ms();
        let idle_before = now - ms(self.inner.settings.session_idle);
        let sessions = "DELETE FROM sessions WHERE expires_at <= $1 OR seen_at <= $2";
        let fallen_back = format!("{} AND expires_at <= $1", members::FALL_BACK);
        let mut statements =
            vec![Statement::new(sessions, values![now, idle_before]), Statement::new(fallen_back, values![now])];
        let others = ["sign_in_links", "pending_sign_ins", "members", "share_links"];
        statements.extend(
            others.map(|table| Statement::new(format!("DELETE FROM {table} WHERE expires_at <= $1"), values![now])),
        );
        self.inner.tables.batch(statements).await.map_err(store_failed)?;
        Ok(())
    }

    async fn remembered(&self, hash: &secrets::SecretHash) -> Option<Identity> {
        let known = self.inner.known.get(hash).await?;
        (self.inner.clock.now_ms() < known.until).then_some(known.identity)
    }

    async fn remember(&self, hash: secrets::SecretHash, found: Option<Known>) -> Option<Identity> {
        let known = found?;
        self.inner.known.insert(hash, known.clone()).await;
        Some(known.identity)
    }
}

/// The token of `Authorization: Bearer …`.
fn bearer(headers: &axum::http::HeaderMap) -> Option<&str> {
    let value = headers.get(axum::http::header::AUTHORIZATION)?.to_str().ok()?;
    let (scheme, token) = value.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
}

/// A duration in milliseconds, as times in the tables are.
fn ms(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}

/// The error for a client when the tables fail; the cause goes to the log.
fn store_failed(error: TablesError) -> WireError {
    if matches!(error, TablesError::Nul) {
        WireError::new(ErrorCode::BadRequest, error.to_string())
    } else if error.is_permanent() {
        tracing::error!(%error, "the tables refused a statement about people");
        WireError::plain(ErrorCode::Internal)
    } else {
        tracing::warn!(%error, "the tables do not answer");
        WireError::plain(ErrorCode::Unavailable)
    }
}

#[cfg(test)]
mod tests;
