//! Makes a task's files equal to a folder's: uploads what differs, deletes what an earlier upload brought and the folder
//! no longer has. Files that others added to the task stay.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Context as _, bail};
use coderoom_protocol::{
    client::{ApiClient, ClientError},
    control::{Language, TreeChanged},
    ids::TaskId,
    problem::ErrorCode,
    task::{FileStored, MainChoice, NewTask, TaskDetail, TaskTree},
    tree::{Node, NodeKind},
};
use coderoom_worker::language;
use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use percent_encoding::{AsciiSet, utf8_percent_encode};
use reqwest::{Method, StatusCode, header};
use sha2::{Digest as _, Sha256};

use super::folder::{Folder, LocalFile};
use crate::percent::RESERVED;

/// Uploads that are under way at the same time.
const UPLOADS_AT_ONCE: usize = 4;

/// Makes a new task for a folder and uploads it.
pub(super) async fn create(
    api: &ApiClient,
    name: &str,
    language: Language,
    main: &str,
    folder: &Folder,
) -> anyhow::Result<TaskId> {
    let new = NewTask { name: name.to_owned(), language, remarks: String::new() };
    let task: TaskDetail = api.post("/api/v1/tasks", &new).await.context("make the task")?;
    // What the server brought for an empty task goes, unless the folder has it too or nothing else starts the program.
    let brought = language::default_files(language).into_iter().map(|(path, _)| path.to_owned());
    let brought = brought.filter(|path| path != "run.sh").collect();
    update(api, task.id, main, folder, &brought).await?;
    Ok(task.id)
}

/// Brings a task up to date with a folder. `earlier` are the paths that came from it before. Gives how many files changed.
pub(super) async fn update(
    api: &ApiClient,
    task: TaskId,
    main: &str,
    folder: &Folder,
    earlier: &BTreeSet<String>,
) -> anyhow::Result<usize> {
    let detail: TaskDetail = api.get(&format!("/api/v1/tasks/{task}")).await.context("read the task")?;
    check_sizes(&detail, folder)?;
    let remote = read_tree(api, task).await.context("read the task's files")?;
    let uploads = stream::iter(&folder.files)
        .map(async |(path, file)| upload_if_different(api, task, path, file, remote.get(path.as_str())).await)
        .buffer_unordered(UPLOADS_AT_ONCE);
    let uploaded: Vec<bool> = uploads.try_collect().await?;
    let mut changed = uploaded.into_iter().filter(|uploaded| *uploaded).count();
    if detail.main_path.as_deref() != Some(main) {
        let choice = MainChoice { path: main.to_owned() };
        let _: TreeChanged =
            api.post(&format!("/api/v1/tasks/{task}/main"), &choice).await.context("choose the main file")?;
    }
    for path in earlier.iter().filter(|path| !folder.files.contains_key(*path) && remote.contains_key(path.as_str())) {
        let _: TreeChanged = api.delete(&file_path(task, path)).await.with_context(|| format!("delete {path}"))?;
        changed += 1;
    }
    Ok(changed)
}

fn check_sizes(detail: &TaskDetail, folder: &Folder) -> anyhow::Result<()> {
    let (bytes, limit) = (folder.bytes(), detail.max_bytes);
    if bytes > limit {
        bail!("the folder has {bytes} bytes; all files of a task together may have {limit}");
    }
    if folder.files.len() as u64 > detail.max_files {
        bail!("the folder has {} files; a task may have {}", folder.files.len(), detail.max_files);
    }
    Ok(())
}

/// The task's files by path, with texts where the server gives them all at once.
async fn read_tree(api: &ApiClient, task: TaskId) -> Result<BTreeMap<String, Node>, ClientError> {
    let path = format!("/api/v1/tasks/{task}/tree");
    let tree: TaskTree = match api.get(&format!("{path}?contents=true")).await {
        Err(ClientError::Refused(error)) if error.code == ErrorCode::BodyTooLarge => api.get(&path).await?,
        other => other?,
    };
    let mut files = BTreeMap::new();
    let mut waiting = vec![tree.tree];
    while let Some(mut node) = waiting.pop() {
        waiting.extend(node.children.take().into_iter().flatten());
        if node.kind != NodeKind::Folder {
            files.insert(node.path.clone(), node);
        }
    }
    Ok(files)
}

/// Uploads a file unless the task has exactly that content. Says whether it did.
async fn upload_if_different(
    api: &ApiClient,
    task: TaskId,
    path: &str,
    file: &LocalFile,
    remote: Option<&Node>,
) -> anyhow::Result<bool> {
    let bytes = tokio::fs::read(&file.path).await.with_context(|| format!("read {}", file.path.display()))?;
    let address = file_path(task, path);
    if let Some(remote) = remote
        && is_same(api, &address, &bytes, remote).await?
    {
        return Ok(false);
    }
    let request =
        api.request(Method::PUT, &address)?.header(header::CONTENT_TYPE, "application/octet-stream").body(bytes);
    let response = api.send(request).await.with_context(|| format!("upload {path}"))?;
    let _: FileStored = response.json().await.with_context(|| format!("upload {path}"))?;
    Ok(true)
}

async fn is_same(api: &ApiClient, address: &str, bytes: &[u8], remote: &Node) -> anyhow::Result<bool> {
    if let Some(text) = &remote.text {
        return Ok(text.as_bytes() == bytes);
    }
    if remote.kind == NodeKind::Text {
        // Not in the tree because all texts together are too large for one answer.
        let answer = api.send(api.request(Method::GET, address)?).await?;
        return Ok(answer.bytes().await? == bytes);
    }
    if remote.size != bytes.len() as u64 {
        return Ok(false);
    }
    // A blob's tag is its hash.
    let tag = format!("\"{}\"", hex::encode(Sha256::digest(bytes)));
    let answer = api.request(Method::GET, address)?.header(header::IF_NONE_MATCH, tag).send().await?;
    Ok(answer.status() == StatusCode::NOT_MODIFIED)
}

/// The route of a file, its path escaped but for the slashes.
fn file_path(task: TaskId, path: &str) -> String {
    format!("/api/v1/tasks/{task}/files/{}", escape(path))
}

/// Percent-encoding of everything that is not unreserved (RFC 3986 §2.3) or a slash.
pub(super) fn escape(path: &str) -> String {
    const RESERVED_IN_PATH: &AsciiSet = &RESERVED.remove(b'/');
    utf8_percent_encode(path, RESERVED_IN_PATH).to_string()
}

#[cfg(test)]
mod tests {
    use super::escape;

    #[test]
    fn paths_are_escaped_but_for_slashes() {
        assert_eq!(escape("src/a b#1?.py"), "src/a%20b%231%3F.py");
        assert_eq!(escape("李.py"), "%E6%9D%8E.py");
    }
}
