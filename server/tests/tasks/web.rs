//! The HTTP routes of tasks, files and archives, through the router of a real server.

use axum::{
    Router,
    body::Body,
    http::{HeaderMap, Method, Request, StatusCode, header},
};
use coderoom_backing::clock::Clock;
use coderoom_server::{
    assemble::Server,
    config::{Settings, value::ByteSize},
    http,
};
use serde_json::{Value, json};
use tower::ServiceExt as _;

/// A server with an owner, an editor, a viewer and a stranger.
pub(crate) struct Site {
    pub(crate) server: Server,
    router: Router,
    _directory: tempfile::TempDir,
}

/// An answer with its whole body.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Vec<u8>,
}

impl Answer {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    pub(crate) fn header(&self, name: impl header::AsHeaderName) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }

    /// It is a problem with this code and the status that goes with it.
    pub(crate) fn is_problem(&self, code: &str) {
        assert_eq!(self.header(header::CONTENT_TYPE), "application/problem+json", "{self:?}");
        let problem = self.json();
        assert_eq!(problem["code"], code, "{problem}");
        assert_eq!(problem["status"], self.status.as_u16(), "{problem}");
        assert!(!problem["detail"].as_str().unwrap().is_empty());
    }
}

impl Site {
    pub(crate) async fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let mut settings = Settings::default();
        settings.deployment.data = directory.path().to_owned();
        settings.deployment.listen = ([127, 0, 0, 1], 0).into();
        settings.limits.max_text_size = ByteSize(10_000);
        settings.sandbox.supervisor = super::web_runs::supervisor();
        let server = Server::start(settings, Clock::default()).await.unwrap();
        let router = http::router(server.app.clone());
        Self { server, router, _directory: directory }
    }

    /// A user and an API token of theirs.
    pub(crate) async fn person(&self, name: &str) -> Person<'_> {
        let user = self.server.app.people.create_user(name, None, false).await.unwrap();
        let token = self.server.app.people.create_token(user.id, "test", None).await.unwrap();
        Person { site: self, token: Some(token.secret) }
    }
}

/// Somebody who sends requests.
pub(crate) struct Person<'a> {
    pub(crate) site: &'a Site,
    pub(crate) token: Option<String>,
}

impl Person<'_> {
    pub(crate) async fn send(
        &self,
        method: Method,
        path: &str,
        headers: &[(&str, &str)],
        body: impl Into<Body>,
    ) -> Answer {
        let mut request = Request::builder().method(method).uri(path).header(header::HOST, "test");
        if let Some(token) = &self.token {
            request = request.header(header::AUTHORIZATION, format!("Bearer {token}"));
        }
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let response = self.site.router.clone().oneshot(request.body(body.into()).unwrap()).await.unwrap();
        let (head, body) = response.into_parts();
        let body = axum::body::to_bytes(body, usize::MAX).await.unwrap().to_vec();
        Answer { status: head.status, headers: head.headers, body }
    }

    pub(crate) async fn get(&self, path: &str) -> Answer {
        self.send(Method::GET, path, &[], Body::empty()).await
    }

    pub(crate) async fn put(&self, path: &str, body: impl Into<Body>) -> Answer {
        self.send(Method::PUT, path, &[], body).await
    }

    pub(crate) async fn post(&self, path: &str, body: &Value) -> Answer {
        self.send(Method::POST, path, &[("content-type", "application/json")], body.to_string()).await
    }

    /// Makes a task; gives the path of its routes.
    pub(crate) async fn task(&self) -> String {
        let made = self.post("/api/v1/tasks", &json!({ "name": "task", "language": "python" })).await;
        assert_eq!(made.status, StatusCode::CREATED, "{made:?}");
        let path = format!("/api/v1/tasks/{}", made.json()["id"].as_str().unwrap());
        assert_eq!(made.header(header::LOCATION), path);
        path
    }
}

#[tokio::test]
async fn task_is_made_read_changed_listed_and_deleted() {
    let site = Site::new().await;
    let ada = site.person("ada").await;
    let task = ada.task().await;
    let detail = ada.get(&task).await.json();
    assert_eq!((detail["main_path"].as_str(), detail["role"].as_str()), (Some("run.py"), Some("owner")));
    assert_eq!(detail["max_text_bytes"], 10_000);
    assert_eq!(detail["created_by"]["name"], "ada");
    let changed = ada
        .send(Method::PATCH, &task, &[("content-type", "application/json")], json!({ "name": "new name" }).to_string())
        .await;
    assert_eq!(changed.json()["name"], "new name");
    let list = ada.get("/api/v1/tasks?search=new&language=python&state=0").await.json();
    assert_eq!(list["tasks"].as_array().unwrap().len(), 1);
    ada.get("/api/v1/tasks?state=9").await.is_problem("invalid");
    ada.get("/api/v1/tasks?limit=many").await.is_problem("invalid");
    ada.get("/api/v1/tasks?language=cobol").await.is_problem("invalid");
    ada.get("/api/v1/tasks?all=true").await.is_problem("not_allowed");
    let gone = ada.send(Method::DELETE, &task, &[], "").await;
    assert_eq!(gone.status, StatusCode::NO_CONTENT);
    for path in [task.clone(), format!("{task}/tree"), format!("{task}/files/run.py"), format!("{task}/archive")] {
        ada.get(&path).await.is_problem("not_found");
    }
}

