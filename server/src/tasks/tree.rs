//! The nested tree: folders first, names in natural order, sizes summed.

use std::{cmp::Ordering, collections::HashMap};

use coderoom_backing::values;
use coderoom_protocol::{
    ids::{FileId, TaskId},
    problem::{ErrorCode, WireError},
    tree::{Node, NodeKind},
};

use super::{Tasks, failed, files, no_such_task, settings::in_words};
use crate::rooms::read_text;

impl Tasks {
    /// The nested tree and its revision, without contents. Fails with `not_found`.
    pub async fn tree(&self, task: TaskId) -> Result<(u64, Node), WireError> {
        self.read_tree(task, false).await
    }

    /// The same with the text of every text file, as it is stored. Fails with `body_too_large` when the texts together are
    /// larger than [`super::TaskSettings::max_tree_text_bytes`].
    pub async fn tree_with_texts(&self, task: TaskId) -> Result<(u64, Node), WireError> {
        self.read_tree(task, true).await
    }

    async fn read_tree(&self, task: TaskId, with_texts: bool) -> Result<(u64, Node), WireError> {
        let step = "read the tree";
        let _turn = if with_texts { Some(self.tables.long_read().await.map_err(failed::tables(step))?) } else { None };
        // One state of the tables: revision, paths and texts belong together.
        let mut tx = self.tables.begin_read().await.map_err(failed::tables(step))?;
        let head = tx
            .query_opt(
                "SELECT revision, main_file FROM tasks WHERE id = $1 AND import_of IS NULL",
                values![task.to_string()],
            )
            .await
            .map_err(failed::tables(step))?
            .ok_or_else(no_such_task)?;
        let main: Option<FileId> = head.opt_parse(1).map_err(failed::tables(step))?;
        let rows = tx
            .query("SELECT id, path, kind, size FROM files WHERE task_id = $1", values![task.to_string()])
            .await
            .map_err(failed::tables(step))?;
        let mut leaves = Vec::with_capacity(rows.len());
        for row in &rows {
            let read = || {
                let id = row.parse(0)?;
                let (path, kind) = (row.text(1)?.to_owned(), files::kind(row.text(2)?));
                let name = path.rsplit('/').next().unwrap_or_default().to_owned();
                let main = main == Some(id);
                Ok(Node { id: Some(id), name, path, kind, size: row.uint(3)?, main, children: None, text: None })
            };
            leaves.push(read().map_err(failed::tables(step))?);
        }
        if with_texts {
            let bytes = leaves.iter().filter(|leaf| leaf.kind == NodeKind::Text).map(|leaf| leaf.size).sum();
            self.check_tree_texts(bytes)?;
            let texts = read_text::read_texts(&mut tx, task).await.map_err(failed::read_text(step))?;
            let mut texts: HashMap<_, _> = texts.into_iter().map(|(file, text)| (file.file, text)).collect();
            for leaf in &mut leaves {
                leaf.text = leaf.id.and_then(|id| texts.remove(&id));
            }
        }
        let revision = head.uint(0).map_err(failed::tables(step))?;
        Ok((revision, nest(leaves)))
    }

    fn check_tree_texts(&self, bytes: u64) -> Result<(), WireError> {
        let limit = self.settings.max_tree_text_bytes;
        if bytes <= limit {
            return Ok(());
        }
        Err(WireError::new(
            ErrorCode::BodyTooLarge,
            format!(
                "The texts have {} together, and the tree carries at most {}. Ask for it without contents, and for single files or the archive.",
                in_words(bytes),
                in_words(limit)
            ),
        ))
    }
}

/// A folder that is being filled.
#[derive(Default)]
struct Folder {
    folders: HashMap<String, Folder>,
    files: Vec<Node>,
}

/// Nests files (nodes with their full path) into the folders that their paths imply.
fn nest(leaves: Vec<Node>) -> Node {
    let mut root = Folder::default();
    for leaf in leaves {
        let mut folder = &mut root;
        let mut components = leaf.path.split('/').peekable();
        while let Some(component) = components.next() {
            if components.peek().is_some() {
                if !folder.folders.contains_key(component) {
                    folder.folders.insert(component.to_owned(), Folder::default());
                }
                // The entry was made just now if it was not there.
                let Some(next) = folder.folders.get_mut(component) else { break };
                folder = next;
            }
        }
        folder.files.push(leaf);
    }
    finish(String::new(), String::new(), root)
}

fn finish(name: String, path: String, folder: Folder) -> Node {
    let mut children: Vec<Node> = folder
        .folders
        .into_iter()
        .map(|(name, below)| {
            let path = if path.is_empty() { name.clone() } else { format!("{path}/{name}") };
            finish(name, path, below)
        })
        .collect();
    children.sort_by(by_name);
    let mut files = folder.files;
    files.sort_by(by_name);
    children.append(&mut files);
    let size = children.iter().map(|child| child.size).sum();
    Node { id: None, name, path, kind: NodeKind::Folder, size, main: false, children: Some(children), text: None }
}

fn by_name(a: &Node, b: &Node) -> Ordering {
    natord::compare_ignore_case(&a.name, &b.name).then_with(|| a.name.cmp(&b.name))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn leaf(path: &str, size: u64) -> Node {
        let name = path.rsplit('/').next().unwrap().to_owned();
        Node {
            id: Some(FileId::new()),
            name,
            path: path.to_owned(),
            kind: NodeKind::Text,
            size,
            main: false,
            children: None,
            text: None,
        }
    }

    fn outline(node: &Node, depth: usize, lines: &mut Vec<String>) {
        for child in node.children.iter().flatten() {
            lines.push(format!("{}{} {}", "  ".repeat(depth), child.name, child.size));
            outline(child, depth + 1, lines);
        }
    }

    #[test]
    fn tree_is_nested_with_folders_first_in_natural_order() {
        let root = nest(vec![
            leaf("f10.py", 1),
            leaf("f9.py", 2),
            leaf("F1.py", 3),
            leaf("z/b/c.py", 4),
            leaf("z/a2", 5),
            leaf("z/a10", 6),
            leaf("a/x", 7),
        ]);
        let mut lines = Vec::new();
        outline(&root, 0, &mut lines);
        assert_eq!(
            lines.join("\n"),
            "a 7\n  x 7\nz 15\n  b 4\n    c.py 4\n  a2 5\n  a10 6\nF1.py 3\nf9.py 2\nf10.py 1"
        );
        assert_eq!(root.size, 28);
        assert_eq!(root.children.as_ref().unwrap()[1].children.as_ref().unwrap()[0].path, "z/b");
    }
}
