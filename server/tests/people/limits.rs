//! Limits, headers, the audit log, and what administrators do.

use coderoom_backing::values;
use reqwest::{Method, StatusCode, header};
use serde_json::{Value, json};

use crate::served::serve;

#[tokio::test]
async fn too_many_requests_are_told_when_to_come_again() {
    let served = serve(|settings| settings.limits.requests_per_user = 5).await;
    let ada = served.user("ada").await;
    let mut last = None;
    for _ in 0..7 {
        last = Some(served.http.get(served.url("/api/v1/me")).header("authorization", &ada).send().await.unwrap());
    }
    let last = last.unwrap();
    assert_eq!(last.status(), StatusCode::TOO_MANY_REQUESTS);
    let wait: u64 = last.headers()[header::RETRY_AFTER].to_str().unwrap().parse().unwrap();
    assert!((1..=60).contains(&wait), "{wait}");
    let said: Value = last.json().await.unwrap();
    assert_eq!(said["code"], "too_many_requests");
    assert_eq!(served.me(("authorization", &served.admin_token())).await, StatusCode::OK, "others are served");
}

#[tokio::test]
async fn too_many_requests_from_one_address_are_refused_and_health_is_not() {
    let served = serve(|settings| settings.limits.requests_per_address = 5).await;
    let get = async |path: &str| served.http.get(served.url(path)).send().await.unwrap();
    for _ in 0..5 {
        assert_eq!(get("/api/v1/me").await.status(), StatusCode::UNAUTHORIZED);
    }
    let refused = get("/api/v1/me").await;
    assert_eq!(refused.status(), StatusCode::TOO_MANY_REQUESTS);
    assert!(refused.headers().contains_key(header::RETRY_AFTER));
    assert_eq!(get("/health/live").await.status(), StatusCode::OK);
}

#[tokio::test]
async fn one_user_has_so_many_tasks_and_so_much_in_them() {
    let served = serve(|settings| {
        settings.limits.max_tasks_per_user = 1;
        settings.limits.max_storage_per_user = coderoom_server::config::value::ByteSize(2000);
    })
    .await;
    let ada = served.user("ada").await;
    let new = json!({ "name": "mine", "language": "python" });
    let (status, task) = served.with(Method::POST, "/api/v1/tasks", ("authorization", &ada), new.clone()).await;
    assert_eq!(status, StatusCode::CREATED, "{task}");
    let (status, said) = served.with(Method::POST, "/api/v1/tasks", ("authorization", &ada), new).await;
    assert_eq!((status, said["code"].as_str()), (StatusCode::CONFLICT, Some("quota_reached")), "{said}");
    let at = |what: &str| format!("/api/v1/tasks/{}/{what}", task["id"].as_str().unwrap());
    let put = async |who: &str, name: &str| {
        let path = served.url(&at(&format!("files/{name}")));
        served.http.put(path).header("authorization", who).body("x".repeat(3000)).send().await.unwrap().status()
    };
    assert!(put(&ada, "a.txt").await.is_success(), "there was room when it began");
    assert_eq!(put(&ada, "b.txt").await, StatusCode::CONFLICT);
    let bob = served.user("bob").await;
    let role = json!({ "role": "editor" });
    let (status, said) = served.with(Method::PUT, &at("members/bob"), ("authorization", &ada), role).await;
    assert_eq!(status, StatusCode::OK, "{said}");
    assert_eq!(put(&bob, "b.txt").await, StatusCode::CONFLICT, "what others bring counts as hers");
}

