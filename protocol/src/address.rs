//! Addresses of the room socket: the room itself, a file by id, or a file by path; each may carry the
//! session id that newer providers append.

use thiserror::Error;

use crate::{
    control::TASK_ADDRESS,
    ids::FileId,
    path::{MAX_PATH_BYTES, PathError, TaskPath},
};

/// Longest session id in bytes; providers use some twenty characters.
pub const MAX_SESSION_BYTES: usize = 64;
/// Longest address in bytes: a slash, the longest path (as sent, before it is brought into normal form),
/// NUL and a session id.
pub const MAX_ADDRESS_BYTES: usize = 1 + 3 * MAX_PATH_BYTES + 1 + MAX_SESSION_BYTES;

/// What an address names.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Target {
    /// `@task`: control messages and presence of the room.
    Task,
    /// A file by its id: survives renames.
    File(FileId),
    /// A file by its path: found once, when the address is first used.
    Path(TaskPath),
}

/// An address taken apart.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Address<'a> {
    /// What it names.
    pub target: Target,
    /// What stood after the NUL: two addresses that differ only here are two connections to one document.
    pub session: Option<&'a str>,
}

/// Why an address names nothing. The sentences may be shown to whoever wrote the client.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum AddressError {
    /// Longer than [`MAX_ADDRESS_BYTES`], or a session id longer than [`MAX_SESSION_BYTES`].
    #[error("The address is too long; use a file's id.")]
    TooLong,
    /// Neither `@task`, nor a file id, nor a slash and a path.
    #[error("Use \"@task\", a file's id, or \"/\" and a file's path as the document name.")]
    NoSuchForm,
    /// The path breaks a rule.
    #[error(transparent)]
    Path(#[from] PathError),
}

impl<'a> Address<'a> {
    /// Takes an address apart. It does not say whether the file exists.
    pub fn parse(raw: &'a str) -> Result<Self, AddressError> {
        if raw.len() > MAX_ADDRESS_BYTES {
            return Err(AddressError::TooLong);
        }
        let (name, session) = match raw.split_once('\0') {
            Some((name, session)) => (name, Some(session)),
            None => (raw, None),
        };
        if session.is_some_and(|id| id.len() > MAX_SESSION_BYTES) {
            return Err(AddressError::TooLong);
        }
        let target = if name == TASK_ADDRESS {
            Target::Task
        } else if let Some(path) = name.strip_prefix('/') {
            Target::Path(TaskPath::parse(path)?)
        } else {
            Target::File(hyphenated(name).ok_or(AddressError::NoSuchForm)?)
        };
        Ok(Self { target, session })
    }
}

/// Only the usual form of 36 characters: one file has one id, however clever the parser is.
fn hyphenated(name: &str) -> Option<FileId> {
    if name.len() == 36 { name.parse().ok() } else { None }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_three_forms_are_told_apart() {
        let file = FileId::new();
        assert_eq!(Address::parse("@task").unwrap(), Address { target: Target::Task, session: None });
        let raw = format!("{file}\0k3x9");
        let parsed = Address::parse(&raw).unwrap();
        assert_eq!(parsed, Address { target: Target::File(file), session: Some("k3x9") });
        let path = TaskPath::parse("源码/主.py").unwrap();
        assert_eq!(Address::parse("/源码/主.py").unwrap(), Address { target: Target::Path(path), session: None });
    }

    #[test]
    fn addresses_of_other_forms_are_refused() {
        assert_eq!(Address::parse("main.py"), Err(AddressError::NoSuchForm));
        assert_eq!(Address::parse(""), Err(AddressError::NoSuchForm));
        assert_eq!(Address::parse("@tasks"), Err(AddressError::NoSuchForm));
        assert!(matches!(Address::parse("/../x"), Err(AddressError::Path(_))));
        assert!(matches!(Address::parse("/"), Err(AddressError::Path(_))));
        let file = FileId::new().to_string();
        assert_eq!(Address::parse(&file.replace('-', "")), Err(AddressError::NoSuchForm));
        assert_eq!(Address::parse(&format!("{{{file}}}")), Err(AddressError::NoSuchForm));
    }

    #[test]
    fn long_addresses_and_sessions_are_refused() {
        assert_eq!(Address::parse(&"/a".repeat(MAX_ADDRESS_BYTES)), Err(AddressError::TooLong));
        let session = "s".repeat(MAX_SESSION_BYTES);
        assert!(Address::parse(&format!("@task\0{session}")).is_ok());
        assert_eq!(Address::parse(&format!("@task\0{session}s")), Err(AddressError::TooLong));
    }
}