#[tokio::test]
async fn strangers_are_told_that_it_is_not_there_and_viewers_that_they_may_not() {
    let site = Site::new().await;
    let (ada, eve) = (site.person("ada").await, site.person("eve").await);
    let task = ada.task().await;
    let nobody = Person { site: &site, token: None };
    let forger = Person { site: &site, token: Some("crt_forged".into()) };
    let reads = ["", "/tree", "/files/run.py", "/archive", "/runs"];
    let writes = [
        (Method::PUT, "/files/x", json!("x")),
        (Method::DELETE, "/files/run.py", json!(null)),
        (Method::POST, "/move", json!({ "from": "run.py", "to": "x" })),
        (Method::POST, "/main", json!({ "path": "run.sh" })),
        (Method::POST, "/import", json!(null)),
        (Method::POST, "/runs", json!({})),
        (Method::PATCH, "", json!({ "name": "x" })),
        (Method::DELETE, "", json!(null)),
    ];
    let write = async |person: &Person<'_>, (method, path, body): &(Method, &str, Value)| {
        let headers = [("content-type", "application/json")];
        person.send(method.clone(), &format!("{task}{path}"), &headers, body.to_string()).await
    };
    for path in reads {
        eve.get(&format!("{task}{path}")).await.is_problem("not_found");
        nobody.get(&format!("{task}{path}")).await.is_problem("sign_in_required");
        forger.get(&format!("{task}{path}")).await.is_problem("sign_in_required");
    }
    for one in &writes {
        write(&eve, one).await.is_problem("not_found");
        write(&nobody, one).await.is_problem("sign_in_required");
    }
    let member = json!({ "role": "viewer" });
    let made = ada
        .send(Method::PUT, &format!("{task}/members/eve"), &[("content-type", "application/json")], member.to_string())
        .await;
    assert_eq!(made.status, StatusCode::OK, "{made:?}");
    for path in reads {
        assert_eq!(eve.get(&format!("{task}{path}")).await.status, StatusCode::OK, "{path}");
    }
    for one in &writes {
        write(&eve, one).await.is_problem("not_allowed");
    }
    eve.get("/api/v1/tasks/not-an-id").await.is_problem("not_found");
}

#[tokio::test]
async fn uploaded_text_is_live_text_and_everything_else_a_blob() {
    let site = Site::new().await;
    let ada = site.person("ada").await;
    let task = ada.task().await;
    let file = |path: &str| format!("{task}/files/{path}");
    let made = ada.put(&file("%E6%95%B0%E6%8D%AE/a.txt"), "one\r\ntwo\r\n").await;
    assert_eq!(made.status, StatusCode::CREATED, "{made:?}");
    let made = made.json();
    assert_eq!((made["path"].as_str(), made["kind"].as_str()), (Some("数据/a.txt"), Some("text")));
    let again = ada.put(&file("%E6%95%B0%E6%8D%AE/a.txt"), "one\r\n2\r\n").await;
    assert_eq!((again.status, &again.json()["file"]), (StatusCode::OK, &made["file"]), "the same document");
    let read = ada.get(&file("%E6%95%B0%E6%8D%AE/a.txt")).await;
    assert_eq!(read.body, b"one\r\n2\r\n");
    assert_eq!(read.header(header::CONTENT_TYPE), "text/plain; charset=utf-8");
    assert_eq!(read.header(header::X_CONTENT_TYPE_OPTIONS), "nosniff");
    let known = [("if-none-match", read.header(header::ETAG))];
    assert_eq!(ada.send(Method::GET, &file("%E6%95%B0%E6%8D%AE/a.txt"), &known, "").await.status, 304);

    assert_eq!(ada.put(&file("empty"), "").await.json()["kind"], "text");
    assert_eq!(ada.get(&file("empty")).await.body, b"");
    assert_eq!(ada.put(&file("at"), "x".repeat(10_000)).await.json()["kind"], "text");
    let over = ada.put(&file("over"), "x".repeat(10_001)).await.json();
    assert_eq!((over["kind"].as_str(), over["size"].as_u64()), (Some("blob"), Some(10_001)));
    assert_eq!(ada.put(&file("page.html"), vec![b'<', 0xff]).await.json()["kind"], "blob");
    let blob = ada.get(&file("page.html")).await;
    assert_eq!(blob.body, [b'<', 0xff]);
    assert_eq!(blob.header(header::CONTENT_TYPE), "application/octet-stream");
    assert!(blob.header(header::CONTENT_DISPOSITION).starts_with("attachment; filename=\"page.html\""));
    let head = ada.send(Method::HEAD, &file("over"), &[], "").await;
    assert_eq!((head.status, head.header(header::CONTENT_LENGTH), head.body.len()), (StatusCode::OK, "10001", 0));

    // A text that becomes a blob is another file, and the other way round.
    let blob = ada.put(&file("empty"), vec![0xff]).await;
    assert_eq!((blob.status, blob.json()["kind"].as_str()), (StatusCode::OK, Some("blob")));
    let text = ada.put(&file("empty"), "text").await.json();
    assert_eq!(text["kind"], "text");
    assert_ne!(text["file"], blob.json()["file"]);
    ada.put(&file("run.py"), vec![0xff]).await.is_problem("main_file");
    assert_eq!(ada.put(&file("run.py?new_main=run.sh"), vec![0xff]).await.status, StatusCode::OK);
    assert_eq!(ada.get(&task).await.json()["main_path"], "run.sh");

    ada.put(&file("EMPTY"), "x").await.is_problem("case_conflict");
    ada.put(&file("empty/x"), "x").await.is_problem("file_folder_conflict");
    ada.put(&file("a//b"), "x").await.is_problem("bad_path");
    ada.put(&file("a/%2e%2e/b"), "x").await.is_problem("bad_path");
    ada.get(&file("nothing")).await.is_problem("not_found");
    ada.get(&file("Empty")).await.is_problem("not_found");
    let too_large = [("content-length", "2000000000")];
    ada.send(Method::PUT, &file("huge"), &too_large, "x").await.is_problem("task_too_large");
}

