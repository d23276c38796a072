//! A provider of OpenID Connect and issuer of signed tokens: its own HTTP server, with real RS256 keys. It can be told to do
//! one thing wrong.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex},
};

use axum::{
    Json, Router,
    extract::{Query, State},
    http::{HeaderMap, StatusCode, header},
    response::{IntoResponse, Response},
    routing::{get, post},
};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use coderoom_backing::clock::Clock;
use jsonwebtoken::{Algorithm, EncodingKey, Header, encode, jwk::Jwk};
use openidconnect::url::form_urlencoded;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

/// Keys made for these tests alone.
const KEYS: [&str; 2] = [include_str!("provider_key_a.pem"), include_str!("provider_key_b.pem")];

pub(crate) const CLIENT: &str = "coderoom";
pub(crate) const SECRET: &str = "what we prove it with";

/// What the provider does wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mischief {
    Nothing,
    Nonce,
    Audience,
    Issuer,
    Expired,
    FromTheFuture,
    UnknownKey,
    Unsigned,
}

#[derive(Debug)]
pub(crate) struct Provider {
    pub(crate) url: String,
    state: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    url: String,
    mischief: Mutex<Mischief>,
    /// Index of the key in use.
    key: Mutex<usize>,
    /// Codes with the nonce and challenge they were asked for with.
    codes: Mutex<HashMap<String, (String, String)>>,
    asked_for_keys: Mutex<usize>,
}

impl Provider {
    pub(crate) async fn start() -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let state = Arc::new(Shared {
            url: url.clone(),
            mischief: Mutex::new(Mischief::Nothing),
            key: Mutex::default(),
            codes: Mutex::default(),
            asked_for_keys: Mutex::default(),
        });
        let routes = Router::new()
            .route("/.well-known/openid-configuration", get(configuration))
            .route("/authorize", get(authorize))
            .route("/token", post(token))
            .route("/keys", get(keys))
            .with_state(Arc::clone(&state));
        tokio::spawn(async move { axum::serve(listener, routes).await });
        Self { url, state }
    }

    pub(crate) fn misbehave(&self, mischief: Mischief) {
        *self.state.mischief.lock().unwrap() = mischief;
    }

    /// Signs with the other key from now on, and shows that one alone.
    pub(crate) fn rotate(&self) {
        *self.state.key.lock().unwrap() ^= 1;
    }

    pub(crate) fn asked_for_keys(&self) -> usize {
        *self.state.asked_for_keys.lock().unwrap()
    }

    /// A signed token with these claims over the usual ones.
    pub(crate) fn sign(&self, claims: Value) -> String {
        let key = *self.state.key.lock().unwrap();
        signed(key, &merged(usual(&self.state.url), claims))
    }
}

fn now_s() -> i64 {
    Clock::default().now_ms() / 1000
}

fn usual(url: &str) -> Value {
    let now = now_s();
    json!({ "iss": url, "aud": CLIENT, "sub": "ada-1", "exp": now + 300, "iat": now, "preferred_username": "Ada" })
}

fn merged(mut claims: Value, over: Value) -> Value {
    for (name, value) in over.as_object().unwrap() {
        claims[name] = value.clone();
    }
    claims
}

fn signed(key: usize, claims: &Value) -> String {
    let header = Header { kid: Some(format!("key-{key}")), ..Header::new(Algorithm::RS256) };
    encode(&header, claims, &EncodingKey::from_rsa_pem(KEYS[key].as_bytes()).unwrap()).unwrap()
}

async fn configuration(State(state): State<Arc<Shared>>) -> Json<Value> {
    let at = |path: &str| format!("{}{path}", state.url);
    Json(json!({
        "issuer": state.url,
        "authorization_endpoint": at("/authorize"),
        "token_endpoint": at("/token"),
        "jwks_uri": at("/keys"),
        "response_types_supported": ["code"],
        "subject_types_supported": ["public"],
        "id_token_signing_alg_values_supported": ["RS256"],
    }))
}

