//! Ends a server in order: no new connections; open sockets flush and close; what was received is stored; runs are left
//! for the next start. What is not done by the deadline is cut off: everything acknowledged is stored anyway.

use tokio::time::{Instant, timeout_at};

use super::{Server, engine};

impl Server {
    /// Ends the server. Returns whether everything ended before the deadline `server.drain_timeout`.
    pub async fn drain(self) -> bool {
        let Self { app, listener, metrics_listener, engine, shared, stop_listening, .. } = self;
        let (began, time) = (Instant::now(), app.settings.server.drain_timeout);
        tracing::info!(deadline_ms = time.as_millis(), "draining");
        stop_listening.cancel();
        app.draining.cancel();
        let runs = async {
            if let Some(engine) = engine {
                engine.shutdown(engine::patience(&app.settings)).await;
            }
        };
        let people = async {
            // The listener ends when it is told to; a panic in it must not stop the drain.
            let _ = listener.await;
            if let Some(listener) = metrics_listener {
                let _ = listener.await;
            }
            app.tracker.close();
            // A quarter of the time is kept for storing what the slowest sockets sent.
            let gone = timeout_at(began + time * 3 / 4, app.tracker.wait()).await.is_ok();
            app.rooms.drain().await;
            gone
        };
        let ended = timeout_at(began + time, async { tokio::join!(people, runs).0 }).await;
        let in_time = ended == Ok(true);
        if let Some(shared) = shared {
            shared.nodes.leave().await;
        }
        if !in_time {
            tracing::warn!("not everything ended in time; what was acknowledged is stored");
        }
        tracing::info!(duration_ms = began.elapsed().as_millis(), "drained");
        in_time
    }
}

/// Waits for SIGTERM or SIGINT.
pub async fn stop_signal() -> std::io::Result<()> {
    use tokio::signal::unix::{SignalKind, signal};
    let (mut term, mut int) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
    tokio::select! {
        _ = term.recv() => {}
        _ = int.recv() => {}
    }
    Ok(())
}
