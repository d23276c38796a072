//! The HTTP server: connections that can be cut and refused, and answers with the headers of the real one.

use std::{convert::Infallible, io, net::SocketAddr, sync::Arc};

use axum::body::{Body, Bytes};
use futures_util::stream;
use hyper::{Request, Response, body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tokio::{net::TcpListener, sync::mpsc, task::JoinSet, time::Instant};

use super::{cluster::Cluster, routes, status::Failure};

/// An answer on its way to the client.
#[derive(Debug)]
pub(super) struct Answer {
    code: u16,
    content_type: &'static str,
    /// Texts of `Warning: 299` headers.
    pub(super) warnings: Vec<String>,
    retry_after: Option<u32>,
    body: Content,
}

#[derive(Debug)]
enum Content {
    Whole(Vec<u8>),
    Stream(mpsc::Receiver<io::Result<Bytes>>),
}

impl Answer {
    fn new(code: u16, content_type: &'static str, body: Content) -> Self {
        Self { code, content_type, warnings: Vec::new(), retry_after: None, body }
    }

    pub(super) fn json(code: u16, object: &Value) -> Self {
        Self::new(code, "application/json", Content::Whole(object.to_string().into_bytes()))
    }

    pub(super) fn text(code: u16, text: String) -> Self {
        Self::new(code, "text/plain", Content::Whole(text.into_bytes()))
    }

    pub(super) fn empty(code: u16) -> Self {
        Self::new(code, "", Content::Whole(Vec::new()))
    }

    pub(super) fn stream(content_type: &'static str, chunks: mpsc::Receiver<io::Result<Bytes>>) -> Self {
        Self::new(200, content_type, Content::Stream(chunks))
    }

    fn into_response(self) -> Response<Body> {
        let body = match self.body {
            Content::Whole(bytes) => Body::from(bytes),
            Content::Stream(chunks) => Body::from_stream(stream::unfold(chunks, |mut chunks| async move {
                let chunk = chunks.recv().await?;
                Some((chunk, chunks))
            })),
        };
        let mut response = Response::builder().status(self.code).header("audit-id", super::store::new_uid());
        if !self.content_type.is_empty() {
            response = response.header("content-type", self.content_type);
        }
        for warning in self.warnings {
            response = response.header("warning", format!("299 - {warning:?}"));
        }
        if let Some(seconds) = self.retry_after {
            response = response.header("retry-after", seconds);
        }
        response.body(body).unwrap_or_default()
    }
}

impl From<Failure> for Answer {
    fn from(failure: Failure) -> Self {
        Self { retry_after: failure.retry_after, ..Self::json(failure.code, &failure.body) }
    }
}

/// Accepts connections until the cluster ends; closes all of them while a test wants them refused.
pub(super) async fn serve(cluster: Arc<Cluster>, address: SocketAddr, listener: TcpListener) {
    let mut listener = Some(listener);
    let mut connections = JoinSet::new();
    let mut faults = cluster.faults.changes();
    loop {
        if let Some(until) = cluster.faults.read(|faults| faults.refuse_until) {
            listener = None;
            connections.shutdown().await;
            tokio::time::sleep_until(Instant::from_std(until)).await;
            cluster.faults.read(|faults| faults.refuse_until = None);
        }
        let open = match listener.take() {
            Some(open) => open,
            None => match TcpListener::bind(address).await {
                Ok(open) => open,
                Err(_) => {
                    tokio::time::sleep(std::time::Duration::from_millis(20)).await;
                    continue;
                }
            },
        };
        tokio::select! {
            accepted = open.accept() => if let Ok((socket, _)) = accepted {
                let _ = socket.set_nodelay(true);
                let cluster = cluster.clone();
                connections.spawn(async move {
                    let service = service_fn(move |request: Request<Incoming>| {
                        let cluster = cluster.clone();
                        async move { Ok::<_, Infallible>(routes::answer(&cluster, request).await.into_response()) }
                    });
                    // A client that hangs up is no error here.
                    let _ = http1::Builder::new().serve_connection(TokioIo::new(socket), service).await;
                });
            },
            _ = faults.changed() => {}
            Some(_) = connections.join_next() => {}
        }
        listener = Some(open);
    }
}
