//! What somebody began before their access ended leaves no way in behind: signing in and new passwords wait their turn to
//! be hashed, and much may happen meanwhile.

use std::net::Ipv4Addr;

use axum::http::HeaderMap;
use coderoom_backing::tables::PostgresSettings;
use coderoom_services::Database;
use coderoom_worker::schema::MIGRATIONS;

use super::*;

/// How long a test waits for what must happen.
const PATIENCE: Duration = Duration::from_secs(10);
/// How long something that must not happen has time to happen.
const LULL: Duration = Duration::from_millis(200);
const PASSWORD: &str = "correct horse";

struct Office {
    people: People,
    admin: Identity,
    _directory: tempfile::TempDir,
}

impl Office {
    async fn open() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("coderoom.db");
        let tables = match Database::in_place_of(&file) {
            None => Tables::open_sqlite(&file).await.unwrap(),
            Some(url) => Tables::open_postgres(PostgresSettings::new(url)).await.unwrap(),
        };
        tables.migrate(MIGRATIONS).await.unwrap();
        let streams = directory.path().join("streams");
        std::fs::create_dir_all(&streams).unwrap();
        let bus = Bus::open_local(&streams).await.unwrap();
        let people = People::open(tables, bus, Clock::default(), PeopleSettings::default());
        let admin = people.ensure_admin().await.unwrap();
        Self { people, admin, _directory: directory }
    }

    async fn user(&self, name: &str) -> UserId {
        self.people.create_user(name, Some(PASSWORD.into()), false).await.unwrap().id
    }

    async fn sign_in(&self, name: &str) -> Result<SignedIn, SignInError> {
        self.people.sign_in(name, PASSWORD.into(), Ipv4Addr::LOCALHOST.into(), &HeaderMap::new()).await
    }

    async fn sign_in_by_link(&self, code: &str) -> Result<SignedIn, SignInError> {
        self.people.sign_in_by_link(code, Ipv4Addr::LOCALHOST.into(), &HeaderMap::new()).await
    }

    /// Waits until so many wait for a hash.
    async fn waiting(&self, number: usize) {
        let wait = async {
            while self.people.inner.hasher.waiting() < number {
                tokio::time::sleep(Duration::from_millis(2)).await;
            }
        };
        let came = tokio::time::timeout(PATIENCE, wait).await;
        assert!(came.is_ok(), "{number} should wait for a hash");
    }

    /// Does `begun` as far as its hash, then all of `meanwhile`, then the rest of `begun`.
    async fn overtake<T>(&self, begun: impl Future<Output = T>, meanwhile: impl Future<Output = ()>) -> T {
        let held = self.people.inner.hasher.hold().await;
        let rest = async {
            self.waiting(1).await;
            meanwhile.await;
            drop(held);
        };
        tokio::join!(begun, rest).0
    }

    async fn sessions(&self, user: UserId) -> usize {
        self.people.sessions(user).await.unwrap().len()
    }
}

fn refused<T: std::fmt::Debug>(result: Result<T, SignInError>) -> ErrorCode {
    match result {
        Err(SignInError::Refused(error)) => error.code,
        other => panic!("not refused: {other:?}"),
    }
}

#[tokio::test]
async fn sign_in_that_waits_while_its_password_goes_begins_no_session() {
    let office = Office::open().await;
    let people = &office.people;
    for end in ["reset", "suspended", "changed"] {
        let user = office.user(end).await;
        let before = office.sign_in(end).await.unwrap().identity;
        let meanwhile = async {
            match end {
                "reset" => people.reset(user).await.unwrap(),
                "suspended" => drop(people.set_suspended(&office.admin, user, true).await.unwrap()),
                _ => {
                    let sql = "SELECT password_hash FROM users WHERE id = $1";
                    let row = people.inner.tables.query_opt(sql, values![user.to_string()]).await.unwrap().unwrap();
                    people.put_password(&before, row.opt_text(0).unwrap(), "another hash").await.unwrap();
                }
            }
        };
        let signed_in = Box::pin(office.overtake(office.sign_in(end), meanwhile)).await;
        assert_eq!(refused(signed_in), ErrorCode::WrongPassword, "{end}");
        let kept = usize::from(end == "changed");
        assert_eq!(office.sessions(user).await, kept, "{end}: the session that changed it stays, if any");
    }
}

