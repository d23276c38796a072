//! Deletes a file, or a folder with everything in it.

use coderoom_backing::{tables::Statement, values};
use coderoom_protocol::{
    control::TreeChanged,
    ids::TaskId,
    problem::{ErrorCode, WireError},
    tree::TreeChange,
};

use super::{
    Tasks, layout, parse_path, to_its_end,
    tree_edit::{Found, TreeEdit},
};
use crate::people::Identity;

impl Tasks {
    /// Deletes a file or folder. When the main file is among what goes, `new_main` must name a text file that stays,
    /// else `main_file`; a `new_main` that is not needed becomes main all the same.
    pub async fn delete_path(
        &self,
        task: TaskId,
        by: &Identity,
        path: &str,
        new_main: Option<&str>,
    ) -> Result<TreeChanged, WireError> {
        let path = parse_path(path)?;
        let new_main = new_main.map(parse_path).transpose()?;
        let (tasks, by) = (self.clone(), by.name.clone());
        to_its_end(async move {
            let mut edit = TreeEdit::begin(&tasks, task, &by).await?;
            let (gone, delete) = match edit.find(&path).await? {
                Found::File(file) => {
                    let values = values![file.id.to_string()];
                    (vec![file], Statement::new("DELETE FROM files WHERE id = $1", values))
                }
                Found::Folder(files) => {
                    edit.lock_below(&path).await?;
                    let (from, to) = layout::below(&path.key());
                    let sql = "DELETE FROM files WHERE task_id = $1 AND path_key >= $2 AND path_key < $3";
                    (files, Statement::new(sql, values![task.to_string(), from, to]))
                }
            };
            let main_goes = gone.iter().any(|file| Some(file.id) == edit.main);
            if main_goes && new_main.is_none() {
                return Err(WireError::new(
                    ErrorCode::MainFile,
                    format!("The main file is among what `{}` deletes. Name another text file as `new_main`, or make it main first.", path.as_str()),
                ));
            }
            edit.let_go_of_blobs(&gone).await?;
            edit.run(vec![delete]).await?;
            edit.changes.extend(gone.into_iter().map(|file| TreeChange::Deleted { file: file.id, path: file.path }));
            if let Some(new_main) = new_main {
                edit.choose_main(&new_main).await?;
            }
            edit.finish().await
        })
        .await
    }
}
