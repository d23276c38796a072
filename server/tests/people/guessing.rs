//! Guessing passwords, from one address and from many; and who is held back by it.

use reqwest::{StatusCode, header};
use serde_json::json;

use crate::served::{Served, serve};

/// A server that takes the word of this machine for where a request comes from, with a user Ada.
async fn behind_a_proxy(per_name: u32, per_name_in_all: u32) -> Served {
    let served = serve(|settings| {
        settings.server.trusted_proxies = vec!["127.0.0.1".into()];
        settings.people.attempts_per_address = 1000;
        settings.people.attempts_per_name = per_name;
        settings.people.attempts_per_name_in_all = per_name_in_all;
    })
    .await;
    served.server.app.people.create_user("ada", Some("correct horse".into()), false).await.unwrap();
    served
}

/// Tries to sign in from an address; the status, and the error's code or nothing.
async fn attempt(served: &Served, from: &str, name: &str, password: &str) -> (StatusCode, String) {
    let body = json!({ "name": name, "password": password });
    let request = served.http.post(served.url("/api/v1/sign-in")).header("x-forwarded-for", from).json(&body);
    let answer = request.send().await.unwrap();
    let (status, waits) = (answer.status(), answer.headers().contains_key(header::RETRY_AFTER));
    assert_eq!(waits, status == StatusCode::TOO_MANY_REQUESTS);
    let said: serde_json::Value = answer.json().await.unwrap();
    (status, said["code"].as_str().unwrap_or_default().to_owned())
}

#[tokio::test]
async fn who_tries_a_name_without_end_holds_back_nobody_elsewhere() {
    let served = behind_a_proxy(3, 10).await;
    for number in 0..30 {
        let (status, _) = attempt(&served, "198.51.100.1", "ada", "guess").await;
        let expected = if number < 3 { StatusCode::UNAUTHORIZED } else { StatusCode::TOO_MANY_REQUESTS };
        assert_eq!(status, expected, "attempt {number}");
    }
    assert_eq!(attempt(&served, "198.51.100.1", "Ada", "correct horse").await.0, StatusCode::TOO_MANY_REQUESTS);
    assert_eq!(attempt(&served, "198.51.100.2", "ada", "correct horse").await.0, StatusCode::OK);
}

#[tokio::test]
async fn name_that_many_addresses_try_is_held_back_whoever_has_it() {
    let served = behind_a_proxy(3, 10).await;
    let mut heard = Vec::new();
    for name in ["ada", "nobody"] {
        let mut answers = Vec::new();
        for last in 1..=12 {
            answers.push(attempt(&served, &format!("198.51.100.{last}"), name, "guess").await);
        }
        // The right password too: whether it is right is not told.
        answers.push(attempt(&served, "203.0.113.1", name, "correct horse").await);
        let held_back = answers.iter().filter(|(status, _)| *status == StatusCode::TOO_MANY_REQUESTS).count();
        assert_eq!(held_back, 3, "{answers:?}");
        heard.push(answers);
    }
    assert_eq!(heard[0], heard[1], "names that are somebody's and nobody's look alike");
    assert_eq!(attempt(&served, "198.51.100.1", "admin", "guess").await.0, StatusCode::UNAUTHORIZED, "other names");
}
