//! Reads an uploaded zip that nobody has checked: first its directory, which must break no rule, then its files one by
//! one. Nothing is ever written under a name that an archive says.

use std::{
    fs::File,
    io::{self, BufReader, Read, Write as _},
    path::Path,
};

use bytes::Bytes;
use coderoom_protocol::{
    path::TaskPath,
    problem::{ErrorCode, WireError},
};
use sha2::{Digest, Sha256};
use tempfile::NamedTempFile;
// Unlike `ZipArchive` it takes no memory for a directory of a million entries before they can be counted, and it shows
// entries of the same name. Not yet promised to stay; the workspace pins the minor version.
use zip::{ZipReadOptions, read::Config, result::ZipError, unstable::read::ZipIterable};

use super::{
    TaskSettings,
    layout::Layout,
    receive::{Held, Received, not_staged},
    settings::in_words,
};

/// A compressed archive may always unpack to this much, whatever the ratio.
const RATIO_COUNTS_FROM_BYTES: u64 = 16 << 20;
/// File type bits of a Unix mode.
const S_IFMT: u32 = 0o170_000;
/// A regular file.
const S_IFREG: u32 = 0o100_000;
/// A directory.
const S_IFDIR: u32 = 0o040_000;

/// A file of an archive whose directory was checked.
#[derive(Clone, Debug)]
pub(super) struct ArchivedFile {
    /// Position in the archive's directory.
    index: usize,
    /// Where it goes in the task.
    pub(super) path: TaskPath,
    /// Bytes that the archive declares.
    pub(super) size: u64,
}

/// Checks the archive's directory and lists its files, ordered as they are there. `folder` is put before each path.
pub(super) fn list(
    archive: &Path,
    folder: Option<&TaskPath>,
    settings: &TaskSettings,
) -> Result<Vec<ArchivedFile>, WireError> {
    let packed = std::fs::metadata(archive).map_err(not_staged)?.len();
    let mut zip = open(archive)?;
    // As many folders as files at most: more is no archive of a task.
    if zip.len() as u64 > settings.max_files.saturating_mul(2) {
        settings.check_files(0, zip.len() as u64)?;
        return Err(refused(format!("It has {} entries.", zip.len())));
    }
    let mut files = Vec::new();
    let mut layout = Layout::default();
    let mut unpacked = 0_u64;
    for (index, entry) in zip.files().map_err(unreadable)?.enumerate() {
        let entry = entry.map_err(unreadable)?;
        let name = read_name(entry.name_raw())?;
        let refuse = |why: &str| Err(refused(format!("`{}` {why}", shown(&name))));
        if entry.encrypted() {
            return refuse("is encrypted. Pack it without a password.");
        }
        let is_folder = name.ends_with('/');
        match entry.unix_mode().map_or(0, |mode| mode & S_IFMT) {
            0 => {}
            S_IFREG if !is_folder => {}
            S_IFDIR if is_folder => {}
            _ => return refuse("is a link or a special file. Pack only files and folders."),
        }
        let path = place(&name, folder)?;
        if is_folder {
            layout.check_folder(&path).map_err(|error| conflict(&error))?;
            layout.add_folder(path.as_str(), &path.key());
            continue;
        }
        layout.check_file(&path).map_err(|error| conflict(&error))?;
        layout.add(path.as_str(), &path.key());
        unpacked = unpacked.saturating_add(entry.size());
        files.push(ArchivedFile { index, path, size: entry.size() });
    }
    settings.check_files(0, files.len() as u64)?;
    settings.check_bytes(0, unpacked)?;
    if unpacked > RATIO_COUNTS_FROM_BYTES && unpacked / settings.max_archive_ratio.max(1) > packed {
        return Err(refused(format!(
            "It has {} but would unpack to {}, more than {} times as much.",
            in_words(packed),
            in_words(unpacked),
            settings.max_archive_ratio
        )));
    }
    Ok(files)
}

/// Reads the content of listed files in order and hands each to `take`, which says whether to go on.
pub(super) fn read_files(
    archive: &Path,
    files: &[ArchivedFile],
    settings: &TaskSettings,
    mut take: impl FnMut(usize, Received) -> bool,
) -> Result<(), WireError> {
    let mut zip = open(archive)?;
    let bodies = BufReader::new(File::open(archive).map_err(not_staged)?);
    let mut entries = zip.files_with_reader(bodies, ZipReadOptions::new()).map_err(unreadable)?;
    let mut index = 0;
    for (position, file) in files.iter().enumerate() {
        let mut entry = loop {
            let Some(entry) = entries.next() else { return Err(refused("Its directory ends too early.".into())) };
            if index == file.index {
                index += 1;
                break entry.map_err(unreadable)?;
            }
            entry.map_err(unreadable)?;
            index += 1;
        };
        let received = read_one(&mut entry, file, settings)?;
        if !take(position, received) {
            return Ok(());
        }
    }
    Ok(())
}

