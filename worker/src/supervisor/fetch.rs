//! The supervisor of a pod and the object store: fetching by presigned address, storing by presigned address. Bounded in
//! bytes and in time, tried again while the store does not answer, ended early when the run is stopped.
//! No address appears in a message: it is a key to the object.

use std::{
    fs::File,
    io::{self, Seek as _, SeekFrom, Write as _},
    time::{Duration, Instant},
};

use anyhow::Context as _;
use reqwest::{Client, Response, StatusCode, header::CONTENT_LENGTH, redirect::Policy};
use sha2::{Digest as _, Sha256};
use tokio::runtime::Runtime;

use super::{
    pod_spec::{FetchPlan, MAX_PLAN_BYTES, Plan},
    unpack::{Source, UnpackError, bad, failed},
};
use crate::snapshot::{Manifest, ManifestFile};

/// Longest time the store may fail to answer before the run does.
const PATIENCE: Duration = Duration::from_secs(60);
/// Longest time storing `output/` may take in all: the pod's grace period bounds it too.
const STORE_PATIENCE: Duration = Duration::from_secs(40);
/// First wait between two attempts; it doubles up to [`MAX_WAIT`].
const FIRST_WAIT: Duration = Duration::from_millis(100);
/// Longest wait between two attempts.
const MAX_WAIT: Duration = Duration::from_secs(3);
/// Longest silence within an answer.
const READ_TIMEOUT: Duration = Duration::from_secs(15);
/// How often it is asked whether to go on.
const ASK_EVERY: Duration = Duration::from_millis(50);

/// What became of one attempt.
enum Attempt {
    /// May help to try again.
    Passing(String),
    /// Will not.
    Final(UnpackError),
    /// Somebody wants the run to end.
    Stopped,
}

/// A client with a small runtime of its own.
#[derive(Debug)]
pub(super) struct Store {
    runtime: Runtime,
    client: Client,
}

