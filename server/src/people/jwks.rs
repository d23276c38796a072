//! The public keys of an issuer, from its JWKS address: fetched seldom and in bounds. A token whose key is known never waits
//! for a fetch that another token, whose key is not known, has caused.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use futures_util::StreamExt as _;
use jsonwebtoken::jwk::{Jwk, JwkSet};
use tokio::time::Instant;

/// Keys are fetched at most so often, whatever tokens say; counted from the end of one fetch.
const FETCH_PAUSE: Duration = Duration::from_secs(2);
/// Keys older than this are fetched again while they are used.
const REFRESH_AGE: Duration = Duration::from_secs(600);
/// Keys older than this are fetched again before they are used; when that fails they still count.
const MAX_AGE: Duration = Duration::from_secs(1200);
/// Longest wait for the issuer.
const FETCH_TIMEOUT: Duration = Duration::from_secs(5);
/// Largest answer of the issuer, in bytes.
const MAX_KEYS_BYTES: usize = 256 * 1024;

/// An issuer's keys. A cheap handle.
#[derive(Clone, Debug)]
pub(super) struct Keys {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    url: String,
    http: reqwest::Client,
    /// Never held over an await.
    known: Mutex<Known>,
    /// Held while keys are fetched, so that they are fetched once.
    fetching: Arc<tokio::sync::Mutex<()>>,
}

#[derive(Debug, Default)]
struct Known {
    set: Option<JwkSet>,
    /// When the last fetch ended, well or not.
    tried: Option<Instant>,
}

/// What is known of a key.
enum Found {
    /// It counts, or it is certain enough that there is none.
    Settled(Option<Jwk>),
    /// It counts, and it is time to look whether it still does.
    Ageing(Jwk),
    /// The issuer must be asked first; this counts if it does not answer.
    Ask(Option<Jwk>),
}

impl Keys {
    /// Keys at an address. Nothing is fetched yet.
    pub(super) fn at(url: String) -> Self {
        coderoom_protocol::client::install_crypto_provider();
        let http =
            reqwest::Client::builder().timeout(FETCH_TIMEOUT).redirect(reqwest::redirect::Policy::none()).build();
        let (http, known, fetching) = (http.unwrap_or_default(), Mutex::default(), Arc::default());
        Self { inner: Arc::new(Inner { url, http, known, fetching }) }
    }

    /// The key with a name; without a name the only key there is. A name that is new makes the keys be fetched again, now and
    /// then.
    pub(super) async fn key(&self, name: Option<&str>) -> Option<Jwk> {
        match self.look(name) {
            Found::Settled(key) => return key,
            Found::Ageing(key) => {
                self.refresh();
                return Some(key);
            }
            Found::Ask(_) => {}
        }
        let _turn = self.inner.fetching.lock().await;
        // Whoever had the turn before may have brought it.
        match self.look(name) {
            Found::Settled(key) => key,
            Found::Ageing(key) => Some(key),
            Found::Ask(known) => {
                let fetched = self.fetch().await;
                if fetched { self.pick(name) } else { known }
            }
        }
    }

    fn look(&self, name: Option<&str>) -> Found {
        let known = self.inner.known.lock().unwrap_or_else(PoisonError::into_inner);
        let key = known.set.as_ref().and_then(|set| pick(set, name));
        match (key, known.tried.map(|tried| tried.elapsed())) {
            (key, None) => Found::Ask(key),
            (Some(key), Some(age)) if age < REFRESH_AGE => Found::Settled(Some(key)),
            (Some(key), Some(age)) if age < MAX_AGE => Found::Ageing(key),
            (None, Some(age)) if age < FETCH_PAUSE => Found::Settled(None),
            (key, Some(_)) => Found::Ask(key),
        }
    }

    fn pick(&self, name: Option<&str>) -> Option<Jwk> {
        let known = self.inner.known.lock().unwrap_or_else(PoisonError::into_inner);
        known.set.as_ref().and_then(|set| pick(set, name))
    }

    /// Fetches in the background, unless somebody fetches already.
    fn refresh(&self) {
        if let Ok(turn) = Arc::clone(&self.inner.fetching).try_lock_owned() {
            let keys = self.clone();
            tokio::spawn(async move {
                let _turn = turn;
                keys.fetch().await;
            });
        }
    }

    /// Whether the issuer answered. The caller has the turn.
    async fn fetch(&self) -> bool {
        let fetched = self.ask().await;
        let mut known = self.inner.known.lock().unwrap_or_else(PoisonError::into_inner);
        known.tried = Some(Instant::now());
        match fetched {
            Ok(set) => known.set = Some(set),
            Err(error) => {
                tracing::warn!(%error, "the keys of the issuer of signed tokens could not be fetched");
                return false;
            }
        }
        true
    }

