//! `coderoom admin …`: what administrators do, over HTTP. Prints JSON, one value a line, for people and programs alike.

use clap::Subcommand;
use coderoom_protocol::client::ApiClient;
use percent_encoding::utf8_percent_encode;
use reqwest::Method;
use serde_json::{Value, json};

use super::{connect::ConnectFlags, print, say};
use crate::percent::RESERVED;

/// Users asked for at once; the most that the server gives.
const USERS_OF_A_PAGE: u32 = 1000;

/// Most runs that the server gives.
const MOST_RUNS: usize = 1000;

/// `coderoom admin …`.
#[derive(Debug, Subcommand)]
pub(super) enum AdminCommand {
    /// List the users.
    Users {
        #[command(flatten)]
        connect: ConnectFlags,
    },
    /// Make a user and print a link that signs them in once.
    CreateUser {
        /// The name.
        name: String,
        /// May administer the server.
        #[arg(long)]
        admin: bool,
        #[command(flatten)]
        connect: ConnectFlags,
    },
    /// Suspend a user: nothing lets them in any more, what they have open ends, and their runs are stopped.
    Suspend(OneUser),
    /// Let a suspended user in again.
    Resume(OneUser),
    /// Take password, sessions and tokens from a user and print a link that signs them in once.
    Reset(OneUser),
    /// What a user has and had.
    Usage(OneUser),
    /// Runs that wait or run.
    Runs {
        #[command(flatten)]
        connect: ConnectFlags,
    },
    /// Stop a run.
    Stop {
        /// Its id.
        run: String,
        #[command(flatten)]
        connect: ConnectFlags,
    },
    /// End the node that the address leads to in order, as SIGTERM does.
    Drain {
        #[command(flatten)]
        connect: ConnectFlags,
    },
    /// The audit log, newest first.
    Audit {
        /// Only about this task.
        #[arg(long)]
        task: Option<String>,
        /// Most lines.
        #[arg(long, default_value_t = 100)]
        limit: u32,
        #[command(flatten)]
        connect: ConnectFlags,
    },
}

/// A user and the server that knows them.
#[derive(Debug, clap::Args)]
pub(super) struct OneUser {
    /// Id or name.
    user: String,
    #[command(flatten)]
    connect: ConnectFlags,
}

pub(super) async fn admin(command: AdminCommand) -> anyhow::Result<u8> {
    let (connect, method, path, body, list) = match command {
        AdminCommand::Users { connect } => return users(&connect.client()?).await,
        AdminCommand::CreateUser { name, admin, connect } => {
            let api = connect.client()?;
            let user =
                ask(&api, Method::POST, "/api/v1/users", Some(json!({ "name": name, "is_admin": admin }))).await?;
            let id = user["id"].as_str().unwrap_or_default();
            let link = ask(&api, Method::POST, &format!("/api/v1/users/{id}/link"), None).await?;
            show(&link);
            return Ok(0);
        }
        AdminCommand::Suspend(one) => of_user(one, Method::POST, "suspend")?,
        AdminCommand::Resume(one) => of_user(one, Method::POST, "resume")?,
        AdminCommand::Reset(one) => of_user(one, Method::POST, "reset")?,
        AdminCommand::Usage(one) => of_user(one, Method::GET, "usage")?,
        AdminCommand::Runs { connect } => (connect, Method::GET, "/api/v1/admin/runs".into(), None, Some("runs")),
        AdminCommand::Stop { run, connect } => {
            (connect, Method::POST, format!("/api/v1/runs/{}/stop", segment(&run)?), None, None)
        }
        AdminCommand::Drain { connect } => {
            (connect, Method::POST, "/api/v1/admin/drain".into(), Some(json!({ "node": "this" })), None)
        }
        AdminCommand::Audit { task, limit, connect } => {
            let path = match task {
                Some(task) => format!("/api/v1/tasks/{}/audit?limit={limit}", segment(&task)?),
                None => format!("/api/v1/audit?limit={limit}"),
            };
            (connect, Method::GET, path, None, Some("lines"))
        }
    };
    let answer = ask(&connect.client()?, method, &path, body).await?;
    match list.and_then(|name| answer[name].as_array()) {
        Some(lines) => {
            lines.iter().for_each(show);
            if list == Some("runs") && lines.len() >= MOST_RUNS {
                say(&format!("these are the {MOST_RUNS} oldest; there may be more"));
            }
        }
        None if answer.is_null() => {}
        None => show(&answer),
    }
    Ok(0)
}

type Request = (ConnectFlags, Method, String, Option<Value>, Option<&'static str>);

fn of_user(OneUser { user, connect }: OneUser, method: Method, what: &str) -> anyhow::Result<Request> {
    Ok((connect, method, format!("/api/v1/users/{}/{what}", segment(&user)?), None, None))
}

/// All users, page after page.
async fn users(api: &ApiClient) -> anyhow::Result<u8> {
    let mut path = format!("/api/v1/users?limit={USERS_OF_A_PAGE}");
    loop {
        let page = ask(api, Method::GET, &path, None).await?;
        page["users"].as_array().into_iter().flatten().for_each(show);
        let Some(after) = page["next"].as_str() else { return Ok(0) };
        path = format!("/api/v1/users?limit={USERS_OF_A_PAGE}&after={}", encoded(after));
    }
}

/// A word as one part of a path, whatever is in it.
fn segment(word: &str) -> anyhow::Result<String> {
    // These would be steps in the path, encoded or not; nobody and nothing has such a name.
    anyhow::ensure!(!matches!(word, "" | "." | ".."), "there is no {word:?}");
    Ok(encoded(word))
}

/// Percent-encodes all but the characters that stand for themselves anywhere in an address (RFC 3986 §2.3).
fn encoded(word: &str) -> String {
    utf8_percent_encode(word, RESERVED).to_string()
}

/// One value a line. A reader that went away early is no failure.
fn show(value: &Value) {
    let _ = print(&format!("{value}\n"));
}

/// The JSON that comes back; null when there is none.
async fn ask(api: &ApiClient, method: Method, path: &str, body: Option<Value>) -> anyhow::Result<Value> {
    let request = api.request(method, path)?;
    let request = if let Some(body) = body { request.json(&body) } else { request };
    let bytes = api.send(request).await?.bytes().await?;
    Ok(if bytes.is_empty() { Value::Null } else { serde_json::from_slice(&bytes)? })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_stay_one_part_of_a_path() {
        assert_eq!(encoded("Zoë B"), "Zo%C3%AB%20B");
        assert_eq!(encoded("ada/reset?x#y%2f"), "ada%2Freset%3Fx%23y%252f");
        assert!(segment("..").is_err() && segment("").is_err());
    }
}