async fn keys(State(state): State<Arc<Shared>>) -> Json<Value> {
    *state.asked_for_keys.lock().unwrap() += 1;
    let key = *state.key.lock().unwrap();
    let secret = EncodingKey::from_rsa_pem(KEYS[key].as_bytes()).unwrap();
    let mut public = Jwk::from_encoding_key(&secret, Algorithm::RS256).unwrap();
    public.common.key_id = Some(format!("key-{key}"));
    let mut public = serde_json::to_value(public).unwrap();
    public["use"] = "sig".into();
    Json(json!({ "keys": [public] }))
}

/// The person signs in at once and is sent back with a code.
async fn authorize(State(state): State<Arc<Shared>>, Query(asked): Query<HashMap<String, String>>) -> Response {
    let get = |name: &str| asked.get(name).cloned().unwrap_or_default();
    if get("client_id") != CLIENT || get("response_type") != "code" || get("code_challenge_method") != "S256" {
        return StatusCode::BAD_REQUEST.into_response();
    }
    let code = format!("code-{}", state.codes.lock().unwrap().len());
    state.codes.lock().unwrap().insert(code.clone(), (get("nonce"), get("code_challenge")));
    let query: String = form_urlencoded::Serializer::new(String::new())
        .append_pair("code", &code)
        .append_pair("state", &get("state"))
        .finish();
    (StatusCode::SEE_OTHER, [(header::LOCATION, format!("{}?{query}", get("redirect_uri")))]).into_response()
}

async fn token(State(state): State<Arc<Shared>>, headers: HeaderMap, body: String) -> Response {
    let form: HashMap<String, String> = form_urlencoded::parse(body.as_bytes()).into_owned().collect();
    let basic = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let shown =
        basic.strip_prefix("Basic ").and_then(|text| base64::engine::general_purpose::STANDARD.decode(text).ok());
    let shown = String::from_utf8(shown.unwrap_or_default()).unwrap();
    let escaped: String = form_urlencoded::byte_serialize(SECRET.as_bytes()).collect();
    let is_client = shown == format!("{CLIENT}:{escaped}");
    // A code counts once.
    let asked = form.get("code").and_then(|code| state.codes.lock().unwrap().remove(code));
    let Some((nonce, challenge)) = asked.filter(|_| is_client) else {
        return (StatusCode::BAD_REQUEST, Json(json!({ "error": "invalid_grant" }))).into_response();
    };
    let verifier = form.get("code_verifier").cloned().unwrap_or_default();
    if URL_SAFE_NO_PAD.encode(Sha256::digest(verifier.as_bytes())) != challenge {
        return (StatusCode::BAD_REQUEST, Json(json!({ "error": "invalid_grant" }))).into_response();
    }
    let (key, now) = (*state.key.lock().unwrap(), now_s());
    let mut claims = merged(usual(&state.url), json!({ "nonce": nonce }));
    let mischief = *state.mischief.lock().unwrap();
    match mischief {
        Mischief::Nothing | Mischief::UnknownKey | Mischief::Unsigned => {}
        Mischief::Nonce => claims["nonce"] = "another".into(),
        Mischief::Audience => claims["aud"] = "another".into(),
        Mischief::Issuer => claims["iss"] = "https://another.example".into(),
        Mischief::Expired => claims["exp"] = (now - 120).into(),
        Mischief::FromTheFuture => claims["iat"] = (now + 600).into(),
    }
    let id_token = match mischief {
        Mischief::UnknownKey => signed(key ^ 1, &claims),
        Mischief::Unsigned => {
            let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
            format!("{}.{}.", part(&json!({ "alg": "none" })), part(&claims))
        }
        _ => signed(key, &claims),
    };
    Json(json!({ "access_token": "x", "token_type": "Bearer", "expires_in": 300, "id_token": id_token }))
        .into_response()
}
