//! The schema of the product, as the numbered files of `migrations/`. Servers and workers apply it at start.

use coderoom_backing::tables::Migration;

/// All changes of the schema, in order. A file that was released is never edited: a change is a new file.
pub const MIGRATIONS: &[Migration] = &[
    Migration {
        number: 1,
        name: "0001_people",
        sqlite: include_str!("../../migrations/sqlite/0001_people.sql"),
        postgres: "",
    },
    Migration {
        number: 2,
        name: "0002_tasks",
        sqlite: include_str!("../../migrations/sqlite/0002_tasks.sql"),
        postgres: "",
    },
    Migration {
        number: 3,
        name: "0003_documents",
        sqlite: include_str!("../../migrations/sqlite/0003_documents.sql"),
        postgres: "",
    },
    Migration {
        number: 4,
        name: "0004_runs",
        sqlite: include_str!("../../migrations/sqlite/0004_runs.sql"),
        postgres: "",
    },
    Migration {
        number: 5,
        name: "0005_sharing",
        sqlite: include_str!("../../migrations/sqlite/0005_sharing.sql"),
        postgres: include_str!("../../migrations/postgres/0005_sharing.sql"),
    },
    Migration {
        number: 6,
        name: "0006_credentials",
        sqlite: include_str!("../../migrations/sqlite/0006_credentials.sql"),
        postgres: include_str!("../../migrations/postgres/0006_credentials.sql"),
    },
    Migration {
        number: 7,
        name: "0007_audit",
        sqlite: include_str!("../../migrations/sqlite/0007_audit.sql"),
        postgres: include_str!("../../migrations/postgres/0007_audit.sql"),
    },
    Migration {
        number: 8,
        name: "0008_nodes",
        sqlite: include_str!("../../migrations/sqlite/0008_nodes.sql"),
        postgres: include_str!("../../migrations/postgres/0008_nodes.sql"),
    },
];

#[cfg(test)]
mod tests {
    use coderoom_backing::tables::Tables;

    use super::MIGRATIONS;

    #[tokio::test]
    async fn schema_applies_to_an_empty_database_and_again_to_itself() {
        let directory = tempfile::tempdir().unwrap();
        let tables = Tables::open_sqlite(&directory.path().join("t.db")).await.unwrap();
        tables.migrate(MIGRATIONS).await.unwrap();
        tables.migrate(MIGRATIONS).await.unwrap();
        let broken = tables.query("PRAGMA foreign_key_check", vec![]).await.unwrap();
        assert_eq!(broken, []);
    }
}
