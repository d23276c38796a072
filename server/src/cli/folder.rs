//! A folder of this machine as a task's files: what belongs to it, which file is main, and which language it is in.

use std::{
    collections::BTreeMap,
    fs, io,
    path::{Path, PathBuf},
};

use coderoom_protocol::control::Language;
use coderoom_worker::language;

/// Beside the files: which task the folder belongs to.
pub(super) const MEMORY_FILE: &str = ".coderoom.json";

/// Names that are never part of a task: history, caches, environments.
const LEFT_OUT: [&str; 10] =
    [".git", ".hg", ".svn", ".venv", ".metals", ".bloop", "__pycache__", "node_modules", ".DS_Store", MEMORY_FILE];

/// A folder's files.
#[derive(Clone, Debug, Default)]
pub(super) struct Folder {
    /// Path in the task, and where the file is and how large.
    pub(super) files: BTreeMap<String, LocalFile>,
    /// What was left out and why, one sentence each.
    pub(super) notes: Vec<String>,
}

/// One file of the folder.
#[derive(Clone, Debug)]
pub(super) struct LocalFile {
    pub(super) path: PathBuf,
    pub(super) size: u64,
}

impl Folder {
    /// Reads names and sizes of everything below `root`. Links are left out: they could lead anywhere.
    pub(super) fn scan(root: &Path) -> io::Result<Self> {
        let mut folder = Self::default();
        let mut waiting = vec![(root.to_owned(), String::new())];
        while let Some((directory, prefix)) = waiting.pop() {
            for entry in fs::read_dir(&directory)? {
                let entry = entry?;
                let Ok(name) = entry.file_name().into_string() else {
                    folder.notes.push(format!("{} is left out: its name is not UTF-8", entry.path().display()));
                    continue;
                };
                if LEFT_OUT.contains(&name.as_str()) {
                    continue;
                }
                let kind = entry.file_type()?;
                let path = if prefix.is_empty() { name } else { format!("{prefix}/{name}") };
                if kind.is_dir() {
                    waiting.push((entry.path(), path));
                } else if kind.is_file() {
                    let size = entry.metadata()?.len();
                    folder.files.insert(path, LocalFile { path: entry.path(), size });
                } else {
                    folder.notes.push(format!("{path} is left out: it is a link or no plain file"));
                }
            }
        }
        Ok(folder)
    }

    /// Bytes of all files together.
    pub(super) fn bytes(&self) -> u64 {
        self.files.values().map(|file| file.size).sum()
    }

    /// The language most of its files are in; `None` when there are none of any.
    pub(super) fn language(&self) -> Option<Language> {
        let count = |language: &Language| self.files.keys().filter(|path| path.ends_with(extension(*language))).count();
        let most = Language::ALL.into_iter().rev().max_by_key(count)?;
        (count(&most) > 0).then_some(most)
    }

    /// The main file: the language's usual one, else `main` with its extension, else the only one there is.
    pub(super) fn main(&self, language: Language) -> Result<String, String> {
        let extension = extension(language);
        let usual =
            [language::default_main(language).to_owned(), format!("main{extension}"), format!("Main{extension}")];
        if let Some(found) = usual.iter().find(|path| self.files.contains_key(*path)) {
            return Ok(found.clone());
        }
        let mut candidates: Vec<&String> = self.files.keys().filter(|path| path.ends_with(extension)).collect();
        candidates.sort_by_key(|path| path.matches('/').count());
        let depth = |path: &String| path.matches('/').count();
        match candidates.as_slice() {
            [] => Err(format!("there is no file *{extension} in the folder")),
            [only] => Ok((*only).clone()),
            [first, second, ..] if depth(first) < depth(second) => Ok((*first).clone()),
            [first, second, ..] => Err(format!(
                "which file is main, {first} or {second}? Call it {}, or name a command with --command",
                language::default_main(language)
            )),
        }
    }

    /// The command line when none is given: `None` leaves it to the server, whose default is `sh run.sh`.
    pub(super) fn command(&self, language: Language, main: &str) -> Option<String> {
        if self.files.contains_key("run.sh") || main == language::default_main(language) {
            return None;
        }
        let program = match language {
            Language::Python => "python3",
            Language::Scala => "scala",
            Language::R => "Rscript --vanilla",
        };
        Some(format!("{program} '{}'", main.replace('\'', r"'\''")))
    }
}

fn extension(language: Language) -> &'static str {
    match language {
        Language::Python => ".py",
        Language::Scala => ".scala",
        Language::R => ".R",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn folder(paths: &[&str]) -> Folder {
        let file = LocalFile { path: PathBuf::new(), size: 1 };
        Folder { files: paths.iter().map(|path| ((*path).to_owned(), file.clone())).collect(), notes: Vec::new() }
    }

    #[test]
    fn language_and_main_file_are_guessed_from_names() {
        let python = folder(&["run.py", "lib/a.py", "data.csv"]);
        assert_eq!(python.language(), Some(Language::Python));
        assert_eq!(python.main(Language::Python), Ok("run.py".into()));
        assert_eq!(folder(&["a.R", "b.R", "c.py"]).language(), Some(Language::R));
        assert_eq!(folder(&["data.csv"]).language(), None);
        assert_eq!(folder(&["hello.py"]).main(Language::Python), Ok("hello.py".into()));
        assert_eq!(folder(&["hello.py", "lib/a.py"]).main(Language::Python), Ok("hello.py".into()));
        assert!(folder(&["a.py", "b.py"]).main(Language::Python).is_err());
    }

    #[test]
    fn a_folder_without_start_script_gets_a_command_for_its_main_file() {
        assert_eq!(folder(&["run.py"]).command(Language::Python, "run.py"), None);
        assert_eq!(folder(&["a.py", "run.sh"]).command(Language::Python, "a.py"), None);
        assert_eq!(folder(&["a b.py"]).command(Language::Python, "a b.py"), Some("python3 'a b.py'".into()));
    }

    #[test]
    fn caches_links_and_the_memory_are_left_out() {
        let root = tempfile::tempdir().unwrap();
        fs::create_dir_all(root.path().join("lib/__pycache__")).unwrap();
        fs::write(root.path().join("run.py"), "print(1)").unwrap();
        fs::write(root.path().join("lib/a.py"), "").unwrap();
        fs::write(root.path().join("lib/__pycache__/a.pyc"), "x").unwrap();
        fs::write(root.path().join(MEMORY_FILE), "{}").unwrap();
        std::os::unix::fs::symlink("/etc/passwd", root.path().join("passwd")).unwrap();
        let folder = Folder::scan(root.path()).unwrap();
        assert_eq!(folder.files.keys().collect::<Vec<_>>(), ["lib/a.py", "run.py"]);
        assert_eq!(folder.bytes(), 8);
        assert!(folder.notes.iter().any(|note| note.contains("passwd")), "{:?}", folder.notes);
    }
}
