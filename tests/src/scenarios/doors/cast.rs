//! Who knocks: one task with its members, strangers, and tokens that have ended or say less than their user may.

use coderoom_protocol::ids::{RunId, TaskId};
use reqwest::Method;
use serde_json::{Value, json};

use crate::{
    person::{Person, http_client},
    server::Server,
    wait::until,
};

/// The columns of the table.
pub(super) const WHO: [&str; 12] = [
    "nobody",
    "ended",
    "stranger",
    "viewer",
    "editor",
    "owner",
    "admin",
    "read token",
    "edit token",
    "run token",
    "other task's token",
    "other task's link",
];

/// The index of a column.
pub(super) fn column(who: &str) -> usize {
    WHO.iter().position(|column| *column == who).expect("a column")
}

/// The password that `Person::another` gives.
pub(super) const PASSWORD: &str = "a long enough password";

/// Somebody at the door.
#[derive(Clone, Debug)]
pub(super) struct Knocker {
    /// What is particular about them.
    pub(super) what: &'static str,
    /// What they show.
    pub(super) token: Option<String>,
}

/// Everybody, and what they want to get at.
#[derive(Debug)]
pub(super) struct Cast {
    pub(super) url: String,
    pub(super) http: reqwest::Client,
    pub(super) admin: Person,
    pub(super) owner: Person,
    /// A user nobody plays, for what is done to users.
    pub(super) spare: String,
    pub(super) task: TaskId,
    /// A finished run of it, with output.
    pub(super) run: RunId,
    people: Vec<(&'static str, Vec<Knocker>)>,
}

impl Cast {
    /// Makes everybody.
    pub(super) async fn gather(server: &Server) -> Self {
        let admin = Person::admin(server);
        let (owner, _) = admin.another("owner").await;
        let (viewer, _) = admin.another("viewer").await;
        let (editor, _) = admin.another("editor").await;
        let (stranger, _) = admin.another("stranger").await;
        let (guest, _) = admin.another("guest").await;
        let (gone, _) = admin.another("gone").await;
        let (_, spare) = admin.another("spare").await;
        let task = task_of(&owner).await;
        let other = task_of(&owner).await;
        let token = async |what: Value| {
            let made = owner.json(Method::POST, "/api/v1/tokens", &what).await;
            (
                made["token"].as_str().expect("a token").to_owned(),
                made["about"]["id"].as_str().expect("an id").to_owned(),
            )
        };
        let (read, _) = token(json!({ "name": "read", "scopes": ["read"] })).await;
        let (edit, _) = token(json!({ "name": "edit", "scopes": ["edit"] })).await;
        let (run_token, _) = token(json!({ "name": "run", "scopes": ["run"] })).await;
        let (named, _) = token(json!({ "name": "other", "tasks": [other] })).await;
        let (revoked, id) = token(json!({ "name": "revoked" })).await;
        owner.json(Method::DELETE, &format!("/api/v1/tokens/{id}"), &Value::Null).await;
        let soon = json!({ "name": "expired", "expires_at": now_ms() + 300 });
        let (expired, _) = token(soon).await;
        admin.json(Method::POST, "/api/v1/users/gone/suspend", &Value::Null).await;
        let link = json!({ "role": "editor" });
        let link = owner.json(Method::POST, &format!("/api/v1/tasks/{other}/links"), &link).await;
        guest.json(Method::POST, "/api/v1/links/accept", &json!({ "code": link["code"] })).await;
        owner.write(task, "run.sh", "mkdir -p output && echo result > output/result && echo hello\n").await;
        let run = owner.submit(task, None).await;
        owner.wait_for_end(run).await;
        let (url, http) = (server.url(), http_client());
        until(async || {
            let answer = http.get(format!("{url}/api/v1/me")).bearer_auth(&expired).send().await.expect("an answer");
            if answer.status() == 401 { Ok(()) } else { Err("the token that ends is still good") }
        })
        .await;
        let one = |what, token: &str| vec![Knocker { what, token: Some(token.to_owned()) }];
        let people = vec![
            ("nobody", vec![Knocker { what: "no token", token: None }]),
            (
                "ended",
                [
                    one("expired", &expired),
                    one("revoked", &revoked),
                    one("suspended", &gone.token),
                    one("made up", "crt_x"),
                ]
                .concat(),
            ),
            ("stranger", one("a user who is no member", &stranger.token)),
            ("viewer", one("a member", &viewer.token)),
            ("editor", one("a member", &editor.token)),
            ("owner", one("a member", &owner.token)),
            ("admin", one("no member", &admin.token)),
            ("read token", one("of the owner", &read)),
            ("edit token", one("of the owner", &edit)),
            ("run token", one("of the owner", &run_token)),
            ("other task's token", one("of the owner", &named)),
            ("other task's link", one("an editor there", &guest.token)),
        ];
        Self { url, http, admin, owner, spare, task, run, people }
    }

    /// Those of a column.
    pub(super) fn people(&self, who: &str) -> &[Knocker] {
        self.people.iter().find(|(column, _)| *column == who).map(|(_, people)| &people[..]).expect("a column")
    }

    /// A task of the same kind, for what would spoil the first.
    pub(super) async fn fresh_task(&self) -> TaskId {
        task_of(&self.owner).await
    }

    /// An address with ids that are not there in place of those that are.
    pub(super) fn nowhere(&self, url: &str) -> String {
        url.replace(&self.task.to_string(), &TaskId::new().to_string())
            .replace(&self.run.to_string(), &RunId::new().to_string())
    }
}

/// A task with an owner, an editor and a viewer, and files to work on.
async fn task_of(owner: &Person) -> TaskId {
    let task = owner.create_task("matrix", "python").await;
    for role in ["viewer", "editor"] {
        owner.json(Method::PUT, &format!("/api/v1/tasks/{task}/members/{role}"), &json!({ "role": role })).await;
    }
    owner.write(task, "extra.txt", "some text").await;
    task
}

#[expect(clippy::disallowed_methods, reason = "the server compares it with its own clock")]
fn now_ms() -> u64 {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}
