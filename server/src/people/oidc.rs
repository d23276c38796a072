//! Signing in with other providers by OpenID Connect: the code flow with PKCE, nonce and state. A sign-in that has begun is
//! a row that ends after ten minutes and is used once; the browser that began it has a cookie, so that nobody is signed in
//! by somebody else's answer.

use std::{
    net::IpAddr,
    path::Path,
    time::{Duration, UNIX_EPOCH},
};

use anyhow::Context as _;
use axum::http::HeaderMap;
use coderoom_backing::{tables::Statement, values};
use coderoom_protocol::{
    people::SignInProvider,
    problem::{ErrorCode, WireError},
};
use futures_util::StreamExt as _;
use openidconnect::{
    AuthorizationCode, ClientId, ClientSecret, CsrfToken, EndpointMaybeSet, EndpointNotSet, EndpointSet, HttpRequest,
    HttpResponse, IssuerUrl, Nonce, PkceCodeChallenge, PkceCodeVerifier, RedirectUrl, Scope, TokenResponse as _,
    core::{CoreAuthenticationFlow, CoreClient, CoreIdToken, CoreJwsSigningAlgorithm, CoreProviderMetadata},
    http,
};
use serde::Deserialize;
use tokio::{sync::Mutex, time::Instant};

use super::{Identity, People, SignInError, SignedIn, ms, secrets, sessions::cookie, store_failed};
use crate::config::value::Secret;

/// The cookie of a browser that was sent to a provider.
pub const PENDING_COOKIE: &str = "coderoom_sign_in";
/// How long somebody may take at a provider.
pub const PENDING_LIFETIME: Duration = Duration::from_secs(600);
/// What a provider says about itself is read again after so long, and when a signature does not fit.
const METADATA_AGE: Duration = Duration::from_secs(3600);
/// At most so often.
const METADATA_PAUSE: Duration = Duration::from_secs(2);
/// Longest wait for a provider.
const FETCH_TIMEOUT: Duration = Duration::from_secs(10);
/// Largest answer of a provider, in bytes.
const MAX_ANSWER_BYTES: usize = 512 * 1024;
/// How far a provider's clock may be from ours.
const CLOCK_SKEW: Duration = Duration::from_secs(60);
/// Longest address to go back to, in bytes.
const MAX_RETURN_BYTES: usize = 500;

/// A provider, as `people.oidc_file` has it.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ProviderSettings {
    /// Its name in addresses: small letters, digits and `-`.
    pub name: String,
    /// What people read; the name when it is left out.
    pub title: Option<String>,
    /// Its issuer, exactly as it writes it itself.
    pub issuer: String,
    /// What it knows us as.
    pub client_id: String,
    /// What we prove it with; public clients have none.
    #[serde(default, deserialize_with = "read_secret")]
    pub client_secret: Option<Secret>,
    /// What is asked for beside `openid`.
    #[serde(default = "default_scopes")]
    pub scopes: Vec<String>,
}

fn read_secret<'de, D: serde::Deserializer<'de>>(from: D) -> Result<Option<Secret>, D::Error> {
    Ok(Option::<String>::deserialize(from)?.map(Secret))
}

