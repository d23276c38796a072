//! Looks at many open places at once: whether their credentials still stand for somebody, and what these may do there now.
//! Nothing is answered from memory.

use coderoom_backing::{
    tables::{Row, Sql, TablesError, Tx, Value},
    values,
};
use coderoom_protocol::{
    ids::TaskId,
    problem::{ErrorCode, WireError},
    role::Role,
};

use super::{Credential, Identity, People, members::Place, ms, sessions::TOUCH_INTERVAL_MS, store_failed};

/// Places looked up by one statement: four values each, and databases take some thousand.
const PLACES_AT_ONCE: usize = 100;

/// What somebody has, as the tables say now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Standing {
    /// What they may do; never more than their credential allows.
    pub role: Role,
    /// When credential or membership end, in milliseconds since the Unix epoch.
    pub until: i64,
}

impl People {
    /// Where each of these stands; `None` for who may not be there any more. In the order of the question.
    pub async fn standings(&self, asked: &[(Identity, TaskId)]) -> Result<Vec<Option<Standing>>, WireError> {
        let mut standings = Vec::with_capacity(asked.len());
        for part in asked.chunks(PLACES_AT_ONCE) {
            let rows = self.inner.tables.query(question(part.len()), values_of(part)).await.map_err(store_failed)?;
            let mut found = vec![None; part.len()];
            for row in &rows {
                let index = usize::try_from(row.int(0).map_err(store_failed)?).unwrap_or(usize::MAX);
                if let (Some(slot), Some((identity, task))) = (found.get_mut(index), part.get(index)) {
                    *slot = self.judge(row, identity, *task).await.map_err(store_failed)?;
                }
            }
            standings.append(&mut found);
        }
        Ok(standings)
    }

    /// Where one stands. For what is done rarely and must not be answered from memory.
    pub async fn standing(&self, identity: &Identity, task: TaskId) -> Result<Option<Standing>, WireError> {
        Ok(self.standings(&[(identity.clone(), task)]).await?.pop().flatten())
    }

    /// Refuses a credential that was revoked or has ended since it was looked up, and one of a suspended user
    /// (`sign_in_required`). For what was begun some time ago.
    pub async fn still_signed_in(&self, identity: &Identity) -> Result<(), WireError> {
        let (sql, values) = stands(identity);
        let row = self.inner.tables.query_opt(sql, values).await.map_err(store_failed)?;
        self.refuse_unless(row.is_some(), identity)
    }

    /// The same in a transaction that is to store what outlasts the credential. Until it ends nobody suspends or resets the
    /// user, or changes their password: who does so next finds what was stored.
    pub(super) async fn hold_signed_in(&self, tx: &mut Tx, identity: &Identity) -> Result<(), WireError> {
        let lock = Sql {
            sqlite: "SELECT 1 FROM users WHERE id = $1".into(),
            postgres: "SELECT 1 FROM users WHERE id = $1 FOR NO KEY UPDATE".into(),
        };
        tx.query(lock, values![identity.user.to_string()]).await.map_err(store_failed)?;
        // A statement of its own: it sees what was stored while the lock was waited for.
        let (sql, values) = stands(identity);
        let row = tx.query_opt(sql, values).await.map_err(store_failed)?;
        self.refuse_unless(row.is_some(), identity)
    }

    fn refuse_unless(&self, is_stored: bool, identity: &Identity) -> Result<(), WireError> {
        if is_stored && self.inner.clock.now_ms() < identity.grant.until {
            return Ok(());
        }
        Err(WireError::plain(ErrorCode::SignInRequired))
    }

