//! Puts the snapshot into the work directory: regular files only, each created anew, each checked against its hash.
//! What is read here was made by our own server, and is checked all the same.

use std::{
    fs::{DirBuilder, File},
    io::{self, Read, Write},
    os::{
        fd::{AsFd, OwnedFd},
        unix::fs::DirBuilderExt as _,
    },
    path::Path,
};

use coderoom_protocol::run::Reason;
use rustix::{
    fs::{Mode, OFlags, openat},
    io::Errno,
};
use sha2::{Digest as _, Sha256};
use zip::ZipArchive;

use crate::snapshot::{Manifest, ManifestFile};

/// Largest manifest in bytes.
const MAX_MANIFEST_BYTES: u64 = 64 * 1024 * 1024;
/// Most folders above a file.
const MAX_DEPTH: usize = 32;

/// Why the files could not be put in place.
#[derive(Debug, thiserror::Error)]
#[error("{detail}")]
pub struct UnpackError {
    /// For the end frame.
    pub reason: Reason,
    /// Which file, and what was wrong.
    pub detail: String,
}

pub(super) fn bad(detail: String) -> UnpackError {
    UnpackError { reason: Reason::SnapshotMissing, detail }
}

/// A failed read or write; a full disk is the only one that has to do with the user's files.
pub(super) fn failed(path: &str, error: &io::Error) -> UnpackError {
    match Errno::from_io_error(error) {
        Some(Errno::NOSPC | Errno::FBIG | Errno::DQUOT) => UnpackError {
            reason: Reason::DiskLimit,
            detail: format!("The task's files do not fit on the run's disk: no room left at {path}."),
        },
        _ => UnpackError { reason: Reason::Internal, detail: format!("write {path}: {error}") },
    }
}

/// Where the parts of a snapshot come from. `go_on` is asked now and then; when it says no, what was begun is left as it is.
pub trait Source {
    /// What the snapshot has.
    fn manifest(&mut self) -> Result<Manifest, UnpackError>;

    /// The zip with the texts, read from its beginning. Its hash is checked by the caller.
    fn code(&mut self, manifest: &Manifest, go_on: &mut dyn FnMut() -> bool) -> Result<File, UnpackError>;

    /// Writes a blob's content into `target` and checks it.
    fn blob(
        &mut self,
        file: &ManifestFile,
        target: &mut File,
        go_on: &mut dyn FnMut() -> bool,
    ) -> Result<(), UnpackError>;
}

/// A directory with `manifest.json`, `code.zip` and blobs.
#[derive(Debug)]
pub struct Directory(pub OwnedFd);

impl Source for Directory {
    fn manifest(&mut self) -> Result<Manifest, UnpackError> {
        read_manifest(&self.0)
    }

    fn code(&mut self, _manifest: &Manifest, _go_on: &mut dyn FnMut() -> bool) -> Result<File, UnpackError> {
        open(&self.0, "code.zip")
    }

    fn blob(
        &mut self,
        file: &ManifestFile,
        target: &mut File,
        _go_on: &mut dyn FnMut() -> bool,
    ) -> Result<(), UnpackError> {
        let blob = open(&self.0, &format!("blobs/{}", check_hash(&file.sha256)?))?;
        copy_checked(blob, target, file)
    }
}

/// Unpacks into `work`, which must be empty and nobody else's. `go_on` is asked before each file; `false` ends it early.
/// After an error some files may be there.
pub fn unpack(mut source: impl Source, work: &Path, go_on: &mut impl FnMut() -> bool) -> Result<(), UnpackError> {
    let manifest = source.manifest()?;
    check_version(&manifest)?;
    let mut code = match manifest.files.iter().any(|file| file.blob_key.is_none()) {
        true => {
            let file = source.code(&manifest, go_on)?;
            if !go_on() {
                return Ok(());
            }
            Some(open_code(file, &manifest.code_sha256)?)
        }
        false => None,
    };
    for file in &manifest.files {
        if !go_on() {
            return Ok(());
        }
        check_path(&file.path)?;
        let mut target = create(work, &file.path)?;
        match (&file.blob_key, &mut code) {
            (Some(_), _) => source.blob(file, &mut target, go_on)?,
            (None, Some(code)) => {
                let entry = code.by_name(&file.path).map_err(|error| bad(format!("{}: {error}", file.path)))?;
                if !entry.is_file() {
                    return Err(bad(format!("{} is not a file in the archive", file.path)));
                }
                copy_checked(entry, &mut target, file)?;
            }
            (None, None) => return Err(bad(format!("{} is in no archive", file.path))),
        }
    }
    Ok(())
}

