//! HTTP with JSON: a base URL, a token, and errors as the server words them.

use std::time::Duration;

use reqwest::{Method, RequestBuilder, Response, Url, header::CONTENT_TYPE};
use serde::{Serialize, de::DeserializeOwned};

use super::{ClientError, install_crypto_provider};
use crate::problem::{Problem, WireError};

/// Longest wait for a connection.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// Longest wait for a JSON answer. Streams (logs, archives) have no limit.
const JSON_TIMEOUT: Duration = Duration::from_secs(60);
/// How much of an answer that is no problem document is shown, in characters.
const MAX_SHOWN: usize = 300;

/// A server's address and a token. Cheap to clone; connections are shared and kept open.
#[derive(Clone, Debug)]
pub struct ApiClient {
    http: reqwest::Client,
    base: Url,
    token: Option<String>,
}

impl ApiClient {
    /// A client for the server at `base_url` (`http://` or `https://`, a path in front of ours is kept).
    /// Nothing is sent yet.
    pub fn new(base_url: &str, token: Option<&str>) -> Result<Self, ClientError> {
        install_crypto_provider();
        let bad = || ClientError::BadUrl(base_url.to_owned());
        let base = Url::parse(base_url).map_err(|_| bad())?;
        if !matches!(base.scheme(), "http" | "https") || base.host().is_none() {
            return Err(bad());
        }
        let http = reqwest::Client::builder().connect_timeout(CONNECT_TIMEOUT).build()?;
        Ok(Self { http, base, token: token.map(str::to_owned) })
    }

    /// The same server and connections with another token.
    #[must_use]
    pub fn with_token(&self, token: Option<&str>) -> Self {
        Self { token: token.map(str::to_owned), ..self.clone() }
    }

    /// The token in use.
    #[must_use]
    pub fn token(&self) -> Option<&str> {
        self.token.as_deref()
    }

    /// The URL of `path` (which begins with a slash and may have a query) at this server.
    pub fn url(&self, path: &str) -> Result<Url, ClientError> {
        let text = format!("{}{path}", self.base.as_str().trim_end_matches('/'));
        Url::parse(&text).map_err(|_| ClientError::BadUrl(text))
    }

    /// A request with the token, for callers that add to it.
    pub fn request(&self, method: Method, path: &str) -> Result<RequestBuilder, ClientError> {
        let request = self.http.request(method, self.url(path)?);
        Ok(match &self.token {
            Some(token) => request.bearer_auth(token),
            None => request,
        })
    }

    /// Sends a request; an answer that is not a success becomes [`ClientError::Refused`] with the server's words.
    pub async fn send(&self, request: RequestBuilder) -> Result<Response, ClientError> {
        let response = request.send().await?;
        if response.status().is_success() { Ok(response) } else { Err(refusal(response).await) }
    }

    /// GET, JSON back.
    pub async fn get<T: DeserializeOwned>(&self, path: &str) -> Result<T, ClientError> {
        self.json(Method::GET, path, None::<&()>).await
    }

    /// POST, JSON both ways.
    pub async fn post<T: DeserializeOwned>(&self, path: &str, body: &impl Serialize) -> Result<T, ClientError> {
        self.json(Method::POST, path, Some(body)).await
    }

    /// PUT, JSON both ways.
    pub async fn put<T: DeserializeOwned>(&self, path: &str, body: &impl Serialize) -> Result<T, ClientError> {
        self.json(Method::PUT, path, Some(body)).await
    }

    /// PATCH, JSON both ways.
    pub async fn patch<T: DeserializeOwned>(&self, path: &str, body: &impl Serialize) -> Result<T, ClientError> {
        self.json(Method::PATCH, path, Some(body)).await
    }

    /// DELETE, JSON back.
    pub async fn delete<T: DeserializeOwned>(&self, path: &str) -> Result<T, ClientError> {
        self.json(Method::DELETE, path, None::<&()>).await
    }

    /// Any method, JSON both ways. An empty answer is read as `null`, so ask for `()` where nothing comes back.
    pub async fn json<T: DeserializeOwned>(
        &self,
        method: Method,
        path: &str,
        body: Option<&impl Serialize>,
    ) -> Result<T, ClientError> {
        let mut request = self.request(method, path)?.timeout(JSON_TIMEOUT);
        if let Some(body) = body {
            request = request.json(body);
        }
        let bytes = self.send(request).await?.bytes().await?;
        let text = if bytes.is_empty() { b"null" } else { &bytes[..] };
        serde_json::from_slice(text).map_err(|error| ClientError::Unexpected(format!("{path}: {error}")))
    }
}

/// The error in an answer: from its problem document, else from its status and first words.
pub(super) async fn refusal(response: Response) -> ClientError {
    let status = response.status();
    let kind = response.headers().get(CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    let is_problem = kind.starts_with("application/problem+json");
    let body = match response.bytes().await {
        Ok(body) => body,
        Err(error) => return error.into(),
    };
    match serde_json::from_slice::<Problem>(&body) {
        Ok(problem) if is_problem => WireError::new(problem.code, problem.detail).into(),
        _ => {
            let shown: String = String::from_utf8_lossy(&body).chars().take(MAX_SHOWN).collect();
            ClientError::Unexpected(format!("{status} {shown}"))
        }
    }
}
