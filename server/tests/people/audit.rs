//! Who did what, and what each user uses.

use coderoom_backing::values;
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::served::serve;

#[tokio::test]
async fn audit_log_says_who_did_what_and_keeps_it() {
    let served = serve(|_| {}).await;
    let (task, admin, ada) = (served.task().await, served.admin_token(), served.user("ada").await);
    let member = format!("/api/v1/tasks/{task}/members/ada");
    for _ in 0..2 {
        // Said again it is no news.
        served.with(Method::PUT, &member, ("authorization", &admin), json!({ "role": "editor" })).await;
    }
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
