//! The schema of the product, as the numbered files of `migrations/`. Servers and workers apply it at start.

use coderoom_backing::tables::Migration;

/// The change whose files have this name.
macro_rules! change {
    ($number:literal, $name:literal) => {
        Migration {
            number: $number,
            name: $name,
            sqlite: include_str!(concat!("../../migrations/sqlite/", $name, ".sql")),
            postgres: include_str!(concat!("../../migrations/postgres/", $name, ".sql")),
        }
    };
}

/// All changes of the schema, in order. A file that was released is never edited: a change is a new file.
pub const MIGRATIONS: &[Migration] = &[
    change!(1, "0001_people"),
    change!(2, "0002_tasks"),
    change!(3, "0003_documents"),
    change!(4, "0004_runs"),
    change!(5, "0005_sharing"),
    change!(6, "0006_credentials"),
    change!(7, "0007_audit"),
    change!(8, "0008_nodes"),
    change!(9, "0009_task_remains"),
    change!(10, "0010_lasting_roles"),
    change!(11, "0011_document_clients"),
    change!(12, "0012_role_decisions"),
    change!(13, "0013_output_bytes"),
    change!(14, "0014_let_go"),
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