/// Reads one file, never more than it declared.
fn read_one(entry: &mut impl Read, file: &ArchivedFile, settings: &TaskSettings) -> Result<Received, WireError> {
    let broken = |error: io::Error| refused(format!("`{}` cannot be unpacked: {error}.", shown(file.path.as_str())));
    let mut hash = Sha256::new();
    let mut memory = Vec::new();
    let mut spill: Option<NamedTempFile> = None;
    let mut size = 0;
    let mut buffer = vec![0; 64 << 10];
    loop {
        let read = match entry.read(&mut buffer) {
            Ok(0) => break,
            Ok(read) => read,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(broken(error)),
        };
        size += read as u64;
        if size > file.size {
            return Err(refused(format!("`{}` is larger than the archive says.", shown(file.path.as_str()))));
        }
        hash.update(&buffer[..read]);
        if spill.is_none() && size > settings.max_text_bytes {
            let mut opened = NamedTempFile::new_in(&settings.staging).map_err(not_staged)?;
            opened.write_all(&std::mem::take(&mut memory)).map_err(not_staged)?;
            spill = Some(opened);
        }
        match &mut spill {
            Some(spill) => spill.write_all(&buffer[..read]).map_err(not_staged)?,
            None => memory.extend_from_slice(&buffer[..read]),
        }
    }
    if size != file.size {
        return Err(refused(format!("`{}` is smaller than the archive says.", shown(file.path.as_str()))));
    }
    let held = match spill {
        Some(spill) => Held::File(spill.into_temp_path()),
        None => Held::Memory(Bytes::from(memory)),
    };
    Ok(Received { size, sha256: hex::encode(hash.finalize()), held })
}

fn open(archive: &Path) -> Result<ZipIterable<BufReader<File>>, WireError> {
    let file = BufReader::new(File::open(archive).map_err(not_staged)?);
    // Names, methods and flags must be the same in the directory and before the content: other tools read the latter.
    Ok(ZipIterable::try_new(file, Config::default()).map_err(unreadable)?.enforce_header_consistency(true))
}

/// Names are UTF-8, whether the archive says so or not; other encodings cannot be told apart.
fn read_name(raw: &[u8]) -> Result<String, WireError> {
    String::from_utf8(raw.to_vec()).map_err(|error| {
        let name = String::from_utf8_lossy(error.as_bytes()).into_owned();
        refused(format!("The name `{}` is not UTF-8. Pack it with a program that writes names in UTF-8.", shown(&name)))
    })
}

fn place(name: &str, folder: Option<&TaskPath>) -> Result<TaskPath, WireError> {
    let bad = |error: &dyn std::fmt::Display| refused(format!("`{}`: {error}", shown(name)));
    // Alone first: "/x" must not become harmless behind a folder.
    let path = TaskPath::parse(name.strip_suffix('/').unwrap_or(name)).map_err(|error| bad(&error))?;
    match folder {
        None => Ok(path),
        Some(folder) => TaskPath::parse(&format!("{}/{}", folder.as_str(), path.as_str())).map_err(|error| bad(&error)),
    }
}

fn conflict(error: &WireError) -> WireError {
    refused(format!("Two of its entries cannot stand together: {}", error.message))
}

fn unreadable(error: ZipError) -> WireError {
    // An archive that points beyond any file makes the system refuse the place as invalid.
    let is_ours = |error: &io::Error| error.raw_os_error().is_some() && error.kind() != io::ErrorKind::InvalidInput;
    match error {
        ZipError::Io(error) if is_ours(&error) => not_staged(error),
        error => refused(format!("It cannot be read as a zip: {error}.")),
    }
}

/// The error for archives that break a rule.
fn refused(why: String) -> WireError {
    WireError::new(ErrorCode::BadArchive, format!("The archive was refused, nothing of it was stored. {why}"))
}

/// A name out of an archive as it may stand in a sentence.
fn shown(name: &str) -> String {
    name.chars().take(200).map(|char| if char.is_control() { '\u{fffd}' } else { char }).collect()
}

#[cfg(test)]
mod tests;
