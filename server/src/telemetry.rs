//! What the server writes about itself: log lines on standard error, and metrics for Prometheus.
//! No token, password or source text ever gets into either.

use std::{borrow::Cow, sync::OnceLock};

use metrics_exporter_prometheus::{PrometheusBuilder, PrometheusHandle};
use percent_encoding::percent_decode_str;
use tracing_subscriber::EnvFilter;

use crate::config::topics::{Log, LogFormat};

/// Whether the rules of `log.level` can be used; the error says why not.
pub fn check_filter(rules: &str) -> Result<(), String> {
    EnvFilter::try_new(rules).map(|_| ()).map_err(|error| error.to_string())
}

/// Begins to write log lines. Called once, by the binary; a second call changes nothing.
pub fn start_log(settings: &Log) {
    let filter = EnvFilter::try_new(&settings.level).unwrap_or_else(|_| EnvFilter::new("info"));
    let lines = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_ansi(std::io::IsTerminal::is_terminal(&std::io::stderr()))
        .with_writer(std::io::stderr);
    // A second subscriber is refused; the first one goes on.
    let _ = match settings.format {
        LogFormat::Human => lines.with_target(false).try_init(),
        LogFormat::Json => lines.json().flatten_event(true).try_init(),
    };
}

/// The recorder of this process's metrics; installed at the first call.
pub fn metrics() -> &'static PrometheusHandle {
    static HANDLE: OnceLock<PrometheusHandle> = OnceLock::new();
    HANDLE.get_or_init(|| {
        let recorder = PrometheusBuilder::new()
            .set_buckets(&[0.001, 0.005, 0.02, 0.1, 0.5, 2.0, 10.0])
            .unwrap_or_else(|_| PrometheusBuilder::new())
            .build_recorder();
        let handle = recorder.handle();
        // Somebody who embeds the server may have a recorder already; then /metrics shows ours, empty.
        let _ = metrics::set_global_recorder(recorder);
        handle
    })
}

/// Names of query parameters whose values are secrets.
const SECRET_PARAMETERS: [&str; 4] = ["token", "code", "state", "access_token"];

/// A path and query fit for a log line: the values of secret parameters are masked, however their names are encoded.
#[must_use]
pub fn mask_uri(path_and_query: &str) -> Cow<'_, str> {
    let Some((path, query)) = path_and_query.split_once('?') else { return Cow::Borrowed(path_and_query) };
    let masked: Vec<Cow<'_, str>> = query
        .split('&')
        .map(|pair| match pair.split_once('=') {
            Some((name, _)) if is_secret(name) => Cow::Owned(format!("{name}=***")),
            _ => Cow::Borrowed(pair),
        })
        .collect();
    Cow::Owned(format!("{path}?{}", masked.join("&")))
}

fn is_secret(name: &str) -> bool {
    let name = percent_decode_str(name).decode_utf8_lossy();
    SECRET_PARAMETERS.iter().any(|secret| name.eq_ignore_ascii_case(secret))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_in_addresses_are_masked() {
        assert_eq!(mask_uri("/yjs/1/a.py?token=crt_abc&create=true"), "/yjs/1/a.py?token=***&create=true");
        assert_eq!(mask_uri("/sign-in?code=abc"), "/sign-in?code=***");
        assert_eq!(mask_uri("/x?TOKEN=abc"), "/x?TOKEN=***");
        assert_eq!(mask_uri("/x?%74oke%6E=abc&b=c"), "/x?%74oke%6E=***&b=c");
        assert_eq!(
            mask_uri("/api/v1/sign-in/back/school?state=abc&code=d"),
            "/api/v1/sign-in/back/school?state=***&code=***"
        );
        assert_eq!(mask_uri("/plain"), "/plain");
    }
}