#[tokio::test]
async fn tree_is_moved_deleted_and_given_a_main_file_over_http() {
    let site = Site::new().await;
    let ada = site.person("ada").await;
    let task = ada.task().await;
    ada.put(&format!("{task}/files/src/a.py"), "a").await;
    let moved = ada.post(&format!("{task}/move"), &json!({ "from": "src", "to": "lib" })).await;
    assert_eq!(moved.json()["changes"][0]["to"], "lib/a.py");
    ada.post(&format!("{task}/move"), &json!({ "from": "lib", "to": "lib/x" })).await.is_problem("move_into_itself");
    ada.post(&format!("{task}/main"), &json!({ "path": "lib" })).await.is_problem("not_found");
    assert_eq!(ada.post(&format!("{task}/main"), &json!({ "path": "lib/a.py" })).await.status, StatusCode::OK);
    let tree = ada.get(&format!("{task}/tree?contents=true")).await.json();
    assert_eq!(tree["tree"]["children"][0]["children"][0]["text"], "a");
    assert_eq!(tree["tree"]["children"][0]["children"][0]["main"], true);
    let delete = async |path: &str| ada.send(Method::DELETE, &format!("{task}/files/{path}"), &[], "").await;
    delete("lib").await.is_problem("main_file");
    assert_eq!(delete("lib?new_main=run.py").await.status, StatusCode::OK);
    delete("lib").await.is_problem("not_found");
}

#[tokio::test]
async fn zips_go_down_and_up_over_http() {
    let site = Site::new().await;
    let ada = site.person("ada").await;
    let (task, other) = (ada.task().await, ada.task().await);
    ada.put(&format!("{task}/files/d/x.bin"), vec![0xff; 20_000]).await;
    let zip = ada.get(&format!("{task}/archive?path=d")).await;
    assert_eq!(zip.header(header::CONTENT_TYPE), "application/zip");
    assert!(zip.header(header::CONTENT_DISPOSITION).contains("filename=\"d.zip\""));
    let import = async |body: Vec<u8>| {
        let headers = [("content-type", "application/zip")];
        ada.send(Method::POST, &format!("{other}/import?folder=in"), &headers, body).await
    };
    let done = import(zip.body.clone()).await;
    assert_eq!(done.json()["changes"][0]["path"], "in/x.bin");
    assert_eq!(ada.get(&format!("{other}/files/in/x.bin")).await.body, vec![0xff; 20_000]);
    import(zip.body).await.is_problem("path_taken");
    import(b"no zip".to_vec()).await.is_problem("bad_archive");
}

