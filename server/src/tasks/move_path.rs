//! Renames or moves a file or a folder. Files keep their ids, so documents and cursors stay.

use coderoom_backing::{tables::Statement, values};
use coderoom_protocol::{
    control::TreeChanged,
    ids::TaskId,
    path::TaskPath,
    problem::{ErrorCode, WireError},
    tree::TreeChange,
};

use super::{
    Tasks,
    files::{self, FileRow},
    layout::{self, Layout},
    parse_path, to_its_end,
    tree_edit::{Found, TreeEdit, storing},
};
use crate::people::Identity;

impl Tasks {
    /// Renames or moves a file or folder, all its files in one step. Moving something to where it is changes nothing.
    ///
    /// Fails with `move_into_itself` when the target lies in the folder that moves, with `path_taken` when a folder is
    /// there already (folders are not merged), and as making a file does.
    pub async fn move_path(&self, task: TaskId, by: &Identity, from: &str, to: &str) -> Result<TreeChanged, WireError> {
        let (from, to) = (parse_path(from)?, parse_path(to)?);
        let (tasks, by) = (self.clone(), by.name.clone());
        to_its_end(async move {
            let mut edit = TreeEdit::begin(&tasks, task, &by).await?;
            match edit.find(&from).await? {
                _ if from == to => {}
                Found::File(file) => move_file(&mut edit, file, &to).await?,
                Found::Folder(files) => move_folder(&mut edit, files, &from, &to).await?,
            }
            edit.finish().await
        })
        .await
    }
}

async fn move_file(edit: &mut TreeEdit, file: FileRow, to: &TaskPath) -> Result<(), WireError> {
    // Its own row must not be in its way (`a` to `a/b`, `run.py` to `Run.py`), and no other row tells of its folders then.
    edit.run(vec![Statement::new(
        "UPDATE files SET path_key = '/' || id WHERE id = $1", // no valid path begins with a slash
        values![file.id.to_string()],
    )])
    .await?;
    edit.layout_around(to).await?.check_file(to)?;
    edit.run(vec![Statement::new(
        "UPDATE files SET path = $2, path_key = $3, updated_at = $4 WHERE id = $1",
        values![file.id.to_string(), to.as_str(), to.key(), edit.at],
    )])
    .await?;
    edit.changes.push(TreeChange::Moved { file: file.id, from: file.path, to: to.as_str().to_owned() });
    Ok(())
}

async fn move_folder(
    edit: &mut TreeEdit,
    moving: Vec<FileRow>,
    from: &TaskPath,
    to: &TaskPath,
) -> Result<(), WireError> {
    if files::is_below(to.as_str(), from.as_str()) {
        return Err(WireError::new(
            ErrorCode::MoveIntoItself,
            format!(
                "`{}` lies in `{}`, and a folder cannot move into itself. Choose another place.",
                to.as_str(),
                from.as_str()
            ),
        ));
    }
    let rest = layout_without(edit, from).await?;
    rest.check_folder(to)?;
    if rest.has_folder(&to.key()) {
        return Err(WireError::new(
            ErrorCode::PathTaken,
            format!(
                "There is a folder `{}` already, and folders are not merged. Choose another name, or move the files one by one.",
                to.as_str()
            ),
        ));
    }
    for file in moving {
        let path = format!("{}{}", to.as_str(), &file.path[from.as_str().len()..]);
        // Names below get longer or deeper with their folder: each must still be a valid path.
        let path = parse_path(&path)
            .map_err(|error| WireError::new(error.code, format!("`{}`: {}", file.path, error.message)))?;
        edit.changes.push(TreeChange::Moved { file: file.id, from: file.path, to: path.as_str().to_owned() });
    }
    rename_keys(edit, from, to).await
}

/// The layout of the task but for what lies in `folder`.
async fn layout_without(edit: &mut TreeEdit, folder: &TaskPath) -> Result<Layout, WireError> {
    let (from, to) = layout::below(&folder.key());
    let rows = edit
        .tx
        .query(
            "SELECT path, path_key FROM files WHERE task_id = $1 AND (path_key < $2 OR path_key >= $3)",
            values![edit.task.to_string(), from, to],
        )
        .await
        .map_err(storing)?;
    super::tree_edit::layout_of(rows.iter())
}

/// Gives all files below `from` their new paths by two statements. In between their keys begin with a slash, as no valid
/// path does, so that no row stumbles over one that has not moved yet (`a/a/x` to `a/x`).
async fn rename_keys(edit: &mut TreeEdit, from: &TaskPath, to: &TaskPath) -> Result<(), WireError> {
    edit.lock_below(from).await?;
    let (from_key, to_key) = (from.key(), to.key());
    let chars = |text: &str| text.chars().count() as i64;
    let task = edit.task.to_string();
    let (first, end) = layout::below(&from_key);
    let (hidden_first, hidden_end) = layout::below(&format!("/{from_key}"));
    edit.run(vec![
        Statement::new(
            "UPDATE files SET path_key = '/' || path_key WHERE task_id = $1 AND path_key >= $2 AND path_key < $3",
            values![task.as_str(), first, end],
        ),
        Statement::new(
            "UPDATE files SET path = $4 || substr(path, CAST($5 AS INTEGER)), path_key = $6 || substr(path_key, CAST($7 AS INTEGER)), updated_at = $8 \
             WHERE task_id = $1 AND path_key >= $2 AND path_key < $3",
            values![
                task.as_str(),
                hidden_first,
                hidden_end,
                to.as_str(),
                chars(from.as_str()) + 1,
                to_key,
                chars(&from_key) + 2,
                edit.at
            ],
        ),
    ])
    .await
}
