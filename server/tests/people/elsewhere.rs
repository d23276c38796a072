//! People who prove who they are elsewhere: OpenID Connect, and signed tokens of another issuer.

use std::time::Duration;

use jsonwebtoken::{Algorithm, EncodingKey, Header, encode};
use reqwest::{Client, Method, Response, StatusCode, header};
use serde_json::{Value, json};

use crate::{
    provider::{CLIENT, Mischief, Provider, SECRET},
    served::{Served, serve},
};

async fn serve_with(provider: &Provider) -> Served {
    serve_with_all(&[("school", "The School", provider)]).await
}

async fn serve_with_all(providers: &[(&str, &str, &Provider)]) -> Served {
    let file = tempfile::NamedTempFile::new().unwrap();
    let table = |(name, title, provider): &(&str, &str, &Provider)| {
        format!(
            "[[provider]]\nname = \"{name}\"\ntitle = \"{title}\"\nissuer = \"{}\"\nclient_id = \"{CLIENT}\"\nclient_secret = \"{SECRET}\"\n",
            provider.url
        )
    };
    std::fs::write(file.path(), providers.iter().map(table).collect::<String>()).unwrap();
    serve(|settings| settings.people.oidc_file = Some(file.path().into())).await
}

/// A browser that follows nothing by itself.
fn browser() -> Client {
    Client::builder().redirect(reqwest::redirect::Policy::none()).build().unwrap()
}

fn location(answer: &Response) -> String {
    assert_eq!(answer.status(), StatusCode::SEE_OTHER);
    answer.headers()[header::LOCATION].to_str().unwrap().to_owned()
}

fn cookies(answer: &Response) -> Vec<String> {
    let set = answer.headers().get_all(header::SET_COOKIE).iter();
    set.map(|cookie| cookie.to_str().unwrap().split(';').next().unwrap().to_owned()).collect()
}

/// Goes to the provider and comes back: the address to come back at, and the cookie of the way.
async fn there(served: &Served) -> (String, String) {
    there_at(served, "school").await
}

async fn there_at(served: &Served, name: &str) -> (String, String) {
    let start = served.url(&format!("/api/v1/sign-in/with/{name}?return_to=/tasks/7"));
    let start = browser().get(start).send().await.unwrap();
    let pending = cookies(&start).remove(0);
    let back = location(&browser().get(location(&start)).send().await.unwrap());
    assert!(back.starts_with(&served.url(&format!("/api/v1/sign-in/back/{name}?"))), "{back}");
    (back, pending)
}

async fn back(at: &str, pending: &str) -> Response {
    browser().get(at).header("cookie", pending).send().await.unwrap()
}

async fn user_of(served: &Served, answer: &Response) -> Value {
    assert_eq!(location(answer), "/tasks/7");
    let session = cookies(answer).into_iter().find(|cookie| cookie.starts_with("coderoom_session=")).unwrap();
    let (status, me) = served.with(Method::GET, "/api/v1/me", ("cookie", &session), Value::Null).await;
    assert_eq!(status, StatusCode::OK);
    me
}

#[tokio::test]
async fn provider_signs_in_the_same_user_each_time() {
    let provider = Provider::start().await;
    let served = serve_with(&provider).await;
    let listed: Value =
        served.http.get(served.url("/api/v1/sign-in/providers")).send().await.unwrap().json().await.unwrap();
    assert_eq!(listed["providers"], json!([{ "name": "school", "title": "The School" }]));
    let (at, pending) = there(&served).await;
    let first = user_of(&served, &back(&at, &pending).await).await;
    assert_eq!((first["name"].as_str(), first["is_admin"].as_bool()), (Some("Ada"), Some(false)));
    assert_eq!(back(&at, &pending).await.status(), StatusCode::UNAUTHORIZED, "an answer counts once");
    let (at, pending) = there(&served).await;
    assert_eq!(user_of(&served, &back(&at, &pending).await).await, first);
    provider.rotate();
    tokio::time::timeout(Duration::from_secs(30), async {
        // Not faster, or the address has used up its attempts before the keys are fetched again.
        let mut tries = tokio::time::interval(Duration::from_millis(500));
        loop {
            tries.tick().await;
            let (at, pending) = there(&served).await;
            if back(&at, &pending).await.status() == StatusCode::SEE_OTHER {
                return;
            }
        }
    })
    .await
    .expect("new keys of the provider are found");
    let admin = served.admin_token();
    served.with(Method::POST, "/api/v1/users/ada/suspend", ("authorization", &admin), Value::Null).await;
    let (at, pending) = there(&served).await;
    assert_eq!(back(&at, &pending).await.status(), StatusCode::UNAUTHORIZED, "suspended here is suspended");
}