    async fn ask(&self) -> anyhow::Result<JwkSet> {
        let answer = self.inner.http.get(&self.inner.url).send().await?.error_for_status()?;
        let (mut body, mut stream) = (Vec::new(), answer.bytes_stream());
        while let Some(piece) = stream.next().await {
            body.extend_from_slice(&piece?);
            anyhow::ensure!(body.len() <= MAX_KEYS_BYTES, "the answer is too large");
        }
        Ok(serde_json::from_slice(&body)?)
    }
}

fn pick(set: &JwkSet, name: Option<&str>) -> Option<Jwk> {
    match (name, &set.keys[..]) {
        (Some(name), _) => set.find(name).cloned(),
        (None, [only]) => Some(only.clone()),
        (None, _) => None,
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use axum::{Json, Router};
    use tokio::sync::Semaphore;

    use super::*;

    /// An issuer with one key, that answers once for each permit; how often it was asked.
    async fn issuer() -> (Keys, Arc<Semaphore>, Arc<AtomicUsize>) {
        let (gate, asked) = (Arc::new(Semaphore::new(0)), Arc::new(AtomicUsize::new(0)));
        let (opened, count) = (Arc::clone(&gate), Arc::clone(&asked));
        let answer = move || {
            let (opened, count) = (Arc::clone(&opened), Arc::clone(&count));
            async move {
                count.fetch_add(1, Ordering::SeqCst);
                opened.acquire().await.unwrap().forget();
                Json(serde_json::json!({ "keys": [{ "kty": "oct", "kid": "known", "k": "AAAA" }] }))
            }
        };
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/keys", listener.local_addr().unwrap());
        tokio::spawn(async move { axum::serve(listener, Router::new().fallback(answer)).await });
        (Keys::at(url), gate, asked)
    }

    impl Keys {
        /// As if the last fetch had been so long ago.
        fn age(&self, by: Duration) {
            let mut known = self.inner.known.lock().unwrap();
            known.tried = known.tried.and_then(|tried| tried.checked_sub(by));
        }
    }

    async fn until_asked(asked: &AtomicUsize, times: usize) {
        let wait = async {
            while asked.load(Ordering::SeqCst) < times {
                tokio::task::yield_now().await;
            }
        };
        tokio::time::timeout(Duration::from_secs(10), wait).await.expect("the issuer is asked");
    }

    #[tokio::test]
    async fn known_key_does_not_wait_for_a_fetch() {
        let (keys, gate, asked) = issuer().await;
        gate.add_permits(1);
        assert!(keys.key(Some("known")).await.is_some());
        keys.age(FETCH_PAUSE);
        let other = tokio::spawn({
            let keys = keys.clone();
            async move { keys.key(Some("made up")).await }
        });
        until_asked(&asked, 2).await;
        // The issuer does not answer; its key is had all the same, at once.
        let known = tokio::time::timeout(Duration::from_secs(2), keys.key(Some("known"))).await;
        assert!(known.expect("nothing to wait for").is_some());
        assert!(!other.is_finished(), "the fetch still waits");
        gate.add_permits(1);
        assert_eq!(other.await.unwrap(), None);
    }

    #[tokio::test]
    async fn ageing_keys_are_fetched_once_while_they_are_used() {
        let (keys, gate, asked) = issuer().await;
        gate.add_permits(1);
        assert!(keys.key(None).await.is_some());
        keys.age(REFRESH_AGE);
        for _ in 0..10 {
            let known = tokio::time::timeout(Duration::from_secs(2), keys.key(None)).await;
            assert!(known.expect("nothing to wait for").is_some());
        }
        until_asked(&asked, 2).await;
        gate.add_permits(1);
        let fresh = async {
            while !matches!(keys.look(None), Found::Settled(Some(_))) {
                tokio::task::yield_now().await;
            }
        };
        tokio::time::timeout(Duration::from_secs(10), fresh).await.expect("the keys are fresh again");
        assert_eq!(asked.load(Ordering::SeqCst), 2);
    }

    #[tokio::test]
    async fn many_unknown_names_cost_one_fetch() {
        let (keys, gate, asked) = issuer().await;
        gate.add_permits(100);
        let names: Vec<String> = (0..50).map(|number| format!("made up {number}")).collect();
        let found = futures_util::future::join_all(names.iter().map(|name| keys.key(Some(name)))).await;
        assert!(found.iter().all(Option::is_none));
        assert_eq!(asked.load(Ordering::SeqCst), 1);
    }
}
