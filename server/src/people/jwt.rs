//! Signed tokens (JWT) of another platform's issuer, checked with the keys at its JWKS address. Algorithms are pinned by the
//! settings, never taken from a token; keys are fetched seldom and in bounds, and again when a token names a new one.

use std::time::Duration;

use coderoom_protocol::problem::{ErrorCode, WireError};
use futures_util::StreamExt as _;
use jsonwebtoken::{
    Algorithm, DecodingKey, Validation, decode, decode_header,
    jwk::{Jwk, JwkSet},
};
use serde::Deserialize;
use tokio::{sync::Mutex, time::Instant};

use super::{Credential, Grant, Identity, Known, People, store_failed};
use crate::config::topics;

/// Keys are fetched at most so often, whatever tokens say.
const FETCH_PAUSE: Duration = Duration::from_secs(2);
/// Keys older than this are fetched again before they are used; when that fails they still count.
const KEYS_AGE: Duration = Duration::from_secs(600);
/// Longest wait for the issuer.
const FETCH_TIMEOUT: Duration = Duration::from_secs(5);
/// Largest answer of the issuer, in bytes.
const MAX_KEYS_BYTES: usize = 256 * 1024;
/// Longest token that is looked at, in bytes.
const MAX_TOKEN_BYTES: usize = 16 * 1024;

/// An issuer whose tokens are taken.
#[derive(Debug)]
pub(super) struct Issuer {
    url: String,
    issuer: String,
    audience: Vec<String>,
    algorithms: Vec<Algorithm>,
    leeway_s: u64,
    http: reqwest::Client,
    /// Held while keys are fetched, so that they are fetched once.
    keys: Mutex<Keys>,
}

#[derive(Debug, Default)]
struct Keys {
    set: Option<JwkSet>,
    tried: Option<Instant>,
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
        coderoom_protocol::client::install_crypto_provider();
        let http =
            reqwest::Client::builder().timeout(FETCH_TIMEOUT).redirect(reqwest::redirect::Policy::none()).build();
        Some(Self {
            url,
            issuer: settings.jwt_issuer.clone().unwrap_or_default(),
            audience: settings.jwt_audience.clone(),
            algorithms: settings.jwt_algorithms.iter().filter_map(|name| name.parse().ok()).collect(),
            leeway_s: settings.jwt_leeway.as_secs(),
            http: http.unwrap_or_default(),
            keys: Mutex::default(),
        })
    }

    /// The claims of a token that is good; `None` for any other.
    async fn check(&self, token: &str) -> Option<Claims> {
        let header = decode_header(token).ok()?;
        if !self.algorithms.contains(&header.alg) {
            return None;
        }
        let key = self.key(header.kid.as_deref()).await?;
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

    /// The key a token names. A name that is new makes the keys be fetched again, now and then.
    async fn key(&self, name: Option<&str>) -> Option<Jwk> {
        let mut keys = self.keys.lock().await;
        let age = keys.tried.map(|tried| tried.elapsed());
        let known = keys.set.as_ref().and_then(|set| pick(set, name));
        let is_due = match (&known, age) {
            (_, None) => true,
            (Some(_), Some(age)) => age >= KEYS_AGE,
            (None, Some(age)) => age >= FETCH_PAUSE,
        };
        if !is_due {
            return known;
        }
        keys.tried = Some(Instant::now());
        match self.fetch().await {
            Ok(set) => {
                let found = pick(&set, name);
                keys.set = Some(set);
                found
            }
            Err(error) => {
                tracing::warn!(%error, "the keys of the issuer of signed tokens could not be fetched");
                known
            }
        }
    }

    async fn fetch(&self) -> anyhow::Result<JwkSet> {
        let answer = self.http.get(&self.url).send().await?.error_for_status()?;
        let (mut body, mut stream) = (Vec::new(), answer.bytes_stream());
        while let Some(piece) = stream.next().await {
            body.extend_from_slice(&piece?);
            anyhow::ensure!(body.len() <= MAX_KEYS_BYTES, "the answer is too large");
        }
        Ok(serde_json::from_slice(&body)?)
    }
}

/// The key with this name; without a name the only key there is.
fn pick(set: &JwkSet, name: Option<&str>) -> Option<Jwk> {
    match (name, &set.keys[..]) {
        (Some(name), _) => set.find(name).cloned(),
        (None, [only]) => Some(only.clone()),
        (None, _) => None,
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
