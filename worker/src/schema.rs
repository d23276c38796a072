//! The schema of the product, as the numbered files of `migrations/`. Servers and workers apply it at start.

use coderoom_backing::tables::Migration;

/// All changes of the schema, in order. A file that was released is never edited: a change is a new file.
pub const MIGRATIONS: &[Migration] = &[
    Migration {
        number: 1,
        name: "0001_people",
        sqlite: include_str!("../../migrations/sqlite/0001_people.sql"),
        postgres: include_str!("../../migrations/postgres/0001_people.sql"),
    },
    Migration {
        number: 2,
        name: "0002_tasks",
        sqlite: include_str!("../../migrations/sqlite/0002_tasks.sql"),
        postgres: include_str!("../../migrations/postgres/0002_tasks.sql"),
    },
    Migration {
        number: 3,
        name: "0003_documents",
        sqlite: include_str!("../../migrations/sqlite/0003_documents.sql"),
        postgres: include_str!("../../migrations/postgres/0003_documents.sql"),
    },
    Migration {
        number: 4,
        name: "0004_runs",
        sqlite: include_str!("../../migrations/sqlite/0004_runs.sql"),
        postgres: include_str!("../../migrations/postgres/0004_runs.sql"),
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
    use coderoom_backing::tables::{PostgresSettings, Sql, Tables};
    use coderoom_services::Database;

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

    /// Tables, columns, whether they may be null, and what must be unique. Types differ by name only; a key that SQLite counts
    /// itself has to be INTEGER there.
    async fn shape(tables: &Tables) -> Vec<String> {
        let sql = Sql {
            sqlite: "SELECT m.name || '.' || c.name || ' ' || CASE c.type WHEN 'BLOB' THEN 'bytea' WHEN 'INTEGER' THEN 'bigint' ELSE lower(c.type) END
                       || CASE WHEN c.\"notnull\" = 1 OR (c.type = 'INTEGER' AND c.pk = 1) THEN ' not null' ELSE '' END
                     FROM sqlite_schema m JOIN pragma_table_info(m.name) c WHERE m.type = 'table' AND m.name NOT LIKE 'sqlite%'
                     UNION ALL SELECT tbl_name || ' index ' || name FROM sqlite_schema WHERE type = 'index' AND sql IS NOT NULL"
                .into(),
            postgres: "SELECT table_name::text || '.' || column_name::text || ' ' || data_type::text
                       || CASE WHEN is_nullable = 'NO' THEN ' not null' ELSE '' END
                     FROM information_schema.columns WHERE table_schema = 'public'
                     UNION ALL SELECT tablename::text || ' index ' || indexname::text FROM pg_indexes
                     WHERE schemaname = 'public' AND indexname !~ '_(pkey|key)$'"
                .into(),
        };
        let rows = tables.query(sql, vec![]).await.unwrap();
        let mut lines: Vec<String> = rows.iter().map(|row| row.text(0).unwrap().to_owned()).collect();
        lines.sort();
        lines
    }

    #[tokio::test]
    async fn both_twins_have_the_same_columns_and_indices() {
        let directory = tempfile::tempdir().unwrap();
        let sqlite = Tables::open_sqlite(&directory.path().join("t.db")).await.unwrap();
        sqlite.migrate(MIGRATIONS).await.unwrap();
        let database = Database::create();
        let postgres = Tables::open_postgres(PostgresSettings::new(database.url())).await.unwrap();
        postgres.migrate(MIGRATIONS).await.unwrap();
        postgres.migrate(MIGRATIONS).await.unwrap();
        assert_eq!(shape(&postgres).await, shape(&sqlite).await);
        // Order and ranges of paths and ids rest on the order of bytes, whatever the database was made with.
        let sql = "SELECT table_name::text || '.' || column_name::text FROM information_schema.columns
                   WHERE table_schema = 'public' AND data_type = 'text' AND collation_name IS DISTINCT FROM 'C'
                   AND table_name <> 'schema_migrations'";
        assert_eq!(postgres.query(sql, vec![]).await.unwrap(), [], "texts without COLLATE \"C\"");
    }
}
