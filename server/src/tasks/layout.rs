//! Which paths a task has, and whether another may join them. Pure: rows come from the tables, nothing is read here.

use std::collections::HashMap;

use coderoom_protocol::{
    path::TaskPath,
    problem::{ErrorCode, WireError},
};

/// Files and folders by their case-folded key. It may know only the part of a task that matters for a question.
#[derive(Clone, Debug, Default)]
pub(super) struct Layout {
    /// Key of a file → its path.
    files: HashMap<String, String>,
    /// Key of a folder → how it is spelt.
    folders: HashMap<String, String>,
}

impl Layout {
    /// Takes a file in that is known to fit, and the folders it implies.
    pub(super) fn add(&mut self, path: &str, key: &str) {
        for (folder, folder_key) in folders(path, key) {
            if !self.folders.contains_key(folder_key) {
                self.folders.insert(folder_key.to_owned(), folder.to_owned());
            }
        }
        self.files.insert(key.to_owned(), path.to_owned());
    }

    /// Takes a folder in that has no file yet (an archive lists such).
    pub(super) fn add_folder(&mut self, path: &str, key: &str) {
        for (folder, folder_key) in folders(path, key).chain([(path, key)]) {
            self.folders.entry(folder_key.to_owned()).or_insert_with(|| folder.to_owned());
        }
    }

    /// Whether there is a folder with this key.
    pub(super) fn has_folder(&self, key: &str) -> bool {
        self.folders.contains_key(key)
    }

    /// Whether a file may be made at `path`.
    pub(super) fn check_file(&self, path: &TaskPath) -> Result<(), WireError> {
        let key = path.key();
        if let Some(existing) = self.files.get(&key) {
            return Err(taken(path.as_str(), existing));
        }
        if let Some(folder) = self.folders.get(&key) {
            return Err(WireError::new(
                ErrorCode::FileFolderConflict,
                format!(
                    "`{folder}` is a folder, so no file can be `{path}`. Choose another name, or put the file into the folder.",
                    path = path.as_str()
                ),
            ));
        }
        self.check_folders(path.as_str(), &key)
    }

    /// Whether a folder may be at `path`.
    pub(super) fn check_folder(&self, path: &TaskPath) -> Result<(), WireError> {
        let key = path.key();
        if let Some(file) = self.files.get(&key) {
            return Err(file_in_the_way(file, path.as_str()));
        }
        self.check_spelling(path.as_str(), &key)?;
        self.check_folders(path.as_str(), &key)
    }

    fn check_folders(&self, path: &str, key: &str) -> Result<(), WireError> {
        for (folder, folder_key) in folders(path, key) {
            if let Some(file) = self.files.get(folder_key) {
                return Err(file_in_the_way(file, path));
            }
            self.check_spelling(folder, folder_key)?;
        }
        Ok(())
    }

    fn check_spelling(&self, folder: &str, folder_key: &str) -> Result<(), WireError> {
        match self.folders.get(folder_key) {
            Some(existing) if existing != folder => Err(WireError::new(
                ErrorCode::CaseConflict,
                format!(
                    "There is a folder `{existing}`, which differs from `{folder}` only in letter case. Write it as it is, or choose another name."
                ),
            )),
            _ => Ok(()),
        }
    }
}

/// The folders above a path with their keys, outermost first. Folding never touches slashes, so they match one to one.
pub(super) fn folders<'a>(path: &'a str, key: &'a str) -> impl Iterator<Item = (&'a str, &'a str)> {
    path.match_indices('/')
        .zip(key.match_indices('/'))
        .map(|((in_path, _), (in_key, _))| (&path[..in_path], &key[..in_key]))
}

/// All keys below the folder with this key: from the first (inclusive) to the second (exclusive), compared by bytes.
pub(super) fn below(folder_key: &str) -> (String, String) {
    // '0' follows '/' in ASCII.
    (format!("{folder_key}/"), format!("{folder_key}0"))
}

fn taken(path: &str, existing: &str) -> WireError {
    if path == existing {
        return WireError::new(
            ErrorCode::PathTaken,
            format!("There is a file `{path}` already. Choose another name, or delete or move that file first."),
        );
    }
    WireError::new(
        ErrorCode::CaseConflict,
        format!("There is a file `{existing}`, which differs from `{path}` only in letter case. Choose another name."),
    )
}

fn file_in_the_way(file: &str, path: &str) -> WireError {
    WireError::new(
        ErrorCode::FileFolderConflict,
        format!(
            "`{file}` is a file, so `{path}` cannot have a folder there. Choose another folder, or move that file first."
        ),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(existing: &[&str], new: &str) -> Option<ErrorCode> {
        let mut layout = Layout::default();
        for path in existing {
            let path = TaskPath::parse(path).unwrap();
            layout.add(path.as_str(), &path.key());
        }
        layout.check_file(&TaskPath::parse(new).unwrap()).err().map(|error| error.code)
    }

    #[test]
    fn free_paths_pass() {
        assert_eq!(check(&["a/b.py", "c"], "a/c.py"), None);
        assert_eq!(check(&["a/b.py"], "ab"), None);
        assert_eq!(check(&["a.b/c"], "a"), None, "`a.b` is not below `a`");
    }

    #[test]
    fn each_conflict_has_its_code() {
        assert_eq!(check(&["run.py"], "run.py"), Some(ErrorCode::PathTaken));
        assert_eq!(check(&["run.py"], "Run.py"), Some(ErrorCode::CaseConflict));
        assert_eq!(check(&["Straße"], "STRASSE"), Some(ErrorCode::CaseConflict), "full case folding");
        assert_eq!(check(&["src/a.py"], "Src/b.py"), Some(ErrorCode::CaseConflict), "folders count too");
        assert_eq!(check(&["a/b/c"], "a/B/d"), Some(ErrorCode::CaseConflict));
        assert_eq!(check(&["a"], "a/b"), Some(ErrorCode::FileFolderConflict));
        assert_eq!(check(&["A"], "a/b/c"), Some(ErrorCode::FileFolderConflict));
        assert_eq!(check(&["a/b/c"], "a/b"), Some(ErrorCode::FileFolderConflict));
    }

    #[test]
    fn keys_below_a_folder_are_one_range() {
        let (from, to) = below("a");
        for key in ["a/", "a/b", "a/\u{10ffff}"] {
            assert!(key >= from.as_str() && key < to.as_str(), "{key}");
        }
        for key in ["a", "a.b", "a0", "ab/c", "a-"] {
            assert!(key < from.as_str() || key >= to.as_str(), "{key}");
        }
    }
}
