//! Accepts connections and serves HTTP/1.1 on them. A connection costs a permit until it ends; without a free one the
//! next waits in the system's queue. Who has too many open gets no further one. Headers that come too slowly end the connection.

use std::{
    io,
    net::{IpAddr, SocketAddr},
    pin::{Pin, pin},
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use axum::{Router, body::Body, extract::ConnectInfo};
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::{TcpListener, TcpSocket, TcpStream},
    sync::{OwnedSemaphorePermit, Semaphore},
    time::Sleep,
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use tower::ServiceExt as _;

use super::tls::Tls;
use crate::{
    config::Settings,
    counted::{Counted, PerKey},
    http::caller::is_trusted_proxy,
    people::network_of,
};

/// Connections that the system keeps for us until we accept them.
const BACKLOG: u32 = 1024;

/// Pause after a failed accept (most often: no file descriptors left), so that it does not spin.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// Listens on an address. A port that a server left a moment ago can be taken at once.
pub(super) fn listen(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = if address.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    socket.listen(BACKLOG)
}

/// What all connections of a listener share.
#[derive(Clone, Debug)]
pub(super) struct Limits {
    max_connections: usize,
    /// Of one address; 0: any number.
    max_per_address: usize,
    trusted_proxies: Vec<String>,
    header_timeout: Duration,
    write_timeout: Duration,
    /// Cancelled when connections shall end.
    draining: CancellationToken,
    /// Counts connections.
    tracker: TaskTracker,
    /// Set where connections begin with a TLS handshake.
    tls: Option<Tls>,
}

impl Limits {
    pub(super) fn new(settings: &Settings, draining: &CancellationToken, tracker: &TaskTracker) -> Self {
        Self {
            max_connections: settings.server.max_connections,
            max_per_address: settings.server.max_connections_per_address,
            trusted_proxies: settings.server.trusted_proxies.clone(),
            header_timeout: settings.server.header_timeout,
            write_timeout: settings.server.write_timeout,
            draining: draining.clone(),
            tracker: tracker.clone(),
            tls: None,
        }
    }

    /// The same with TLS, if there is one.
    pub(super) fn with_tls(self, tls: Option<Tls>) -> Self {
        Self { tls, ..self }
    }

    /// Counts a connection for the address (of IPv6: the /64 network) that it comes from, unless all of a proxy's users
    /// come from there; `Err` when it has too many.
    fn count(&self, open: &PerKey<IpAddr>, peer: IpAddr) -> Result<Option<Counted<IpAddr>>, ()> {
        if self.max_per_address == 0 || is_trusted_proxy(peer, &self.trusted_proxies) {
            return Ok(None);
        }
        open.count(network_of(peer), self.max_per_address).map(Some).ok_or(())
    }
}

/// Accepts until `stop`, then returns; connections live on until the server drains.
pub(super) async fn serve(listener: TcpListener, router: Router, limits: Limits, stop: CancellationToken) {
    let permits = Arc::new(Semaphore::new(limits.max_connections));
    let open = PerKey::default();
    loop {
        let permit = tokio::select! {
            () = stop.cancelled() => return,
            permit = Arc::clone(&permits).acquire_owned() => permit,
        };
        let Ok(permit) = permit else { return };
        let accepted = tokio::select! {
            () = stop.cancelled() => return,
            accepted = listener.accept() => accepted,
        };
        match accepted {
            Ok((stream, peer)) => {
                let Ok(counted) = limits.count(&open, peer.ip()) else {
                    // It ends before anything of it is read: an answer would cost what is to be saved.
                    metrics::counter!("coderoom_connections_refused_total").increment(1);
                    continue;
                };
                let place = Place { _permit: permit, _of_address: counted };
                let connection = serve_connection(stream, peer, router.clone(), limits.clone(), place);
                limits.tracker.spawn(connection);
            }
            Err(error) => {
                tracing::warn!(%error, "a connection could not be accepted");
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
        }
    }
}

/// What a connection takes from others until it is gone.
#[derive(Debug)]
struct Place {
    _permit: OwnedSemaphorePermit,
    _of_address: Option<Counted<IpAddr>>,
}

async fn serve_connection(stream: TcpStream, peer: SocketAddr, router: Router, limits: Limits, place: Place) {
    // Small frames must not wait for an acknowledgement of those before them.
    if let Err(error) = stream.set_nodelay(true) {
        tracing::debug!(%error, "TCP_NODELAY could not be set");
    }
    let Some(tls) = &limits.tls else { return serve_http(stream, peer, router, limits, place).await };
    // A handshake is bounded as the headers are.
    match tokio::time::timeout(limits.header_timeout, tls.accept(stream)).await {
        Ok(Ok(stream)) => serve_http(stream, peer, router, limits, place).await,
        Ok(Err(error)) => tracing::debug!(%error, "a TLS handshake failed"),
        Err(_) => tracing::debug!("a TLS handshake took too long"),
    }
}

async fn serve_http<S: AsyncRead + AsyncWrite + Unpin + Send + 'static>(
    stream: S,
    peer: SocketAddr,
    router: Router,
    limits: Limits,
    place: Place,
) {
    let answer = service_fn(move |mut request: hyper::Request<Incoming>| {
        request.extensions_mut().insert(ConnectInfo(peer));
        router.clone().oneshot(request.map(Body::new))
    });
    let stream = CountedStream { stream, patience: limits.write_timeout, stalled: None, _place: place };
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(limits.header_timeout)
        .keep_alive(true)
        .serve_connection(TokioIo::new(stream), answer)
        .with_upgrades();
    let mut connection = pin!(connection);
    let ended = tokio::select! {
        ended = connection.as_mut() => ended,
        () = limits.draining.cancelled() => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = ended {
        tracing::debug!(%error, "a connection ended early");
    }
}

/// A connection that counts against `server.max_connections`, and for its address, until it is gone, also after it became a WebSocket. It fails when
/// its other end takes nothing for too long.
#[derive(Debug)]
struct CountedStream<S> {
    stream: S,
    patience: Duration,
    /// Ends when the other end has had its time; `None` while it takes what is sent.
    stalled: Option<Pin<Box<Sleep>>>,
    _place: Place,
}

impl<S> CountedStream<S> {
    /// What became of an attempt to write (or, with TLS, to get rid of what was written), seen with the time it has.
    fn watched<T>(&mut self, written: Poll<io::Result<T>>, cx: &mut Context<'_>) -> Poll<io::Result<T>> {
        if written.is_ready() {
            self.stalled = None;
            return written;
        }
        let patience = self.patience;
        let stalled = self.stalled.get_or_insert_with(|| Box::pin(tokio::time::sleep(patience)));
        stalled.as_mut().poll(cx).map(|()| Err(io::ErrorKind::TimedOut.into()))
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for CountedStream<S> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(cx, buf)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for CountedStream<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write(cx, buf);
        self.watched(written, cx)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write_vectored(cx, bufs);
        self.watched(written, cx)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let flushed = Pin::new(&mut self.stream).poll_flush(cx);
        self.watched(flushed, cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let shut = Pin::new(&mut self.stream).poll_shutdown(cx);
        self.watched(shut, cx)
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::AsyncWriteExt as _;

    use super::*;

    /// Takes everything and passes nothing on, as TLS over a connection that is full.
    struct Full;

    impl AsyncWrite for Full {
        fn poll_write(self: Pin<&mut Self>, _: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
            Poll::Ready(Ok(buf.len()))
        }

        fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
            Poll::Pending
        }

        fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
            Poll::Pending
        }
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_written_and_never_passed_on_ends_the_connection() {
        let permit = Arc::new(Semaphore::new(1)).acquire_owned().await.unwrap();
        let patience = Duration::from_secs(60);
        let place = Place { _permit: permit, _of_address: None };
        let mut stream = CountedStream { stream: Full, patience, stalled: None, _place: place };
        stream.write_all(b"answer").await.unwrap();
        let began = tokio::time::Instant::now();
        assert_eq!(stream.flush().await.unwrap_err().kind(), io::ErrorKind::TimedOut);
        assert_eq!(began.elapsed(), patience);
        assert_eq!(stream.shutdown().await.unwrap_err().kind(), io::ErrorKind::TimedOut);
    }
}