impl Store {
    /// A client for addresses like this one.
    ///
    /// # Errors
    /// When the runtime cannot start, or an `https` address is given and no certificate authority is known here.
    pub(super) fn new(url: &str) -> anyhow::Result<Self> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().context("start runtime")?;
        // A second one is no error: they are the same.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let plain = !url.starts_with("https://");
        let builder = Client::builder()
            .connect_timeout(Duration::from_secs(5))
            .read_timeout(READ_TIMEOUT)
            .redirect(Policy::none())
            // An image may have no certificates; they are needed (and read, which takes a while) for https only.
            .tls_danger_accept_invalid_certs(plain)
            .https_only(!plain);
        Ok(Self { runtime, client: builder.build().context("make client")? })
    }

    /// Reads the plan, wherever it is.
    pub(super) fn plan(&self, plan: Plan, go_on: &mut dyn FnMut() -> bool) -> Result<FetchPlan, UnpackError> {
        let (url, sha256) = match plan {
            Plan::Inline(plan) => return Ok(plan),
            Plan::Stored { url, sha256 } => (url, sha256),
        };
        let mut json = Vec::new();
        self.fetch("the list of files", &url, MAX_PLAN_BYTES as u64, go_on, &mut |piece| match piece {
            Some(piece) => json.write_all(piece),
            None => {
                json.clear();
                Ok(())
            }
        })?;
        if hex::encode(Sha256::digest(&json)) != sha256 {
            return Err(bad("The list of files is not what was stored.".to_owned()));
        }
        serde_json::from_slice(&json).map_err(|error| bad(format!("decode the list of files: {error}")))
    }

    /// Fetches into `sink`, which is given each piece, and `None` before each new attempt. Ends with no error and an
    /// incomplete sink when `go_on` says no.
    fn fetch(
        &self,
        what: &str,
        url: &str,
        max_bytes: u64,
        go_on: &mut dyn FnMut() -> bool,
        sink: &mut dyn FnMut(Option<&[u8]>) -> io::Result<()>,
    ) -> Result<(), UnpackError> {
        let (mut failing_since, mut wait) = (None, FIRST_WAIT);
        loop {
            sink(None).map_err(|error| failed(what, &error))?;
            let attempt = self.runtime.block_on(self.attempt(what, url, max_bytes, go_on, sink));
            let cause = match attempt {
                Ok(()) | Err(Attempt::Stopped) => return Ok(()),
                Err(Attempt::Final(error)) => return Err(error),
                Err(Attempt::Passing(cause)) => cause,
            };
            let since = *failing_since.get_or_insert_with(Instant::now);
            if since.elapsed() >= PATIENCE {
                return Err(bad(format!("The object store did not give {what} for {}: {cause}.", words(PATIENCE))));
            }
            let until = Instant::now() + wait;
            while Instant::now() < until {
                if !go_on() {
                    return Ok(());
                }
                std::thread::sleep(ASK_EVERY);
            }
            wait = (wait * 2).min(MAX_WAIT);
        }
    }

    async fn attempt(
        &self,
        what: &str,
        url: &str,
        max_bytes: u64,
        go_on: &mut dyn FnMut() -> bool,
        sink: &mut dyn FnMut(Option<&[u8]>) -> io::Result<()>,
    ) -> Result<(), Attempt> {
        let mut response = or_stopped(self.client.get(url).send(), go_on).await?;
        check(what, &response)?;
        let mut bytes = 0;
        while let Some(piece) = or_stopped(response.chunk(), go_on).await? {
            bytes += piece.len() as u64;
            if bytes > max_bytes {
                return Err(Attempt::Final(bad(format!("{what} is larger than it should be"))));
            }
            sink(Some(&piece)).map_err(|error| Attempt::Final(failed(what, &error)))?;
        }
        Ok(())
    }

    /// Stores the first `size` bytes of `file` by one PUT, trying again for a while.
    ///
    /// # Errors
    /// What the store said last.
    pub(super) fn put(&self, url: &str, file: &File, size: u64) -> Result<(), String> {
        let deadline = Instant::now() + STORE_PATIENCE;
        let mut wait = FIRST_WAIT;
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            let cause = match self.runtime.block_on(self.put_once(url, file, size, left)) {
                Ok(()) => return Ok(()),
                Err(Attempt::Passing(cause)) if left > wait => cause,
                Err(Attempt::Passing(cause)) => return Err(cause),
                Err(Attempt::Final(error)) => return Err(error.detail),
                Err(Attempt::Stopped) => return Err("stopped".to_owned()),
            };
            tracing::debug!(cause, "output is stored again");
            std::thread::sleep(wait);
            wait = (wait * 2).min(MAX_WAIT);
        }
    }

    async fn put_once(&self, url: &str, file: &File, size: u64, left: Duration) -> Result<(), Attempt> {
        let mut file = file.try_clone().map_err(|error| Attempt::Passing(error.to_string()))?;
        file.seek(SeekFrom::Start(0)).map_err(|error| Attempt::Passing(error.to_string()))?;
        let body = reqwest::Body::wrap_stream(tokio_util::io::ReaderStream::with_capacity(
            tokio::io::AsyncReadExt::take(tokio::fs::File::from_std(file), size),
            256 << 10,
        ));
        let request = self.client.put(url).header(CONTENT_LENGTH, size).body(body).timeout(left);
        let response = request.send().await.map_err(|error| Attempt::Passing(in_words(error)))?;
        check("output/", &response)
    }
}

/// Waits for the store, and asks meanwhile whether to go on.
async fn or_stopped<T>(
    answer: impl Future<Output = reqwest::Result<T>>,
    go_on: &mut dyn FnMut() -> bool,
) -> Result<T, Attempt> {
    let mut answer = std::pin::pin!(answer);
    loop {
        if !go_on() {
            return Err(Attempt::Stopped);
        }
        match tokio::time::timeout(ASK_EVERY, &mut answer).await {
            Ok(Ok(answer)) => return Ok(answer),
            Ok(Err(error)) => return Err(Attempt::Passing(in_words(error))),
            Err(_) => {}
        }
    }
}