fn default_scopes() -> Vec<String> {
    vec!["profile".into()]
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ProviderFile {
    #[serde(default)]
    provider: Vec<ProviderSettings>,
}

/// Reads the providers of a TOML file with a table `[[provider]]` for each.
pub fn load(file: &Path) -> anyhow::Result<Vec<ProviderSettings>> {
    let text = std::fs::read_to_string(file).with_context(|| format!("read {}", file.display()))?;
    let ProviderFile { provider } = toml::from_str(&text).with_context(|| format!("read {}", file.display()))?;
    for one in &provider {
        let is_plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
        anyhow::ensure!(
            !one.name.is_empty() && one.name.bytes().all(is_plain),
            "the provider {:?} in {} needs a name of small letters, digits and -",
            one.name,
            file.display()
        );
    }
    Ok(provider)
}

/// A provider and what it said about itself.
#[derive(Debug)]
pub(super) struct Provider {
    settings: ProviderSettings,
    /// Held while it is asked, so that it is asked once.
    metadata: Mutex<Option<(Instant, CoreProviderMetadata)>>,
}

/// All providers, and the way to them.
#[derive(Debug)]
pub(super) struct Providers {
    list: Vec<Provider>,
    http: reqwest::Client,
}

/// Where to send a browser.
#[derive(Debug)]
pub struct Departure {
    /// The provider's address.
    pub url: String,
    /// What the cookie holds until the browser is back.
    pub state: String,
}

type Client =
    CoreClient<EndpointSet, EndpointNotSet, EndpointNotSet, EndpointNotSet, EndpointMaybeSet, EndpointMaybeSet>;

#[derive(Debug, thiserror::Error)]
enum FetchError {
    #[error("{0}")]
    Request(#[from] reqwest::Error),
    #[error("{0}")]
    Answer(#[from] http::Error),
    #[error("the answer is larger than {MAX_ANSWER_BYTES} bytes")]
    TooLarge,
}

async fn fetch(client: reqwest::Client, request: HttpRequest) -> Result<HttpResponse, FetchError> {
    let answer = client.execute(request.try_into()?).await?;
    let mut builder = http::Response::builder().status(answer.status());
    for (name, value) in answer.headers() {
        builder = builder.header(name, value);
    }
    let (mut body, mut stream) = (Vec::new(), answer.bytes_stream());
    while let Some(piece) = stream.next().await {
        body.extend_from_slice(&piece?);
        if body.len() > MAX_ANSWER_BYTES {
            return Err(FetchError::TooLarge);
        }
    }
    Ok(builder.body(body)?)
}

impl Providers {
    pub(super) fn new(settings: Vec<ProviderSettings>) -> Self {
        coderoom_protocol::client::install_crypto_provider();
        // Whoever answers with a redirect does not decide whom we talk to.
        let http =
            reqwest::Client::builder().timeout(FETCH_TIMEOUT).redirect(reqwest::redirect::Policy::none()).build();
        let list = settings.into_iter().map(|settings| Provider { settings, metadata: Mutex::default() }).collect();
        Self { list, http: http.unwrap_or_default() }
    }

    fn find(&self, name: &str) -> Result<&Provider, WireError> {
        let found = self.list.iter().find(|provider| provider.settings.name == name);
        found.ok_or_else(|| WireError::new(ErrorCode::NotFound, "There is no such provider to sign in with."))
    }

    /// What the provider says about itself; `fresh`: as it is now, unless it was asked a moment ago.
    async fn metadata(&self, provider: &Provider, fresh: bool) -> Result<CoreProviderMetadata, WireError> {
        let mut known = provider.metadata.lock().await;
        if let Some((asked, metadata)) = &*known
            && asked.elapsed() < if fresh { METADATA_PAUSE } else { METADATA_AGE }
        {
            return Ok(metadata.clone());
        }
        let issuer = IssuerUrl::new(provider.settings.issuer.clone()).map_err(failed("read the address of"))?;
        let http = |request| fetch(self.http.clone(), request);
        let metadata = CoreProviderMetadata::discover_async(issuer, &http).await.map_err(failed("discover"))?;
        *known = Some((Instant::now(), metadata.clone()));
        Ok(metadata)
    }

    fn client(&self, provider: &Provider, metadata: CoreProviderMetadata, back: &str) -> Result<Client, WireError> {
        let settings = &provider.settings;
        let secret = settings.client_secret.clone().map(|Secret(secret)| ClientSecret::new(secret));
        let back = RedirectUrl::new(back.to_owned()).map_err(failed("make the address to come back from"))?;
        let client = CoreClient::from_provider_metadata(metadata, ClientId::new(settings.client_id.clone()), secret);
        Ok(client.set_redirect_uri(back))
    }
}

/// The error for the browser; the cause goes to the log.
fn failed<E: std::fmt::Display>(step: &'static str) -> impl Fn(E) -> WireError {
    move |error| {
        tracing::warn!(%error, step, "a provider to sign in with does not do its part");
        WireError::new(
            ErrorCode::Unavailable,
            "The provider to sign in with does not answer as it should. Try again later.",
        )
    }
}

fn refused() -> WireError {
    WireError::new(ErrorCode::WrongPassword, "This sign-in has ended, or was begun in another browser. Begin again.")
}

impl People {
    /// The providers that one can sign in with.
    #[must_use]
    pub fn providers(&self) -> Vec<SignInProvider> {
        let line = |provider: &Provider| SignInProvider {
            name: provider.settings.name.clone(),
            title: provider.settings.title.clone().unwrap_or_else(|| provider.settings.name.clone()),
        };
        self.inner.providers.list.iter().map(line).collect()
    }

    /// Begins to sign in with a provider. `back` is where it sends the browser afterwards, `return_to` the path that it goes
    /// to then. `not_found` for a provider that is not there, `unavailable` when it does not answer.
    pub async fn depart(
        &self,
        name: &str,
        back: &str,
        return_to: &str,
        address: IpAddr,
    ) -> Result<Departure, SignInError> {
        let providers = &self.inner.providers;
        let provider = providers.find(name)?;
        self.count_attempt(address).map_err(SignInError::TooMany)?;
        let client = providers.client(provider, providers.metadata(provider, false).await?, back)?;
        let (challenge, verifier) = PkceCodeChallenge::new_random_sha256();
        let state = secrets::new_secret();
        let given = CsrfToken::new(state.clone());
        let mut request =
            client.authorize_url(CoreAuthenticationFlow::AuthorizationCode, move || given, Nonce::new_random);
        for scope in &provider.settings.scopes {
            request = request.add_scope(Scope::new(scope.clone()));
        }
        let (url, _, nonce) = request.set_pkce_challenge(challenge).url();
        let until = self.inner.clock.now_ms().saturating_add(ms(PENDING_LIFETIME));
        let sql = "INSERT INTO pending_sign_ins (hash, provider, nonce, verifier, return_to, expires_at) \
                   VALUES ($1, $2, $3, $4, $5, $6)";
        let hash = secrets::hash(&state);
        let values = values![
            hash.as_slice(),
            name,
            nonce.secret().as_str(),
            verifier.secret().as_str(),
            own_path(return_to),
            until
        ];
        self.inner.tables.execute(sql, values).await.map_err(store_failed)?;
        Ok(Departure { url: url.into(), state })
    }

    /// Ends a sign-in with a provider: the browser is back with a code. Gives the session and the path to go to.
    pub async fn arrive(
        &self,
        name: &str,
        back: &str,
        (state, code): (&str, &str),
        address: IpAddr,
        before: &HeaderMap,
    ) -> Result<(SignedIn, String), SignInError> {
        let providers = &self.inner.providers;
        let provider = providers.find(name)?;
        self.count_attempt(address).map_err(SignInError::TooMany)?;
        if cookie(before, PENDING_COOKIE) != Some(state) {
            return Err(refused().into());
        }
        // Taken out before anything else: a state counts once.
        let sql = "DELETE FROM pending_sign_ins WHERE hash = $1 AND provider = $2 AND expires_at > $3 \
                   RETURNING nonce, verifier, return_to";
        let values = values![secrets::hash(state).as_slice(), name, self.inner.clock.now_ms()];
        let taken = self.inner.tables.batch(vec![Statement::new(sql, values)]).await.map_err(store_failed)?;
        let row = taken.into_iter().flatten().next().ok_or_else(refused)?;
        let text = |column| row.text(column).map(str::to_owned).map_err(store_failed);
        let (nonce, verifier, return_to) = (Nonce::new(text(0)?), PkceCodeVerifier::new(text(1)?), text(2)?);

        let client = providers.client(provider, providers.metadata(provider, false).await?, back)?;
        let http = |request| fetch(providers.http.clone(), request);
        let exchange =
            client.exchange_code(AuthorizationCode::new(code.to_owned())).map_err(failed("exchange a code at"))?;
        let answer = exchange.set_pkce_verifier(verifier).request_async(&http).await.map_err(|error| {
            tracing::warn!(%error, "a provider did not take a code");
            refused()
        })?;
        let token = answer.id_token().ok_or_else(refused)?;
        let known = match self.read_token(&client, token, &nonce) {
            Some(known) => known,
            // It may have new keys since it was asked last.
            None => {
                let client = providers.client(provider, providers.metadata(provider, true).await?, back)?;
                self.read_token(&client, token, &nonce).ok_or_else(refused)?
            }
        };
        let (subject, wish) = known;
        let nobody = || {
            WireError::new(
                ErrorCode::WrongPassword,
                "You have no account here, or it is suspended. Ask an administrator.",
            )
        };
        let user = self.external_user(&provider.settings.issuer, &subject, &wish).await?.ok_or_else(nobody)?;
        let user = user.parse(0).map_err(store_failed)?;
        let tx = self.inner.tables.begin().await.map_err(store_failed)?;
        let signed_in: SignedIn = self.begin_session(tx, user, None, address, before).await?.ok_or_else(nobody)?;
        let Identity { user, .. } = &signed_in.identity;
        self.note_from(*user, Some(address), super::Action::SignIn, None, name).await;
        Ok((signed_in, return_to))
    }

    /// Subject and wished name of an ID token that is good.
    fn read_token(&self, client: &Client, token: &CoreIdToken, nonce: &Nonce) -> Option<(String, String)> {
        let now = self.inner.clock.now_ms();
        let early =
            UNIX_EPOCH + Duration::from_millis(u64::try_from(now).unwrap_or_default()).saturating_sub(CLOCK_SKEW);
        let latest = now.saturating_add(ms(CLOCK_SKEW));
        let verifier = client
            .id_token_verifier()
            // Never `none`, and nothing that is signed with our own secret.
            .set_allowed_algs([
                CoreJwsSigningAlgorithm::RsaSsaPkcs1V15Sha256,
                CoreJwsSigningAlgorithm::RsaSsaPkcs1V15Sha384,
                CoreJwsSigningAlgorithm::RsaSsaPkcs1V15Sha512,
                CoreJwsSigningAlgorithm::RsaSsaPssSha256,
                CoreJwsSigningAlgorithm::EcdsaP256Sha256,
                CoreJwsSigningAlgorithm::EcdsaP384Sha384,
                CoreJwsSigningAlgorithm::EdDsa,
            ])
            .set_time_fn(move || early.into())
            .set_issue_time_verifier_fn(move |issued| {
                if issued.timestamp_millis() <= latest { Ok(()) } else { Err("it was issued in the future".into()) }
            });
        let claims = match token.claims(&verifier, nonce) {
            Ok(claims) => claims,
            Err(error) => {
                tracing::warn!(%error, "an ID token was refused");
                return None;
            }
        };
        let name = claims.name().and_then(|names| names.get(None)).map(|name| name.to_string());
        let email = claims.email().map(|email| email.to_string());
        let wish = claims.preferred_username().map(|name| name.to_string()).or(name).or(email);
        Some((claims.subject().to_string(), wish.unwrap_or_default()))
    }
}

/// A path of this server; anything that leads elsewhere becomes its beginning.
fn own_path(path: &str) -> &str {
    let is_own = path.starts_with('/')
        && !path.starts_with("//")
        && path.len() <= MAX_RETURN_BYTES
        && path.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'\\');
    if is_own { path } else { "/" }
}

#[cfg(test)]
mod tests {
    use super::own_path;

    #[test]
    fn nobody_is_sent_elsewhere_after_signing_in() {
        for path in ["/", "/tasks/1?x=2", "/join"] {
            assert_eq!(own_path(path), path);
        }
        for path in ["", "tasks", "//evil.example", "/\\evil.example", "https://evil.example", "/a b", "/a\r\nb"] {
            assert_eq!(own_path(path), "/", "{path:?}");
        }
    }
}
