//! Users who prove who they are elsewhere: an issuer and a subject stand for one user, made at the first visit.

use coderoom_backing::{tables::Row, values};
use coderoom_protocol::problem::{ErrorCode, WireError};

use super::{People, names, secrets, store_failed};

/// How often another name is tried when one is taken.
const NAMES_TRIED: usize = 5;

impl People {
    /// The columns id, name, `is_admin` of the user that an issuer knows as `subject`. `None`: suspended, or users of other
    /// issuers are not made by themselves here. `wish` is what the issuer calls them.
    pub(super) async fn external_user(
        &self,
        issuer: &str,
        subject: &str,
        wish: &str,
    ) -> Result<Option<Row>, WireError> {
        if let Some((row, is_suspended)) = self.find_external(issuer, subject).await? {
            return Ok((!is_suspended).then_some(row));
        }
        if !self.inner.settings.create_external_users {
            return Ok(None);
        }
        let wish = names::normal_name(wish).unwrap_or_else(|_| "user".into());
        for attempt in 0..NAMES_TRIED {
            let suffix: String = secrets::new_secret().chars().take(4).collect::<String>().to_lowercase();
            let name = if attempt == 0 { wish.clone() } else { format!("{wish}-{suffix}") };
            let user = match self.create_user(&name, None, false).await {
                Ok(user) => user,
                Err(error) if error.code == ErrorCode::NameTaken => continue,
                Err(error) => return Err(error),
            };
            let sql = "INSERT INTO external_identities (issuer, subject, user_id, at) VALUES ($1, $2, $3, $4) \
                       ON CONFLICT (issuer, subject) DO NOTHING";
            let values = values![issuer, subject, user.id.to_string(), self.inner.clock.now_ms()];
            if self.inner.tables.execute(sql, values).await.map_err(store_failed)? == 0 {
                // The same person came twice at once; the first one counts.
                let sql = "DELETE FROM users WHERE id = $1";
                self.inner.tables.execute(sql, values![user.id.to_string()]).await.map_err(store_failed)?;
            }
            let found = self.find_external(issuer, subject).await?;
            return Ok(found.filter(|(_, is_suspended)| !is_suspended).map(|(row, _)| row));
        }
        Err(WireError::new(ErrorCode::NameTaken, "No free name was found for you. Ask an administrator."))
    }

    async fn find_external(&self, issuer: &str, subject: &str) -> Result<Option<(Row, bool)>, WireError> {
        let sql = "SELECT u.id, u.name, u.is_admin, u.suspended_at IS NOT NULL FROM external_identities e \
                   JOIN users u ON u.id = e.user_id WHERE e.issuer = $1 AND e.subject = $2";
        let row = self.inner.tables.query_opt(sql, values![issuer, subject]).await.map_err(store_failed)?;
        row.map(|row| row.bool(3).map(|is_suspended| (row.clone(), is_suspended))).transpose().map_err(store_failed)
    }
}
