//! Which task a folder belongs to: remembered in the folder, else found by name.

use std::{collections::BTreeSet, path::Path};

use anyhow::Context as _;
use coderoom_protocol::{
    client::{ApiClient, ClientError},
    control::Language,
    ids::TaskId,
    problem::ErrorCode,
    role::Role,
    task::{TaskDetail, TaskPage},
};
use serde::{Deserialize, Serialize};

use super::{
    folder::{Folder, MEMORY_FILE},
    say, upload,
};

/// What `.coderoom.json` holds.
#[derive(Debug, Serialize, Deserialize)]
struct Memory {
    /// Address of the server; a task of another server is no task of this one.
    server: String,
    /// The task.
    task: TaskId,
    /// Paths that came from the folder, so that those it no longer has can be deleted from the task.
    files: BTreeSet<String>,
}

/// What to call a task and what it is in, where the folder's names do not say it.
#[derive(Clone, Debug, Default)]
pub(super) struct Wishes {
    pub(super) name: Option<String>,
    pub(super) language: Option<Language>,
}

/// A task that has the folder's files now.
#[derive(Debug)]
pub(super) struct Ready {
    pub(super) task: TaskId,
    /// The command line, where the server's default would not start the main file.
    pub(super) command: Option<String>,
}

/// Finds or makes the folder's task and brings its files up to date.
pub(super) async fn task_of_folder(
    api: &ApiClient,
    root: &Path,
    wishes: &Wishes,
    always_new: bool,
) -> anyhow::Result<Ready> {
    let folder = Folder::scan(root).with_context(|| format!("read the folder {}", root.display()))?;
    folder.notes.iter().for_each(|note| say(note));
    let language = wishes.language.or_else(|| folder.language());
    let language = language.context("no file *.py, *.scala or *.R tells the language; say it with --language")?;
    let main = folder.main(language).map_err(anyhow::Error::msg)?;
    let server = api.url("")?.to_string();
    let remembered = if always_new { None } else { read(root, &server) };
    let name = match &wishes.name {
        Some(name) => name.clone(),
        None => folder_name(root)?,
    };
    let (known, earlier) = match remembered {
        Some(memory) if exists(api, memory.task).await? => (Some(memory.task), memory.files),
        _ if always_new => (None, BTreeSet::new()),
        _ => (by_name(api, &name, language).await?, BTreeSet::new()),
    };
    let task = match known {
        Some(task) => {
            upload::update(api, task, &main, &folder, &earlier).await?;
            task
        }
        None => upload::create(api, &name, language, &main, &folder).await?,
    };
    let memory = Memory { server, task, files: folder.files.keys().cloned().collect() };
    write(root, &memory);
    Ok(Ready { task, command: folder.command(language, &main) })
}

fn folder_name(root: &Path) -> anyhow::Result<String> {
    let root = root.canonicalize().with_context(|| format!("find {}", root.display()))?;
    Ok(root.file_name().map_or_else(|| "task".into(), |name| name.to_string_lossy().into_owned()))
}

fn read(root: &Path, server: &str) -> Option<Memory> {
    let text = std::fs::read_to_string(root.join(MEMORY_FILE)).ok()?;
    let memory: Memory = serde_json::from_str(&text).ok()?;
    (memory.server == server).then_some(memory)
}

/// A folder that cannot be written is no failure: the task is found by name the next time.
fn write(root: &Path, memory: &Memory) {
    let Ok(text) = serde_json::to_string_pretty(memory) else { return };
    if let Err(error) = std::fs::write(root.join(MEMORY_FILE), text + "\n") {
        say(&format!("{MEMORY_FILE} cannot be written ({error}); the task will be found by its name"));
    }
}

async fn exists(api: &ApiClient, task: TaskId) -> Result<bool, ClientError> {
    match api.get::<TaskDetail>(&format!("/api/v1/tasks/{task}")).await {
        Ok(detail) => Ok(detail.role >= Role::Editor),
        Err(ClientError::Refused(error)) if error.code == ErrorCode::NotFound => Ok(false),
        Err(error) => Err(error),
    }
}

/// The task of this name and language that the caller owns; of several the last changed one.
async fn by_name(api: &ApiClient, name: &str, language: Language) -> Result<Option<TaskId>, ClientError> {
    let page: TaskPage = api.get(&format!("/api/v1/tasks?search={}", upload::escape(name))).await?;
    let fits =
        page.tasks.iter().find(|task| task.name == name && task.language == language && task.role == Role::Owner);
    Ok(fits.map(|task| task.id))
}

/// A task by id or exact name, among those the caller may edit.
pub(super) async fn task_by_word(api: &ApiClient, word: &str) -> anyhow::Result<TaskId> {
    if let Ok(id) = word.parse() {
        return Ok(id);
    }
    let page: TaskPage = api.get(&format!("/api/v1/tasks?search={}", upload::escape(word))).await?;
    let found = page.tasks.iter().find(|task| task.name == word).map(|task| task.id);
    found.with_context(|| format!("{word} is neither a folder here nor a task there"))
}
