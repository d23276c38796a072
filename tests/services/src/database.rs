//! A database of its own for one test, in a PostgreSQL that several tests share.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    process,
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicU32, Ordering},
    },
};

use crate::{postgres::programs, process::User};

/// An empty database. Dropping it removes it, whoever is still connected.
#[derive(Debug)]
pub struct Database {
    server: String,
    name: String,
}

impl Database {
    /// A new one in the server of `CODEROOM_TEST_POSTGRES`: a fifth of a second.
    ///
    /// # Panics
    /// When the variable is not set (the message says what to do), or the server refuses.
    #[must_use]
    pub fn create() -> Self {
        let server = std::env::var("CODEROOM_TEST_POSTGRES");
        Self::create_in(&server.expect("CODEROOM_TEST_POSTGRES is not set: run the tests below `coderoom-services`"))
    }

    /// The address of a database that stands for the SQLite file at this path, when the tests are to run on PostgreSQL
    /// (`CODEROOM_TEST_TABLES=postgres`), and `None` when they are to run on SQLite. The same path gives the same database
    /// for as long as this process lives.
    ///
    /// # Panics
    /// As for [`Self::create`].
    #[must_use]
    pub fn in_place_of(file: &Path) -> Option<String> {
        static DATABASES: Mutex<BTreeMap<PathBuf, Database>> = Mutex::new(BTreeMap::new());
        if std::env::var_os("CODEROOM_TEST_TABLES")? != "postgres" {
            return None;
        }
        let mut databases = DATABASES.lock().unwrap_or_else(PoisonError::into_inner);
        Some(databases.entry(file.to_owned()).or_insert_with(Self::create).url())
    }

    /// A new one in the server with this address of a superuser.
    ///
    /// # Panics
    /// When the server refuses.
    #[must_use]
    pub fn create_in(server: &str) -> Self {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        // Each test may be a process of its own.
        let name = format!("test_{}_{}", process::id(), NUMBER.fetch_add(1, Ordering::Relaxed));
        let created = Self { server: server.to_owned(), name };
        created.run("createdb", &[]).unwrap_or_else(|why| panic!("{why}"));
        created
    }

    fn run(&self, program: &str, arguments: &[&str]) -> Result<String, String> {
        User::ourselves().run(programs()?.join(program), |command| {
            command.args(["--maintenance-db", &self.server]).args(arguments).arg(&self.name);
        })
    }

    /// Its address.
    ///
    /// # Panics
    /// When the server's address has no database at its end.
    #[must_use]
    pub fn url(&self) -> String {
        let (server, _) = self.server.rsplit_once('/').expect("postgres://…/database");
        format!("{server}/{}", self.name)
    }
}

impl Drop for Database {
    fn drop(&mut self) {
        // The server may be gone: then so is the database.
        let _ = self.run("dropdb", &["--force", "--if-exists"]);
    }
}
