//! Links that sign somebody in once: printed at start for the administrator, as Jupyter does.

use std::{net::IpAddr, time::Duration};

use axum::http::HeaderMap;
use coderoom_backing::values;
use coderoom_protocol::{
    ids::UserId,
    problem::{ErrorCode, WireError},
};

use super::{People, SignInError, SignedIn, ms, secrets, store_failed};

impl People {
    /// The code of a new link that signs this user in once, within `lifetime`.
    pub async fn create_link(&self, user: UserId, lifetime: Duration) -> Result<String, WireError> {
        let code = secrets::new_secret();
        let expires = self.inner.clock.now_ms().saturating_add(ms(lifetime));
        let sql = "INSERT INTO sign_in_links (hash, user_id, expires_at) VALUES ($1, $2, $3)";
        let values = values![secrets::hash(&code).as_slice(), user.to_string(), expires];
        self.inner.tables.execute(sql, values).await.map_err(store_failed)?;
        Ok(code)
    }

    /// Signs in by the code of a link. A code that was used, has expired or never was gives `wrong_password`.
    pub async fn sign_in_by_link(
        &self,
        code: &str,
        address: IpAddr,
        before: &HeaderMap,
    ) -> Result<SignedIn, SignInError> {
        self.inner.attempts.count(address, None).map_err(SignInError::TooMany)?;
        let now = self.inner.clock.now_ms();
        // One statement decides, so that of two who come at once one gets in. And it comes first, as when a user is
        // reset: neither then waits for what the other has.
        let sql = "UPDATE sign_in_links SET used_at = $2 WHERE hash = $1 AND used_at IS NULL AND expires_at > $2 \
                   RETURNING user_id";
        let mut tx = self.inner.tables.begin().await.map_err(store_failed)?;
        let used = tx.query_opt(sql, values![secrets::hash(code).as_slice(), now]).await.map_err(store_failed)?;
        let Some(used) = used else { return Err(dead_link().into()) };
        let user: UserId = used.parse(0).map_err(store_failed)?;
        let signed_in = self.begin_session(tx, user, None, address, before).await?.ok_or_else(dead_link)?;
        self.note_from(signed_in.identity.user, Some(address), super::Action::SignIn, None, "link").await;
        Ok(signed_in)
    }
}

fn dead_link() -> WireError {
    WireError::new(
        ErrorCode::WrongPassword,
        "This link was used before or has expired. The server prints a new one each time it starts.",
    )
}
