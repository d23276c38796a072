//! TLS in front of HTTP, when a certificate is set. The files are read again when they change, so that a renewed
//! certificate needs no restart; one that cannot be read leaves the one before in force.

use std::{
    io,
    path::{Path, PathBuf},
    sync::{Arc, PoisonError, RwLock},
    time::{Duration, SystemTime},
};

use anyhow::Context as _;
use rustls::{
    ServerConfig,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject as _},
    server::{ClientHello, ResolvesServerCert},
    sign::CertifiedKey,
};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    signal::unix::{SignalKind, signal},
};
use tokio_rustls::{TlsAcceptor, server::TlsStream};
use tokio_util::sync::CancellationToken;

use crate::config::Settings;

/// How often it is looked whether the files changed. SIGHUP makes it look at once.
const LOOK: Duration = Duration::from_secs(60);

/// Makes TLS of plain connections.
#[derive(Clone)]
pub(super) struct Tls {
    acceptor: TlsAcceptor,
    files: Arc<Files>,
}

impl std::fmt::Debug for Tls {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Tls").field("files", &self.files).finish_non_exhaustive()
    }
}

/// When certificate and key were changed. Both, because a renewed file may be older than the other one.
type Changed = [Option<SystemTime>; 2];

#[derive(Debug)]
struct Files {
    certificate: PathBuf,
    key: PathBuf,
    /// Never held over an await.
    current: RwLock<(Arc<CertifiedKey>, Changed)>,
}

impl Tls {
    /// As the settings say; `None` when no certificate is set.
    pub(super) fn of(settings: &Settings) -> anyhow::Result<Option<Self>> {
        let (Some(certificate), Some(key)) = (&settings.server.tls_certificate, &settings.server.tls_key) else {
            return Ok(None);
        };
        coderoom_protocol::client::install_crypto_provider();
        let loaded = load(certificate, key)?;
        let changed = changed_at(certificate, key);
        let files = Arc::new(Files {
            certificate: certificate.clone(),
            key: key.clone(),
            current: RwLock::new((Arc::new(loaded), changed)),
        });
        let resolver: Arc<dyn ResolvesServerCert> = Arc::<Files>::clone(&files);
        let mut config = ServerConfig::builder().with_no_client_auth().with_cert_resolver(resolver);
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        Ok(Some(Self { acceptor: TlsAcceptor::from(Arc::new(config)), files }))
    }

    /// The handshake. The caller bounds its time.
    pub(super) async fn accept<S: AsyncRead + AsyncWrite + Unpin>(&self, stream: S) -> io::Result<TlsStream<S>> {
        self.acceptor.accept(stream).await
    }

    /// Reads the files again when they change or the process gets SIGHUP, until `stop`.
    pub(super) async fn watch(self, stop: CancellationToken) {
        let mut hang_up = match signal(SignalKind::hangup()) {
            Ok(hang_up) => hang_up,
            Err(error) => return tracing::error!(%error, "SIGHUP is not heard; certificates are not read again"),
        };
        loop {
            tokio::select! {
                () = stop.cancelled() => return,
                _ = hang_up.recv() => {}
                () = tokio::time::sleep(LOOK) => {}
            }
            self.files.read_again();
        }
    }
}

impl Files {
    fn read_again(&self) {
        let changed = changed_at(&self.certificate, &self.key);
        if changed == self.current.read().unwrap_or_else(PoisonError::into_inner).1 {
            return;
        }
        match load(&self.certificate, &self.key) {
            Ok(loaded) => {
                *self.current.write().unwrap_or_else(PoisonError::into_inner) = (Arc::new(loaded), changed);
                tracing::info!("the certificate was read again");
            }
            Err(error) => tracing::error!(error = format!("{error:#}"), "the new certificate cannot be used"),
        }
    }
}

impl ResolvesServerCert for Files {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(Arc::clone(&self.current.read().unwrap_or_else(PoisonError::into_inner).0))
    }
}

fn changed_at(certificate: &Path, key: &Path) -> Changed {
    [certificate, key].map(|path| std::fs::metadata(path).and_then(|about| about.modified()).ok())
}

fn load(certificate: &Path, key: &Path) -> anyhow::Result<CertifiedKey> {
    let chain = CertificateDer::pem_file_iter(certificate)
        .and_then(Iterator::collect::<Result<Vec<_>, _>>)
        .with_context(|| format!("read the certificate {}", certificate.display()))?;
    anyhow::ensure!(!chain.is_empty(), "{} has no certificate", certificate.display());
    let secret = PrivateKeyDer::from_pem_file(key).with_context(|| format!("read the key {}", key.display()))?;
    let signer = rustls::crypto::ring::sign::any_supported_type(&secret).context("use the key of the certificate")?;
    let certified = CertifiedKey::new(chain, signer);
    certified.keys_match().context("the key does not belong to the certificate")?;
    Ok(certified)
}
