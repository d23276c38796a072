//! Signed tokens (JWT) of another platform's issuer, checked with the keys at its JWKS address. Algorithms are pinned by the
//! settings, never taken from a token.

use coderoom_protocol::problem::{ErrorCode, WireError};
use jsonwebtoken::{Algorithm, DecodingKey, Validation, decode, decode_header};
use serde::Deserialize;

use super::{Credential, Grant, Identity, Known, People, jwks::Keys, store_failed};
use crate::config::topics;

/// Longest token that is looked at, in bytes.
const MAX_TOKEN_BYTES: usize = 16 * 1024;

/// An issuer whose tokens are taken.
#[derive(Debug)]
pub(super) struct Issuer {
    issuer: String,
    audience: Vec<String>,
    algorithms: Vec<Algorithm>,
    leeway_s: u64,
    keys: Keys,
}

/// What is read of a token.
#[derive(Debug, Deserialize)]
struct Claims {
    sub: String,
    exp: i64,
    preferred_username: Option<String>,
    name: Option<String>,
    email: Option<String>,
}

impl Issuer {
    /// The issuer of the settings; `None` without a JWKS address.
    pub(super) fn of(settings: &topics::People) -> Option<Self> {
        let url = settings.jwt_jwks_url.clone()?;
        Some(Self {
            issuer: settings.jwt_issuer.clone().unwrap_or_default(),
            audience: settings.jwt_audience.clone(),
            algorithms: settings.jwt_algorithms.iter().filter_map(|name| name.parse().ok()).collect(),
            leeway_s: settings.jwt_leeway.as_secs(),
            keys: Keys::at(url),
        })
    }

    /// The claims of a token that is good; `None` for any other.
    async fn check(&self, token: &str) -> Option<Claims> {
        let header = decode_header(token).ok()?;
        if !self.algorithms.contains(&header.alg) {
            return None;
        }
        let key = self.keys.key(header.kid.as_deref()).await?;
        let mut rules = Validation::new(header.alg);
        rules.leeway = self.leeway_s;
        rules.validate_nbf = true;
        rules.set_issuer(&[&self.issuer]);
        rules.set_audience(&self.audience);
        rules.set_required_spec_claims(&["exp", "iss", "aud", "sub"]);
        match decode::<Claims>(token, &DecodingKey::from_jwk(&key).ok()?, &rules) {
            Ok(good) => Some(good.claims),
            Err(error) => {
                tracing::debug!(%error, "a signed token was refused");
                None
            }
        }
    }
}

/// Whether a token has the form of a signed one.
pub(super) fn looks_signed(token: &str) -> bool {
    token.len() <= MAX_TOKEN_BYTES && token.split('.').count() == 3
}

impl People {
    /// Who a signed token stands for.
    pub(super) async fn find_signed(&self, token: &str) -> Result<Option<Known>, WireError> {
        let Some(issuer) = &self.inner.issuer else { return Ok(None) };
        let Some(claims) = issuer.check(token).await else { return Ok(None) };
        let wish = claims.preferred_username.or(claims.name).or(claims.email).unwrap_or_default();
        let user = match self.external_user(&issuer.issuer, &claims.sub, &wish).await {
            Err(error) if error.code == ErrorCode::NameTaken => return Ok(None),
            other => other?,
        };
        let Some(user) = user else { return Ok(None) };
        let leeway = i64::try_from(issuer.leeway_s).unwrap_or_default();
        let until = claims.exp.saturating_add(leeway).saturating_mul(1000);
        let identity = Identity::from_row(&user, 0, Grant::whole(Credential::Outside, until)).map_err(store_failed)?;
        Ok(Some(Known { identity, until, new_key_at: i64::MAX }))
    }
}

/// Refuses settings under which tokens would be taken that nobody meant.
pub fn check_settings(settings: &topics::People) -> Result<(), String> {
    if settings.jwt_jwks_url.is_none() {
        return Ok(());
    }
    if settings.jwt_issuer.is_none() || settings.jwt_audience.is_empty() {
        return Err("people.jwt_jwks_url needs people.jwt_issuer and people.jwt_audience".into());
    }
    for name in &settings.jwt_algorithms {
        match name.parse() {
            // With these the keys at the address, which everybody can read, would sign tokens.
            Ok(Algorithm::HS256 | Algorithm::HS384 | Algorithm::HS512) | Err(_) => {
                return Err(format!(
                    "people.jwt_algorithms has {name:?}; it can have RS256, PS256, ES256, ES384, EdDSA and the like"
                ));
            }
            Ok(_) => {}
        }
    }
    if settings.jwt_algorithms.is_empty() {
        return Err("people.jwt_algorithms must have at least one".into());
    }
    Ok(())
}