#[tokio::test]
async fn two_providers_are_two_doors_and_their_people_are_not_the_same() {
    let (school, work) = (Provider::start().await, Provider::start().await);
    let served = serve_with_all(&[("school", "The School", &school), ("work", "Work", &work)]).await;
    let listed: Value =
        served.http.get(served.url("/api/v1/sign-in/providers")).send().await.unwrap().json().await.unwrap();
    let both = json!([{ "name": "school", "title": "The School" }, { "name": "work", "title": "Work" }]);
    assert_eq!(listed["providers"], both);
    let mut users = Vec::new();
    for name in ["school", "work"] {
        let mut visits = Vec::new();
        for _ in 0..2 {
            let (at, pending) = there_at(&served, name).await;
            visits.push(user_of(&served, &back(&at, &pending).await).await);
        }
        assert_eq!(visits[0], visits[1], "the same person at {name}");
        users.push(visits.remove(0));
    }
    // Both call their person ada-1 and Ada: the issuers tell them apart.
    assert_ne!(users[0]["id"], users[1]["id"]);
    assert_ne!(users[0]["name"], users[1]["name"]);
    let (at, pending) = there_at(&served, "school").await;
    let mixed = at.replace("/back/school", "/back/work");
    assert_eq!(back(&mixed, &pending).await.status(), StatusCode::UNAUTHORIZED, "begun at the other provider");
}

#[tokio::test]
async fn answers_that_are_not_right_sign_nobody_in() {
    let provider = Provider::start().await;
    let served = serve_with(&provider).await;
    let (at, pending) = there(&served).await;
    let other = back(&at, "coderoom_sign_in=another").await.status();
    assert_eq!(other, StatusCode::UNAUTHORIZED, "begun in another browser");
    let forged = at.replace("code=code", "code=forged");
    assert_eq!(back(&forged, &pending).await.status(), StatusCode::UNAUTHORIZED, "a code nobody gave");
    for mischief in [
        Mischief::Nonce,
        Mischief::Audience,
        Mischief::Issuer,
        Mischief::Expired,
        Mischief::FromTheFuture,
        Mischief::UnknownKey,
        Mischief::Unsigned,
    ] {
        provider.misbehave(mischief);
        let (at, pending) = there(&served).await;
        let answer = back(&at, &pending).await;
        assert_eq!(answer.status(), StatusCode::UNAUTHORIZED, "{mischief:?}");
    }
    assert!(served.server.app.people.user("Ada").await.unwrap().is_none(), "nobody was made");
    let (at, pending) = there(&served).await;
    served.clock.jump(601_000);
    assert_eq!(back(&at, &pending).await.status(), StatusCode::UNAUTHORIZED, "ten minutes are enough");
    let nowhere = browser().get(served.url("/api/v1/sign-in/with/nowhere")).send().await.unwrap();
    assert_eq!(nowhere.status(), StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn signed_tokens_of_the_issuer_are_taken_and_others_are_not() {
    let provider = Provider::start().await;
    let served = serve(|settings| {
        settings.people.jwt_jwks_url = Some(format!("{}/keys", provider.url));
        settings.people.jwt_issuer = Some(provider.url.clone());
        settings.people.jwt_audience = vec![CLIENT.into()];
        settings.people.cache_time = Duration::ZERO;
    })
    .await;
    let me = async |token: String| served.me(("authorization", &format!("Bearer {token}"))).await;
    let now = served.clock.now_ms() / 1000;
    assert_eq!(me(provider.sign(json!({}))).await, StatusCode::OK);
    assert_eq!(me(provider.sign(json!({ "exp": now - 10 }))).await, StatusCode::OK, "within the leeway");
    assert!(served.server.app.people.user("ada").await.unwrap().is_some(), "the user was made");
    for (what, claims) in [
        ("expired", json!({ "exp": now - 60 })),
        ("not yet", json!({ "nbf": now + 120 })),
        ("for another", json!({ "aud": "another" })),
        ("by another", json!({ "iss": "https://another.example" })),
        ("of nobody", json!({ "sub": null })),
    ] {
        assert_eq!(me(provider.sign(claims)).await, StatusCode::UNAUTHORIZED, "{what}");
    }
    // The classic: a public key taken for a shared secret.
    let public = reqwest::get(format!("{}/keys", provider.url)).await.unwrap().text().await.unwrap();
    let header = Header { kid: Some("key-0".into()), ..Header::new(Algorithm::HS256) };
    let claims = json!({ "iss": provider.url, "aud": CLIENT, "sub": "x", "exp": now + 300 });
    let forged = encode(&header, &claims, &EncodingKey::from_secret(public.as_bytes())).unwrap();
    assert_eq!(me(forged).await, StatusCode::UNAUTHORIZED);
    assert_eq!(me("a.b.c".into()).await, StatusCode::UNAUTHORIZED);
    let before = provider.asked_for_keys();
    provider.rotate();
    let found = async { while me(provider.sign(json!({}))).await != StatusCode::OK {} };
    tokio::time::timeout(Duration::from_secs(30), found).await.expect("a new key is found");
    let fetched = provider.asked_for_keys() - before;
    assert!(fetched <= 2, "keys are fetched seldom: {fetched} times");
}
