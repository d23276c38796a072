//! What counts as storage of whoever made tasks: their files, what files let go of and is not removed yet, and what their
//! runs left in `output/`. Uploads ask before they are stored, runs when they end.

use coderoom_backing::{tables::Tables, values};
use coderoom_protocol::ids::TaskId;

use crate::fault::Result;

/// An expression of SQL: bytes of all tasks that `maker`, itself an expression, made. Files of an import that has not come
/// over yet do not count. Content that files let go of counts until the sweep removes it or a file has it again; of several
/// copies, once.
#[must_use]
pub fn bytes_of(maker: &str) -> String {
    format!(
        "CAST(COALESCE((SELECT sum(f.size) FROM files f JOIN tasks t ON t.id = f.task_id \
                        WHERE t.import_of IS NULL AND t.created_by = {maker}), 0) \
            + COALESCE((SELECT sum(gone.size) FROM \
                        (SELECT max(c.size) AS size FROM blob_claims c WHERE c.maker = {maker} \
                         AND NOT EXISTS (SELECT 1 FROM files f WHERE f.blob_sha256 = c.sha256) GROUP BY c.sha256) gone), 0) \
            + COALESCE((SELECT sum(r.output_bytes) FROM runs r JOIN tasks t ON t.id = r.task_id \
                        WHERE r.output_bytes > 0 AND t.created_by = {maker}), 0) AS BIGINT)"
    )
}

/// The same for who made `task`.
pub(crate) async fn of_maker(tables: &Tables, task: TaskId) -> Result<u64> {
    let sql = format!("SELECT {}", bytes_of("(SELECT created_by FROM tasks WHERE id = $1)"));
    let row = tables.query_opt(sql, values![task.to_string()]).await?;
    Ok(row.map_or(Ok(0), |row| row.uint(0))?)
}
