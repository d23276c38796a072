//! Ends a server in order: no new connections; open sockets flush and close; what was received is stored; runs are left
//! for the next start. What is not done by the deadline is cut off: everything acknowledged is stored anyway.

use tokio::time::timeout;

use super::Server;

impl Server {
    /// Ends the server. Returns whether everything ended before the deadline `server.drain_timeout`.
    pub async fn drain(self) -> bool {
        let deadline = self.app.settings.server.drain_timeout;
        tracing::info!(deadline_ms = deadline.as_millis(), "draining");
        self.stop_listening.cancel();
        self.app.draining.cancel();
        let in_time = timeout(deadline, self.end_in_order()).await.is_ok();
        if !in_time {
            tracing::warn!("not everything ended in time; what was acknowledged is stored");
        }
        in_time
    }

    async fn end_in_order(self) {
        let Self { app, listener, .. } = self;
        // The listener ends when it is told to; a panic in it must not stop the drain.
        let _ = listener.await;
        app.tracker.close();
        app.tracker.wait().await;
        // No socket is left that could still send an edit.
        app.rooms.drain().await;
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
