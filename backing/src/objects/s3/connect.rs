//! The client: path style, an HTTP client of our own, checksums only where the protocol requires them (others break
//! stores that are not AWS), time-outs and few retries.

use aws_sdk_s3::{
    Client, Config,
    config::{
        BehaviorVersion, Credentials, Region, RequestChecksumCalculation, ResponseChecksumValidation, SharedHttpClient,
        StalledStreamProtectionConfig, retry::RetryConfig, timeout::TimeoutConfig,
    },
};
use aws_smithy_http_client::{
    Builder,
    tls::{Provider, TlsContext, TrustStore, rustls_provider::CryptoMode},
};

use super::S3Settings;
use crate::objects::{ObjectsError, Result};

/// A client for one address of the store.
pub(super) fn client(settings: &S3Settings, endpoint: &str) -> Result<Client> {
    if !(endpoint.starts_with("http://") || endpoint.starts_with("https://")) {
        return Err(ObjectsError::Refused(format!("the address {endpoint:?} must begin with http:// or https://")));
    }
    let credentials = Credentials::new(&settings.access_key, &settings.secret_key, None, None, "settings");
    let timeouts = TimeoutConfig::builder()
        .connect_timeout(settings.connect_timeout)
        .operation_attempt_timeout(settings.request_timeout)
        .build();
    let config = Config::builder()
        .behavior_version(BehaviorVersion::v2026_01_12())
        .endpoint_url(endpoint)
        .region(Region::new(settings.region.clone()))
        .credentials_provider(credentials)
        .force_path_style(true)
        .request_checksum_calculation(RequestChecksumCalculation::WhenRequired)
        .response_checksum_validation(ResponseChecksumValidation::WhenRequired)
        // It takes a producer's pause for a dead connection; bodies here are in memory, and reads have a time-out.
        .stalled_stream_protection(StalledStreamProtectionConfig::disabled())
        .timeout_config(timeouts)
        .retry_config(RetryConfig::standard().with_max_attempts(settings.attempts.max(1)))
        .http_client(http_client(settings)?)
        .build();
    Ok(Client::from_conf(config))
}

fn http_client(settings: &S3Settings) -> Result<SharedHttpClient> {
    let builder = Builder::new().tls_provider(Provider::Rustls(CryptoMode::Ring));
    let Some(file) = &settings.ca_file else { return Ok(builder.build_https()) };
    let refused = |why: String| ObjectsError::Refused(format!("the certificates in {}: {why}", file.display()));
    let pem = std::fs::read(file).map_err(|error| refused(error.to_string()))?;
    let trusted = TrustStore::empty().with_native_roots(true).with_pem_certificate(pem);
    let context =
        TlsContext::builder().with_trust_store(trusted).build().map_err(|error| refused(error.to_string()))?;
    Ok(builder.tls_context(context).build_https())
}