#[tokio::test]
async fn sign_in_waits_for_a_reset_that_has_begun() {
    let office = Office::open().await;
    let user = office.user("ada").await;
    let mut reset = office.people.inner.tables.begin().await.unwrap();
    let id = user.to_string();
    reset.execute("UPDATE users SET password_hash = NULL WHERE id = $1", values![id.as_str()]).await.unwrap();
    let mut signing_in = Box::pin(office.sign_in("ada"));
    let ended = tokio::time::timeout(LULL, &mut signing_in).await;
    assert!(ended.is_err(), "it does not end before the reset does");
    reset.execute("DELETE FROM sessions WHERE user_id = $1", values![id.as_str()]).await.unwrap();
    reset.commit().await.unwrap();
    assert_eq!(refused(signing_in.await), ErrorCode::WrongPassword);
    assert_eq!(office.sessions(user).await, 0);
}

#[tokio::test]
async fn links_and_resets_at_once_leave_no_session() {
    let office = Office::open().await;
    let user = office.user("ada").await;
    for _ in 0..20 {
        let code = office.people.create_link(user, PATIENCE).await.unwrap();
        let (signed_in, reset) = tokio::join!(office.sign_in_by_link(&code), office.people.reset(user));
        reset.unwrap();
        if signed_in.is_err() {
            assert_eq!(refused(signed_in), ErrorCode::WrongPassword);
        }
        assert_eq!(office.sessions(user).await, 0);
    }
}

#[tokio::test]
async fn link_of_a_suspended_user_begins_no_session() {
    let office = Office::open().await;
    let user = office.user("ada").await;
    let code = office.people.create_link(user, PATIENCE).await.unwrap();
    office.people.set_suspended(&office.admin, user, true).await.unwrap();
    assert_eq!(refused(office.sign_in_by_link(&code).await), ErrorCode::WrongPassword);
    assert_eq!(office.sessions(user).await, 0);
}

#[tokio::test]
async fn session_that_ends_meanwhile_sets_no_password_and_makes_no_token() {
    let office = Office::open().await;
    let people = &office.people;
    for has_password in [true, false] {
        let user = office.user(&format!("ada {has_password}")).await;
        let code = people.create_link(user, PATIENCE).await.unwrap();
        if !has_password {
            let sql = "UPDATE users SET password_hash = NULL WHERE id = $1";
            people.inner.tables.execute(sql, values![user.to_string()]).await.unwrap();
        }
        let thief = office.sign_in_by_link(&code).await.unwrap().identity;
        let change = people.change_password(&thief, Some(PASSWORD.into()), "a password of theirs".into());
        let changed = Box::pin(office.overtake(change, async { people.reset(user).await.unwrap() })).await;
        assert_eq!(refused(changed), ErrorCode::SignInRequired);
        assert!(!people.user(&user.to_string()).await.unwrap().unwrap().has_password);
        let wish = TokenWish { name: "for later".into(), ..TokenWish::default() };
        let made = people.create_scoped_token(&thief, user, wish).await;
        assert_eq!(made.unwrap_err().code, ErrorCode::SignInRequired);
        assert_eq!(people.tokens(user).await.unwrap(), []);
    }
}

#[tokio::test]
async fn of_two_password_changes_at_once_one_counts() {
    let office = Office::open().await;
    let people = &office.people;
    office.user("ada").await;
    let by = office.sign_in("ada").await.unwrap().identity;
    let change = |new: &str| people.change_password(&by, Some(PASSWORD.into()), new.into());
    let held = people.inner.hasher.hold().await;
    let go = async {
        office.waiting(2).await;
        drop(held);
    };
    let (first, second, ()) = tokio::join!(change("a new password"), change("another password"), go);
    assert_eq!(usize::from(first.is_ok()) + usize::from(second.is_ok()), 1);
    assert_eq!(refused(if first.is_ok() { second } else { first }), ErrorCode::WrongPassword);
}
