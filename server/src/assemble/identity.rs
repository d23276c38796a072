//! Tables and objects belong together: rows name objects. Both carry the deployment's name, so that a wrong bucket, or a
//! backup of which only one half was put back, is noticed at start and not when files are missing.

use anyhow::Context as _;
use bytes::Bytes;
use coderoom_backing::{objects::Objects, tables::Tables, values};
use uuid::Uuid;

/// Key of the object that holds the deployment's name.
const KEY: &str = "deployment/name";

/// Compares the names, and gives both sides one where they have none yet. Objects that do not answer are not waited for.
pub(super) async fn check(tables: &Tables, objects: &Objects) -> anyhow::Result<()> {
    let new = Uuid::now_v7().to_string();
    let sql = "INSERT INTO deployment (one, name, is_marked) VALUES (1, $1, 0) ON CONFLICT (one) DO NOTHING";
    tables.execute(sql, values![new]).await.context("name the deployment")?;
    let row = tables.query_opt("SELECT name, is_marked FROM deployment", values![]).await?;
    let row = row.context("read the name of the deployment")?;
    let (name, is_marked) = (row.text(0)?, row.bool(1)?);
    let found = objects.get(KEY).await.context("read the deployment's name from the object storage")?;
    match found {
        Some(found) if found == name.as_bytes() => {}
        Some(found) => anyhow::bail!(
            "the object storage belongs to the deployment {}, and the tables to {name}: one of the two settings names the wrong \
             place, or only one of the two was restored from a backup",
            String::from_utf8_lossy(found.get(..found.len().min(64)).unwrap_or_default())
        ),
        None if is_marked => anyhow::bail!(
            "the object storage is not the one that these tables were used with: its object {KEY} is missing. Give back the old \
             one, or restore it from the backup that belongs to the tables"
        ),
        None => objects.put(KEY, Bytes::from(name.to_owned())).await.context("write into the object storage")?,
    }
    if !is_marked {
        tables.execute("UPDATE deployment SET is_marked = 1", values![]).await?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn tables(directory: &std::path::Path) -> Tables {
        let tables = Tables::open_sqlite(&directory.join("t.db")).await.unwrap();
        tables.migrate(coderoom_worker::schema::MIGRATIONS).await.unwrap();
        tables
    }

    #[tokio::test]
    async fn halves_of_two_deployments_are_not_put_together() {
        let (one, two) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let (tables_one, tables_two) = (tables(one.path()).await, tables(two.path()).await);
        let objects_one = Objects::open_directory(&one.path().join("o")).await.unwrap();
        let objects_two = Objects::open_directory(&two.path().join("o")).await.unwrap();
        check(&tables_one, &objects_one).await.unwrap();
        check(&tables_one, &objects_one).await.unwrap();
        let said = check(&tables_one, &objects_two).await.unwrap_err().to_string();
        assert!(said.contains("missing"), "an empty store is not the old one: {said}");
        check(&tables_two, &objects_two).await.unwrap();
        let said = check(&tables_one, &objects_two).await.unwrap_err().to_string();
        assert!(said.contains("belongs to the deployment"), "{said}");
    }
}