#[tokio::test]
async fn every_answer_keeps_browsers_from_making_more_of_it() {
    let served = serve(|_| {}).await;
    for path in ["/", "/api/v1/me", "/api/docs", "/api/openapi.json", "/nothing-here", "/health"] {
        let answer = served.http.get(served.url(path)).send().await.unwrap();
        let get = |name: &str| answer.headers().get(name).map(|value| value.to_str().unwrap()).unwrap_or_default();
        assert_eq!(get("x-content-type-options"), "nosniff", "{path}");
        assert_eq!(get("referrer-policy"), "no-referrer", "{path}");
        let policy = get("content-security-policy");
        assert!(policy.contains("frame-ancestors 'none'"), "{path}: {policy}");
        let scripts = policy.split(';').find(|part| part.trim().starts_with("script-src")).unwrap_or(policy);
        assert!(!scripts.contains("unsafe-inline") && !scripts.contains("unsafe-eval"), "{path}: {policy}");
    }
    let served = serve(|settings| settings.people.secure_cookies = true).await;
    let answer = served.post("/api/v1/sign-in/code", json!({ "code": served.code() })).await;
    let cookie = answer.headers()[header::SET_COOKIE].to_str().unwrap();
    assert!(cookie.starts_with("__Host-coderoom_session=") && cookie.contains("; Secure"), "{cookie}");
    assert!(answer.headers().contains_key("strict-transport-security"));
    let plain = cookie.replacen("__Host-", "", 1);
    assert_eq!(served.me(("cookie", plain.split(';').next().unwrap())).await, StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn audit_log_says_who_did_what_and_keeps_it() {
    let served = serve(|_| {}).await;
    let (task, admin, ada) = (served.task().await, served.admin_token(), served.user("ada").await);
    let member = format!("/api/v1/tasks/{task}/members/ada");
    served.with(Method::PUT, &member, ("authorization", &admin), json!({ "role": "editor" })).await;
    served.with(Method::DELETE, &member, ("authorization", &admin), Value::Null).await;
    let path = format!("/api/v1/tasks/{task}/audit");
    let (status, page) = served.with(Method::GET, &path, ("authorization", &admin), Value::Null).await;
    assert_eq!(status, StatusCode::OK, "{page}");
    let lines = page["lines"].as_array().unwrap();
    let said: Vec<_> =
        lines.iter().map(|line| (line["action"].as_str().unwrap(), line["detail"].as_str().unwrap())).collect();
    assert_eq!(said, [("unshare", "ada"), ("share", "ada is editor")]);
    assert_eq!(lines[0]["user_name"], "admin");
    let (status, _) = served.with(Method::GET, &path, ("authorization", &ada), Value::Null).await;
    assert_eq!(status, StatusCode::NOT_FOUND);
    let token = json!({ "name": "hers", "user": "ada" });
    let (status, _) = served.with(Method::POST, "/api/v1/tokens", ("authorization", &admin), token).await;
    assert_eq!(status, StatusCode::CREATED);
    let (_, page) = served.with(Method::GET, "/api/v1/audit?limit=1", ("authorization", &admin), Value::Null).await;
    let newest = &page["lines"][0];
    assert_eq!((&newest["action"], &newest["user_name"]), (&json!("create_token"), &json!("admin")), "who made it");
    served.post("/api/v1/sign-in/code", json!({ "code": served.code() })).await;
    let (_, page) = served.with(Method::GET, "/api/v1/audit?limit=1", ("authorization", &admin), Value::Null).await;
    assert_eq!((&page["lines"][0]["action"], &page["lines"][0]["address"]), (&json!("sign_in"), &json!("127.0.0.1")));
    let next = page["next"].as_str().expect("there is more");
    let older = format!("/api/v1/audit?before={next}");
    let (status, rest) = served.with(Method::GET, &older, ("authorization", &admin), Value::Null).await;
    assert_eq!(status, StatusCode::OK);
    assert!(rest["lines"].as_array().unwrap().len() >= 2, "{rest}");
    let tables = &served.server.app.tables;
    assert!(tables.execute("UPDATE audit SET detail = ''", values![]).await.is_err(), "nobody changes it");
    assert!(tables.execute("DELETE FROM audit", values![]).await.is_err(), "nobody shortens it");
}

#[tokio::test]
async fn administrators_see_usage_and_reset_users() {
    let served = serve(|_| {}).await;
    let (admin, ada) = (served.admin_token(), served.user("ada").await);
    let new = json!({ "name": "mine", "language": "python" });
    served.with(Method::POST, "/api/v1/tasks", ("authorization", &ada), new).await;
    let (status, usage) =
        served.with(Method::GET, "/api/v1/users/ada/usage", ("authorization", &admin), Value::Null).await;
    assert_eq!(status, StatusCode::OK, "{usage}");
    assert_eq!((&usage["tasks"], &usage["tokens"], &usage["runs"]), (&json!(1), &json!(1), &json!(0)), "{usage}");
    assert!(usage["storage_bytes"].as_u64().unwrap() > 0, "{usage}");
    let (status, runs) = served.with(Method::GET, "/api/v1/admin/runs", ("authorization", &admin), Value::Null).await;
    assert_eq!((status, &runs["runs"]), (StatusCode::OK, &json!([])));
    let reset = "/api/v1/users/ada/reset";
    let (status, link) = served.with(Method::POST, reset, ("authorization", &admin), Value::Null).await;
    assert_eq!(status, StatusCode::CREATED);
    assert_eq!(served.me(("authorization", &ada)).await, StatusCode::UNAUTHORIZED, "the tokens are gone");
    let code = link["url"].as_str().unwrap().split_once("code=").unwrap().1;
    let answer = served.post("/api/v1/sign-in/code", json!({ "code": code })).await;
    let cookie = crate::served::cookie(&answer);
    assert_eq!(served.me(("cookie", &cookie)).await, StatusCode::OK);
}
