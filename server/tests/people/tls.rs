//! HTTPS with a certificate of the settings, and a renewed one without a restart. Keys and certificates in `tls/` were made
//! for this test alone.

use std::time::Duration;

use reqwest::{Certificate, Client, StatusCode, header};
use serde_json::json;

use crate::served::serve;

const FILES: [[&str; 3]; 2] = [
    [include_str!("tls/ca_a.pem"), include_str!("tls/cert_a.pem"), include_str!("tls/key_a.pem")],
    [include_str!("tls/ca_b.pem"), include_str!("tls/cert_b.pem"), include_str!("tls/key_b.pem")],
];

/// A client that trusts one authority alone.
fn trusting(authority: &str) -> Client {
    let root = Certificate::from_pem(authority.as_bytes()).unwrap();
    Client::builder().tls_certs_only([root]).build().unwrap()
}

#[tokio::test]
async fn certificate_serves_https_and_is_read_again() {
    let folder = tempfile::tempdir().unwrap();
    let (certificate, key) = (folder.path().join("cert.pem"), folder.path().join("key.pem"));
    let put = |files: [&str; 3]| {
        std::fs::write(&certificate, files[1]).unwrap();
        std::fs::write(&key, files[2]).unwrap();
    };
    put(FILES[0]);
    let served = serve(|settings| {
        settings.server.tls_certificate = Some(certificate.clone());
        settings.server.tls_key = Some(key.clone());
    })
    .await;
    assert!(served.server.app.public_url.starts_with("https://"));
    let at = |path: &str| format!("https://{}{path}", served.server.address);
    let first = trusting(FILES[0][0]);
    let code = json!({ "code": served.code() });
    let signed_in = first.post(at("/api/v1/sign-in/code")).json(&code).send().await.unwrap();
    assert_eq!(signed_in.status(), StatusCode::OK);
    let cookie = signed_in.headers()[header::SET_COOKIE].to_str().unwrap();
    assert!(cookie.starts_with("__Host-coderoom_session=") && cookie.contains("; Secure"), "{cookie}");
    assert!(served.http.get(served.url("/health/live")).send().await.is_err(), "plain HTTP is not answered");
    let second = trusting(FILES[1][0]);
    assert!(second.get(at("/health/live")).send().await.is_err(), "not the other certificate yet");
    put(FILES[1]);
    rustix::process::kill_process(rustix::process::getpid(), rustix::process::Signal::HUP).unwrap();
    let renewed = async {
        while second.get(at("/health/live")).send().await.is_err() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), renewed).await.expect("the renewed certificate is served");
}
