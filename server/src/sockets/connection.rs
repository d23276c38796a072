//! The life of one socket in one task of the runtime: reading, writing and watching side by side, then an orderly end.

use std::{
    io::ErrorKind,
    pin::pin,
    sync::{Arc, PoisonError, atomic::Ordering},
    time::Duration,
};

use bytes::Bytes;
use futures_util::StreamExt;
use tokio::{
    io::{AsyncRead, AsyncWrite},
    select,
    time::{sleep, timeout},
};
use tokio_tungstenite::tungstenite::{Error, Message};

use super::{
    rate::Rate,
    receive::RoomDoor,
    socket::Socket,
    wire::{self, Incoming, WriteSide},
    yjs_door::YjsDoor,
};
use crate::rooms::{RoomEvent, frames, outbox::Next};

/// How long a closed socket is read from, so that the other side gets our last words before the system resets it.
const LINGER: Duration = Duration::from_secs(1);

/// Who listens to the client.
#[derive(Debug)]
pub(super) enum Door {
    /// The room socket.
    Room(RoomDoor),
    /// The second door.
    Yjs(YjsDoor),
}

impl Door {
    async fn binary(&mut self, bytes: Bytes) {
        match self {
            Self::Room(door) => door.binary(bytes).await,
            Self::Yjs(door) => door.binary(&bytes).await,
        }
    }

    async fn text(&mut self, text: &str) {
        match self {
            Self::Room(door) => door.text(text).await,
            Self::Yjs(_) => super::receive::count_refused("text"),
        }
    }

    async fn end(&mut self) {
        match self {
            Self::Room(door) => door.end().await,
            Self::Yjs(door) => door.end().await,
        }
    }
}

/// Which part ended first.
enum EndedBy {
    Client,
    Us,
    Drain,
}

/// Serves one socket until it ends.
pub(super) async fn serve<S>(socket: Arc<Socket>, mut door: Door, stream: S)
where
    S: AsyncRead + AsyncWrite + Unpin + Send,
{
    let open = metrics::gauge!("coderoom_sockets_open");
    open.increment(1);
    let (mut incoming, outgoing) = wire::split(stream, &socket.outbox, &socket.inflow, socket.settings()).await;
    {
        let mut write = pin!(write(&socket, outgoing));
        let ended = {
            let read = pin!(read(&socket, &mut door, &mut incoming));
            let watch = pin!(watch(&socket));
            let draining = pin!(socket.app.draining.cancelled());
            select! {
                biased;
                () = &mut write => EndedBy::Us,
                () = read => EndedBy::Client,
                () = watch => EndedBy::Us,
                () = draining => EndedBy::Drain,
            }
        };
        match ended {
            EndedBy::Us => {}
            EndedBy::Client => {
                socket.outbox.close(1000, "");
                // The answer to a close; when the client is gone there is nobody to write to.
                let _ = timeout(LINGER, &mut write).await;
            }
            EndedBy::Drain => {
                let within = socket.settings().close_within;
                let mut drain = Box::pin(super::drain::drain(&socket, &door));
                // The writer goes on meanwhile: the last acknowledgements are what this is about.
                select! {
                    () = &mut drain => {}
                    () = &mut write => {}
                    () = sleep(within) => {}
                }
                drop(drain);
                socket.outbox.close(1001, "the server is going away; reconnect");
                let _ = timeout(within, &mut write).await;
            }
        }
    }
    Box::pin(door.end()).await;
    let _ = timeout(LINGER, async { while let Some(Ok(_)) = incoming.next().await {} }).await;
    socket.end();
    open.decrement(1);
}

/// Reads until the client closes, breaks a rule of the protocol, or is gone.
async fn read<S>(socket: &Arc<Socket>, door: &mut Door, incoming: &mut Incoming<S>)
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let mut rate = Rate::new(socket.settings());
    while let Some(message) = incoming.next().await {
        socket.heard.store(true, Ordering::Relaxed);
        let length = match message {
            Ok(Message::Binary(bytes)) => {
                socket.inflow.message();
                let length = bytes.len();
                door.binary(bytes).await;
                length
            }
            Ok(Message::Text(text)) => {
                socket.inflow.message();
                door.text(&text).await;
                text.len()
            }
            Ok(Message::Ping(_) | Message::Pong(_) | Message::Frame(_)) => 0,
            Ok(Message::Close(_)) => continue,
            Err(error) => return refuse(socket, &error),
        };
        if rate.count(length) {
            Box::pin(rate.wait(socket.settings())).await;
        }
    }
}

/// Tells a client that broke the protocol why it is closed.
fn refuse(socket: &Socket, error: &Error) {
    match error {
        Error::Capacity(_) => socket.outbox.close(1009, "the message is too large"),
        Error::Utf8(_) => socket.outbox.close(1007, "a text frame must be UTF-8"),
        Error::Io(error) if error.kind() == ErrorKind::QuotaExceeded => {
            socket.outbox.close(4408, "too much was sent before the token");
        }
        Error::Io(error) if error.kind() == ErrorKind::TimedOut => {
            socket.outbox.close(1008, "a message took too long");
        }
        Error::Protocol(_) => socket.outbox.close(1002, "the frame is not well formed"),
        _ => socket.outbox.abandon(),
    }
}

/// Writes what is queued until the outbox is closed or the client is gone.
async fn write<S>(socket: &Socket, mut outgoing: WriteSide<S>)
where
    S: AsyncWrite + Unpin,
{
    let mut batch = Vec::new();
    loop {
        match socket.outbox.next(&mut batch).await {
            Next::Write => {
                if outgoing.write_all(&mut batch, &socket.spoke).await.is_err() {
                    return;
                }
                for session in socket.outbox.take_drained() {
                    metrics::counter!("coderoom_outbox_drained_total").increment(1);
                    socket.tell_room(RoomEvent::Drained { session }).await;
                }
            }
            Next::Close { code, reason } => {
                batch.push(frames::close(code, &reason));
                // If it cannot be told, it is gone already.
                let _ = outgoing.write_all(&mut batch, &socket.spoke).await;
                return outgoing.finish().await;
            }
        }
    }
}

/// Keeps the socket alive, and ends it when the client is dead, takes nothing, or never says who it is.
async fn watch(socket: &Socket) {
    let settings = socket.settings();
    let tick = settings.keep_alive / 2;
    let (mut age, mut quiet, mut stuck, mut closing) = (Duration::ZERO, Duration::ZERO, Duration::ZERO, Duration::ZERO);
    loop {
        sleep(tick).await;
        age = age.saturating_add(tick);
        quiet = if socket.heard.swap(false, Ordering::Relaxed) { Duration::ZERO } else { quiet + tick };
        let is_silent = !socket.spoke.swap(false, Ordering::Relaxed);
        stuck = if is_silent && socket.outbox.queued_bytes() > 0 { stuck + tick } else { Duration::ZERO };
        closing = if socket.outbox.is_closed() { closing + tick } else { Duration::ZERO };
        if quiet >= settings.dead_after || stuck >= settings.dead_after || closing >= settings.close_within {
            return;
        }
        if age >= settings.introduce_within && !socket.introduced.load(Ordering::Relaxed) {
            socket.outbox.close(4408, "nobody said who they are");
        }
        if is_silent {
            let keep_alive = socket.keep_alive.lock().unwrap_or_else(PoisonError::into_inner).clone();
            socket.outbox.push(keep_alive.unwrap_or_else(frames::ping));
        }
        if quiet >= settings.ping_after {
            socket.outbox.push(frames::ping());
        }
    }
}