    async fn judge(&self, row: &Row, identity: &Identity, task: TaskId) -> Result<Option<Standing>, TablesError> {
        let now = self.inner.clock.now_ms();
        let grant = &identity.grant;
        let credential_until = match &grant.credential {
            Credential::Outside => grant.until,
            Credential::Token(_) if row.opt_text(4)?.is_none() => return Ok(None),
            Credential::Token(_) => row.opt_int(5)?.unwrap_or(i64::MAX),
            Credential::Session(id) => {
                let (Some(expires), Some(seen)) = (row.opt_int(6)?, row.opt_int(7)?) else { return Ok(None) };
                let idle = ms(self.inner.settings.session_idle);
                if now < seen.saturating_add(idle) && now - seen >= TOUCH_INTERVAL_MS {
                    // An open page counts as use.
                    let touch = "UPDATE sessions SET seen_at = $2 WHERE id = $1";
                    if let Err(error) = self.inner.tables.execute(touch, values![&**id, now]).await {
                        tracing::warn!(%error, "the last use of a session could not be stored");
                    }
                    expires.min(now.saturating_add(idle))
                } else {
                    expires.min(seen.saturating_add(idle))
                }
            }
        };
        let (mut member, mut member_until) = (row.opt_text(2)?, row.opt_int(3)?.unwrap_or(i64::MAX));
        if now >= member_until {
            // What they are for good, whatever a link gave them for a time.
            (member, member_until) = (row.opt_text(8)?, i64::MAX);
        }
        let member = member.and_then(Role::parse);
        let place = Place { is_admin: row.bool(1)?, role: member, until: member_until };
        let is_owner_as_admin = identity.is_admin && place.is_admin;
        let until = if is_owner_as_admin { credential_until } else { credential_until.min(member_until) };
        let role = place.role_of(identity.is_admin).filter(|_| grant.covers(task) && now < until);
        Ok(role.map(|role| Standing { role: role.min(grant.ceiling()), until }))
    }
}

/// Asks whether a credential is stored and its user is not suspended: one row if so.
fn stands(identity: &Identity) -> (String, Vec<Value>) {
    let (stored, id) = match &identity.grant.credential {
        Credential::Session(id) => ("EXISTS (SELECT 1 FROM sessions WHERE id = $2 AND user_id = u.id)", &**id),
        Credential::Token(id) => ("EXISTS (SELECT 1 FROM tokens WHERE id = $2 AND user_id = u.id)", &**id),
        Credential::Outside => ("$2 = ''", ""),
    };
    let sql = format!("SELECT 1 FROM users u WHERE u.id = $1 AND u.suspended_at IS NULL AND {stored}");
    (sql, values![identity.user.to_string(), id])
}

/// One row for each place whose task and user exist: its index, whether the user is an administrator, role and end of the
/// membership, the token's id and end, the session's end and last use, the membership's lasting role.
fn question(places: usize) -> String {
    let mut asked = String::new();
    for place in 0..places {
        let first = place * 4;
        let comma = if place == 0 { "" } else { ", " };
        asked.push_str(&format!("{comma}(${}, ${}, ${}, ${})", first + 1, first + 2, first + 3, first + 4));
    }
    format!(
        "WITH asked (place, user_id, task_id, credential) AS (VALUES {asked}) \
         SELECT a.place, u.is_admin, m.role, m.expires_at, k.id, k.expires_at, s.expires_at, s.seen_at, m.lasting_role \
         FROM asked a \
         JOIN users u ON u.id = a.user_id AND u.suspended_at IS NULL JOIN tasks t ON t.id = a.task_id \
         LEFT JOIN members m ON m.task_id = t.id AND m.user_id = u.id \
         LEFT JOIN tokens k ON k.id = a.credential AND k.user_id = u.id \
         LEFT JOIN sessions s ON s.id = a.credential AND s.user_id = u.id"
    )
}

fn values_of(part: &[(Identity, TaskId)]) -> Vec<Value> {
    let mut values = Vec::with_capacity(part.len() * 4);
    for (place, (identity, task)) in (0_i64..).zip(part) {
        let credential = match &identity.grant.credential {
            Credential::Session(id) | Credential::Token(id) => &**id,
            Credential::Outside => "",
        };
        values.extend(values![place, identity.user.to_string(), task.to_string(), credential]);
    }
    values
}