#[tokio::test]
async fn everything_that_goes_wrong_is_a_problem() {
    let site = Site::new().await;
    let ada = site.person("ada").await;
    let task = ada.task().await;
    ada.get("/api/v1/nothing").await.is_problem("not_found");
    ada.get("/api/v2").await.is_problem("not_found");
    let wrong = ada.send(Method::PATCH, "/api/v1/tasks", &[], "").await;
    wrong.is_problem("method_not_allowed");
    assert!(wrong.header(header::ALLOW).contains("POST"), "{wrong:?}");
    let json = [("content-type", "application/json")];
    ada.send(Method::POST, "/api/v1/tasks", &json, "{").await.is_problem("bad_request");
    ada.send(Method::POST, "/api/v1/tasks", &[], "{}").await.is_problem("bad_request");
    ada.post("/api/v1/tasks", &json!({ "name": "x" })).await.is_problem("invalid");
    ada.post("/api/v1/tasks", &json!({ "name": "x", "language": "python", "more": 1 })).await.is_problem("invalid");
    ada.post("/api/v1/tasks", &json!({ "name": "", "language": "python" })).await.is_problem("invalid");
    let large = json!({ "name": "x", "language": "python", "remarks": "x".repeat(5 << 20) });
    ada.post("/api/v1/tasks", &large).await.is_problem("body_too_large");
    ada.get(&format!("{task}/files/%ff")).await.is_problem("bad_request");
    ada.post(&format!("{task}/runs"), &json!({ "command": 1 })).await.is_problem("invalid");
    ada.post(&format!("{task}/runs"), &json!({ "command": " " })).await.is_problem("invalid");
    ada.get("/api/v1/runs/00000000-0000-7000-8000-000000000000").await.is_problem("not_found");
    ada.get("/api/v1/runs/x/log").await.is_problem("not_found");
}

#[tokio::test]
async fn description_is_valid_and_lists_every_route() {
    let site = Site::new().await;
    let nobody = Person { site: &site, token: None };
    let api = nobody.get("/api/openapi.json").await.json();
    assert!(api["openapi"].as_str().unwrap().starts_with("3.1"), "{}", api["openapi"]);
    let routes = [
        ("tasks", "get post"),
        ("tasks/{task}", "get patch delete"),
        ("tasks/{task}/tree", "get"),
        ("tasks/{task}/files/{path}", "get put delete"),
        ("tasks/{task}/move", "post"),
        ("tasks/{task}/main", "post"),
        ("tasks/{task}/archive", "get"),
        ("tasks/{task}/import", "post"),
        ("tasks/{task}/runs", "get post"),
        ("tasks/{task}/members", "get"),
        ("runs/{run}", "get"),
        ("runs/{run}/stop", "post"),
        ("runs/{run}/rerun", "post"),
        ("runs/{run}/log", "get"),
        ("runs/{run}/output", "get"),
        ("runs/{run}/snapshot", "get"),
        ("runs/{run}/manifest", "get"),
    ];
    for (path, methods) in routes {
        for method in methods.split(' ') {
            assert!(api["paths"][format!("/api/v1/{path}")][method].is_object(), "{method} {path} is not described");
        }
    }
    let mut names = std::collections::HashSet::new();
    for (path, item) in api["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap() {
            let name = operation["operationId"].as_str().unwrap_or_else(|| panic!("{method} {path} has no name"));
            assert!(names.insert(name.to_owned()), "{name} names two operations");
            for status in ["400", "401", "422", "429", "503"] {
                assert!(operation["responses"][status].is_object(), "{method} {path} does not describe {status}");
            }
            let described = operation["parameters"].as_array().cloned().unwrap_or_default();
            let mut in_path: Vec<_> =
                described.iter().filter(|one| one["in"] == "path").map(|one| one["name"].as_str().unwrap()).collect();
            let mut wanted: Vec<_> =
                path.split('/').filter_map(|part| part.strip_prefix('{')?.strip_suffix('}')).collect();
            in_path.sort_unstable();
            wanted.sort_unstable();
            assert_eq!(in_path, wanted, "{method} {path}");
        }
    }
    let mut references = Vec::new();
    collect_references(&api, &mut references);
    assert!(references.len() > 30);
    for reference in references {
        let pointer = reference.strip_prefix('#').unwrap();
        assert!(api.pointer(pointer).is_some(), "{reference} leads nowhere");
    }
    for asset in ["/api/docs", "/api/docs.js", "/api/docs.css"] {
        let page = nobody.get(asset).await;
        assert_eq!(page.status, StatusCode::OK);
        assert!(!String::from_utf8(page.body).unwrap().contains("://"), "{asset} names another host");
    }
}

fn collect_references(value: &Value, found: &mut Vec<String>) {
    match value {
        Value::Object(fields) => {
            found.extend(fields.get("$ref").and_then(Value::as_str).map(str::to_owned));
            fields.values().for_each(|field| collect_references(field, found));
        }
        Value::Array(values) => values.iter().for_each(|value| collect_references(value, found)),
        _ => {}
    }
}