fn open(snapshot: &OwnedFd, name: &str) -> Result<File, UnpackError> {
    openat(snapshot.as_fd(), name, OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::CLOEXEC, Mode::empty())
        .map(File::from)
        .map_err(|error| bad(format!("open {name}: {error}")))
}

fn read_manifest(snapshot: &OwnedFd) -> Result<Manifest, UnpackError> {
    let mut json = Vec::new();
    let file = open(snapshot, "manifest.json")?;
    file.take(MAX_MANIFEST_BYTES)
        .read_to_end(&mut json)
        .map_err(|error| bad(format!("read manifest.json: {error}")))?;
    serde_json::from_slice(&json).map_err(|error| bad(format!("decode manifest.json: {error}")))
}

fn check_version(manifest: &Manifest) -> Result<(), UnpackError> {
    match manifest.version {
        1 => Ok(()),
        other => Err(bad(format!("manifest.json has version {other}, not 1"))),
    }
}

fn open_code(mut file: File, sha256: &str) -> Result<ZipArchive<File>, UnpackError> {
    let mut hash = Sha256::new();
    let mut buffer = vec![0_u8; 64 * 1024];
    loop {
        match file.read(&mut buffer) {
            Ok(0) => break,
            Ok(count) => hash.update(buffer.get(..count).unwrap_or_default()),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(bad(format!("read code.zip: {error}"))),
        }
    }
    if hex::encode(hash.finalize()) != sha256 {
        return Err(bad("code.zip is not what was stored".to_owned()));
    }
    ZipArchive::new(file).map_err(|error| bad(format!("open code.zip: {error}")))
}

fn check_hash(sha256: &str) -> Result<&str, UnpackError> {
    let fine = sha256.len() == 64 && sha256.bytes().all(|byte| byte.is_ascii_hexdigit());
    fine.then_some(sha256).ok_or_else(|| bad(format!("{sha256:?} is not a hash")))
}

/// No way out of the work directory, whatever the server believed.
fn check_path(path: &str) -> Result<(), UnpackError> {
    let fine = path.split('/').all(|part| !matches!(part, "" | "." | "..") && !part.contains(['\0', '\\']));
    match fine && path.split('/').count() <= MAX_DEPTH {
        true => Ok(()),
        false => Err(bad(format!("{path:?} is not a path for a file"))),
    }
}

fn create(work: &Path, path: &str) -> Result<File, UnpackError> {
    let target = work.join(path);
    if let Some(folder) = target.parent().filter(|folder| *folder != work) {
        DirBuilder::new().recursive(true).mode(0o755).create(folder).map_err(|error| failed(path, &error))?;
    }
    let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    rustix::fs::open(&target, flags, Mode::from_raw_mode(0o644))
        .map(File::from)
        .map_err(|error| failed(path, &error.into()))
}

/// Copies exactly the promised bytes.
fn copy_checked(source: impl Read, target: &mut File, file: &ManifestFile) -> Result<(), UnpackError> {
    let mut source = source.take(file.size + 1);
    let mut hash = Sha256::new();
    let mut buffer = vec![0_u8; 64 * 1024];
    let mut size = 0;
    loop {
        let count = match source.read(&mut buffer) {
            Ok(0) => break,
            Ok(count) => count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(bad(format!("read {}: {error}", file.path))),
        };
        let bytes = buffer.get(..count).unwrap_or_default();
        hash.update(bytes);
        size += count as u64;
        target.write_all(bytes).map_err(|error| failed(&file.path, &error))?;
    }
    match size == file.size && hex::encode(hash.finalize()) == file.sha256 {
        true => Ok(()),
        false => Err(bad(format!("{} is not what was stored", file.path))),
    }
}