/// Which refusals may pass.
fn check(what: &str, response: &Response) -> Result<(), Attempt> {
    let status = response.status();
    match status {
        status if status.is_success() => Ok(()),
        StatusCode::NOT_FOUND => Err(Attempt::Final(bad(format!("{what} is not in object storage")))),
        status if status.is_server_error() => Err(Attempt::Passing(format!("it answered {status}"))),
        StatusCode::TOO_MANY_REQUESTS | StatusCode::REQUEST_TIMEOUT => {
            Err(Attempt::Passing(format!("it answered {status}")))
        }
        status => Err(Attempt::Final(bad(format!("the object store refuses {what}: it answered {status}")))),
    }
}

/// The failure and its causes, without the address.
fn in_words(error: reqwest::Error) -> String {
    let error = error.without_url();
    let mut words = error.to_string();
    let mut cause = std::error::Error::source(&error);
    while let Some(next) = cause {
        words = format!("{words}: {next}");
        cause = next.source();
    }
    words
}

fn words(duration: Duration) -> String {
    format!("{} seconds", duration.as_secs())
}

/// The files of a run by presigned address.
#[derive(Debug)]
pub(super) struct Remote<'a> {
    store: &'a Store,
    plan: FetchPlan,
    /// Where the code zip lies while it is unpacked, without a name.
    tmp: &'a std::path::Path,
}

impl<'a> Remote<'a> {
    /// The files of this plan.
    #[must_use]
    pub(super) fn new(store: &'a Store, plan: FetchPlan, tmp: &'a std::path::Path) -> Self {
        Self { store, plan, tmp }
    }

    fn url(&self, key: &str) -> Result<&str, UnpackError> {
        self.plan.urls.get(key).map(String::as_str).ok_or_else(|| bad(format!("no address for {key}")))
    }
}

impl Source for Remote<'_> {
    fn manifest(&mut self) -> Result<Manifest, UnpackError> {
        Ok(self.plan.manifest.clone())
    }

    fn code(&mut self, manifest: &Manifest, go_on: &mut dyn FnMut() -> bool) -> Result<File, UnpackError> {
        let mut file = tempfile::tempfile_in(self.tmp).map_err(|error| failed("code.zip", &error))?;
        // Packed text is hardly ever longer than the text, and each file has an entry and a place in the directory.
        let texts = manifest.files.iter().filter(|file| file.blob_key.is_none());
        let most = texts.fold(64 << 10, |most: u64, file| {
            most.saturating_add(file.size).saturating_add(file.size / 100).saturating_add(4096)
        });
        let url = self.url(&manifest.code_key)?;
        self.store.fetch("code.zip", url, most, go_on, &mut |piece| write_or_restart(&mut file, piece))?;
        file.seek(SeekFrom::Start(0)).map_err(|error| failed("code.zip", &error))?;
        Ok(file)
    }

    fn blob(
        &mut self,
        file: &ManifestFile,
        target: &mut File,
        go_on: &mut dyn FnMut() -> bool,
    ) -> Result<(), UnpackError> {
        let url = self.url(file.blob_key.as_deref().unwrap_or_default())?;
        let (mut hash, mut size) = (Sha256::new(), 0);
        self.store.fetch(&file.path, url, file.size, go_on, &mut |piece| {
            match piece {
                Some(piece) => {
                    hash.update(piece);
                    size += piece.len() as u64;
                }
                None => (hash, size) = (Sha256::new(), 0),
            }
            write_or_restart(target, piece)
        })?;
        let whole = size == file.size && hex::encode(hash.finalize()) == file.sha256;
        // Cut off by a stop it is not whole, and nobody will look at it.
        match whole || !go_on() {
            true => Ok(()),
            false => Err(bad(format!("{} is not what was stored", file.path))),
        }
    }
}

fn write_or_restart(file: &mut File, piece: Option<&[u8]>) -> io::Result<()> {
    match piece {
        Some(piece) => file.write_all(piece),
        None => file.seek(SeekFrom::Start(0)).and_then(|_| file.set_len(0)),
    }
}
