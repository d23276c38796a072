//! Paths of files in a task: the rules, and nothing that touches a disk.
//!
//! A path is relative to the task, its components are joined by `/`, and it is kept in Unicode normal
//! form C, so that a name typed on one system is the same name on every other. No two paths of a task
//! may have the same [`TaskPath::key`].

use std::{borrow::Borrow, fmt};

use caseless::Caseless;
use serde::{Deserialize, Serialize};
use thiserror::Error;
use unicode_normalization::UnicodeNormalization;

/// Longest path in bytes.
pub const MAX_PATH_BYTES: usize = 1024;
/// Longest component in bytes.
pub const MAX_COMPONENT_BYTES: usize = 255;
/// Most components.
pub const MAX_DEPTH: usize = 32;

/// The path of a file or folder of a task, checked and in normal form.
///
/// Ordered by bytes. Its JSON is the text.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, ts_rs::TS, utoipa::ToSchema)]
#[serde(into = "String", try_from = "String")]
#[ts(type = "string")]
#[schema(value_type = String)]
pub struct TaskPath(Box<str>);

/// Which rule a path breaks; the sentence says what to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum PathError {
    /// Nothing was given.
    #[error("The path is empty; give the file a name.")]
    Empty,
    /// It begins with a slash.
    #[error("Paths begin inside the task; leave out the slash at the beginning.")]
    LeadingSlash,
    /// Two slashes in a row or one at the end.
    #[error("The path has an empty component; use single slashes and none at the end.")]
    EmptyComponent,
    /// A component is `.` or `..`.
    #[error("The path has a component \".\" or \"..\"; write it out from the task's root.")]
    DotComponent,
    /// A backslash.
    #[error("The path has a backslash; separate folders with \"/\".")]
    Backslash,
    /// NUL or another control character.
    #[error("The path has a control character; leave it out.")]
    ControlCharacter,
    /// A component is longer than [`MAX_COMPONENT_BYTES`].
    #[error("A name in the path is longer than {MAX_COMPONENT_BYTES} bytes; shorten it.")]
    ComponentTooLong,
    /// The path is longer than [`MAX_PATH_BYTES`].
    #[error("The path is longer than {MAX_PATH_BYTES} bytes; shorten it.")]
    TooLong,
    /// The path has more than [`MAX_DEPTH`] components.
    #[error("The path has more than {MAX_DEPTH} levels; use fewer folders.")]
    TooDeep,
}

impl TaskPath {
    /// Checks a path and brings it into normal form C. Lengths count after that.
    pub fn parse(text: &str) -> Result<Self, PathError> {
        // Normal form C shrinks a text to no less than a third, so this loses no valid path and bounds the work.
        if text.len() > 3 * MAX_PATH_BYTES {
            return Err(PathError::TooLong);
        }
        if text.is_empty() {
            return Err(PathError::Empty);
        }
        if text.starts_with('/') {
            return Err(PathError::LeadingSlash);
        }
        let normal: String = if text.is_ascii() { text.to_owned() } else { text.nfc().collect() };
        if normal.len() > MAX_PATH_BYTES {
            return Err(PathError::TooLong);
        }
        for (depth, component) in normal.split('/').enumerate() {
            check_component(component)?;
            if depth >= MAX_DEPTH {
                return Err(PathError::TooDeep);
            }
        }
        Ok(Self(normal.into_boxed_str()))
    }

    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// What paths are compared by: case-folded (Unicode default folding), in normal form C. Two paths with
    /// the same key cannot be in one task, since some disks could not hold both.
    #[must_use]
    pub fn key(&self) -> String {
        if self.0.is_ascii() { self.0.to_ascii_lowercase() } else { self.0.nfd().default_case_fold().nfc().collect() }
    }

    /// The last component.
    #[must_use]
    pub fn name(&self) -> &str {
        self.0.rsplit('/').next().unwrap_or(&self.0)
    }

    /// What follows the last dot of the name, if something stands on both sides of it.
    #[must_use]
    pub fn extension(&self) -> Option<&str> {
        self.name().rsplit_once('.').filter(|(stem, ext)| !stem.is_empty() && !ext.is_empty()).map(|(_, ext)| ext)
    }

    /// The folder it is in; `None` when that is the root.
    #[must_use]
    pub fn parent(&self) -> Option<Self> {
        self.0.rsplit_once('/').map(|(folder, _)| Self(folder.into()))
    }

    /// The folders it is in, outermost first, without the root: `a` and `a/b` for `a/b/c`.
    pub fn ancestors(&self) -> impl Iterator<Item = &str> {
        self.0.match_indices('/').map(|(at, _)| &self.0[..at])
    }

    /// Its components, outermost first.
    pub fn components(&self) -> impl Iterator<Item = &str> {
        self.0.split('/')
    }

    /// Whether it lies in `folder` at any depth. A path is not below itself.
    #[must_use]
    pub fn is_below(&self, folder: &Self) -> bool {
        self.0.strip_prefix(&*folder.0).is_some_and(|rest| rest.starts_with('/'))
    }

    /// The path that `name` has in this folder; `name` may itself have folders.
    pub fn join(&self, name: &str) -> Result<Self, PathError> {
        if name.starts_with('/') {
            return Err(PathError::LeadingSlash);
        }
        Self::parse(&format!("{}/{name}", self.0))
    }

    /// Where this path is after `from` (itself or a folder above it) was moved to `to`; `None` when the move
    /// does not concern it.
    ///
    /// # Errors
    /// The new path can be too long or too deep.
    pub fn after_move(&self, from: &Self, to: &Self) -> Result<Option<Self>, PathError> {
        if self == from {
            return Ok(Some(to.clone()));
        }
        match self.0.strip_prefix(&*from.0) {
            Some(rest) if rest.starts_with('/') => Self::parse(&format!("{}{rest}", to.0)).map(Some),
            _ => Ok(None),
        }
    }
}

fn check_component(component: &str) -> Result<(), PathError> {
    match component {
        "" => return Err(PathError::EmptyComponent),
        "." | ".." => return Err(PathError::DotComponent),
        _ => {}
    }
    if component.contains('\\') {
        return Err(PathError::Backslash);
    }
    if component.chars().any(char::is_control) {
        return Err(PathError::ControlCharacter);
    }
    if component.len() > MAX_COMPONENT_BYTES {
        return Err(PathError::ComponentTooLong);
    }
    Ok(())
}

impl fmt::Display for TaskPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for TaskPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, f)
    }
}

impl AsRef<str> for TaskPath {
    fn as_ref(&self) -> &str {
        &self.0
    }
}

impl Borrow<str> for TaskPath {
    fn borrow(&self) -> &str {
        &self.0
    }
}

impl std::str::FromStr for TaskPath {
    type Err = PathError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::parse(text)
    }
}

impl TryFrom<String> for TaskPath {
    type Error = PathError;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        Self::parse(&text)
    }
}

impl From<TaskPath> for String {
    fn from(path: TaskPath) -> Self {
        path.0.into()
    }
}

#[cfg(test)]
mod tests;