#[cfg(test)]
mod tests {
    use zip::{ZipWriter, write::SimpleFileOptions};

    use super::*;

    fn sha256(bytes: &[u8]) -> String {
        hex::encode(Sha256::digest(bytes))
    }

    /// Makes a snapshot with these texts (path, stored bytes) and the manifest `change` makes of it, and unpacks it.
    fn unpack_changed(
        texts: &[(&str, &str)],
        change: impl FnOnce(&mut Manifest),
    ) -> Result<tempfile::TempDir, UnpackError> {
        let from = tempfile::tempdir().unwrap();
        let mut zip = ZipWriter::new(io::Cursor::new(Vec::new()));
        for (path, text) in texts {
            zip.start_file(*path, SimpleFileOptions::default()).unwrap();
            zip.write_all(text.as_bytes()).unwrap();
        }
        let code = zip.finish().unwrap().into_inner();
        let files = texts.iter().map(|(path, text)| ManifestFile {
            path: (*path).to_owned(),
            seq: 1,
            size: text.len() as u64,
            sha256: sha256(text.as_bytes()),
            blob_key: None,
        });
        let code_sha256 = sha256(&code);
        let mut manifest = Manifest { version: 1, code_key: "k".to_owned(), code_sha256, files: files.collect() };
        change(&mut manifest);
        std::fs::write(from.path().join("code.zip"), &code).unwrap();
        std::fs::write(from.path().join("manifest.json"), serde_json::to_vec(&manifest).unwrap()).unwrap();
        std::fs::create_dir(from.path().join("blobs")).unwrap();
        let blob = b"\x00blob";
        std::fs::write(from.path().join("blobs").join(sha256(blob)), blob).unwrap();
        let to = tempfile::tempdir().unwrap();
        let snapshot = Directory(OwnedFd::from(File::open(from.path()).unwrap()));
        unpack(snapshot, to.path(), &mut || true).map(|()| to)
    }

    #[test]
    fn texts_and_blobs_are_put_in_place() {
        let blob = ManifestFile {
            path: "data/x.bin".to_owned(),
            seq: 0,
            size: 5,
            sha256: sha256(b"\x00blob"),
            blob_key: Some("blobs/x".to_owned()),
        };
        let to =
            unpack_changed(&[("run.py", "print(1)"), ("a/b/c.py", "")], |manifest| manifest.files.push(blob)).unwrap();
        assert_eq!(std::fs::read(to.path().join("run.py")).unwrap(), b"print(1)");
        assert_eq!(std::fs::read(to.path().join("a/b/c.py")).unwrap(), b"");
        assert_eq!(std::fs::read(to.path().join("data/x.bin")).unwrap(), b"\x00blob");
    }

    #[test]
    fn paths_out_of_the_work_directory_are_refused() {
        for path in ["../x", "/etc/x", "a/../../x", "a//b", "", "a/./b"] {
            let error =
                unpack_changed(&[("ok", "1")], |manifest| manifest.files[0].path = path.to_owned()).unwrap_err();
            assert_eq!(error.reason, Reason::SnapshotMissing, "{path:?}");
        }
    }

    #[test]
    fn changed_content_is_refused() {
        let changes: [fn(&mut Manifest); 4] = [
            |manifest| manifest.files[0].sha256 = sha256(b"other"),
            |manifest| manifest.files[0].size = 3,
            |manifest| manifest.code_sha256 = sha256(b"other"),
            |manifest| manifest.files[0].blob_key = Some("blobs/missing".to_owned()),
        ];
        for change in changes {
            assert_eq!(unpack_changed(&[("ok", "12345")], change).unwrap_err().reason, Reason::SnapshotMissing);
        }
    }

    #[test]
    fn same_path_twice_is_refused() {
        assert!(unpack_changed(&[("ok", "1")], |manifest| manifest.files.push(manifest.files[0].clone())).is_err());
    }
}
