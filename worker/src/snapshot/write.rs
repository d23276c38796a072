//! Freezing files: text goes into one deterministic zip, blobs are listed. Equal content gives equal bytes,
//! and bytes that are stored already are not stored again. Memory stays flat however large the task is.

use std::io::{Read, Seek, SeekFrom, Write};

use bytes::Bytes;
use coderoom_backing::objects::Objects;
use coderoom_protocol::ids::TaskId;
use sha2::{Digest, Sha256};
use tempfile::SpooledTempFile;
use tokio::{sync::mpsc, task::JoinHandle};
use zip::{CompressionMethod, DateTime, ZipWriter, write::SimpleFileOptions};

use super::{Manifest, ManifestFile, blob_key, code_key};
use crate::{
    fault::{Fault, Result},
    limits::RunSettings,
};

/// One file as it is frozen.
#[derive(Clone, Debug)]
pub enum FrozenFile {
    /// A text file.
    Text {
        /// Path in the task.
        path: String,
        /// Number of its last edit.
        seq: u64,
        /// Its content in UTF-8.
        text: Bytes,
    },
    /// A blob that is already in object storage under [`blob_key`].
    Blob {
        /// Path in the task.
        path: String,
        /// Bytes.
        size: u64,
        /// SHA-256 of the content, lower-case hexadecimal.
        sha256: String,
    },
}

impl FrozenFile {
    /// Its path in the task.
    #[must_use]
    pub fn path(&self) -> &str {
        match self {
            Self::Text { path, .. } | Self::Blob { path, .. } => path,
        }
    }
}

/// A stored snapshot that no run names yet.
#[derive(Clone, Debug)]
pub struct Snapshot {
    /// What is in it.
    pub(crate) manifest: Manifest,
}

/// Packs files one after the other. Dropping it stores nothing.
#[derive(Debug)]
pub struct SnapshotWriter {
    /// To the packing thread. Four files at most wait there; a full channel makes [`SnapshotWriter::add`] wait.
    files: mpsc::Sender<FrozenFile>,
    packer: JoinHandle<Result<Packed>>,
    objects: Objects,
    task: TaskId,
}

/// What the packing thread hands back.
#[derive(Debug)]
struct Packed {
    zip: SpooledTempFile,
    sha256: String,
    size: u64,
    files: Vec<ManifestFile>,
}

impl SnapshotWriter {
    pub(crate) fn begin(objects: Objects, settings: &RunSettings, task: TaskId) -> Self {
        let (files, incoming) = mpsc::channel(4);
        let spool = tempfile::spooled_tempfile_in(settings.snapshot_memory_bytes, &settings.scratch);
        let packer = tokio::task::spawn_blocking(move || pack(incoming, spool));
        Self { files, packer, objects, task }
    }

    /// Adds the next file; paths must come in ascending order of their bytes. A fault is told by [`SnapshotWriter::finish`].
    pub async fn add(&mut self, file: FrozenFile) {
        // The packer hangs up only when it failed, and its failure is the result of finish.
        let _ = self.files.send(file).await;
    }

    /// Stores the zip, if its content is new to the task.
    pub(crate) async fn finish(self) -> Result<Snapshot> {
        let Self { files, packer, objects, task } = self;
        drop(files);
        let packed = packer.await.map_err(|error| Fault::Broken(format!("pack snapshot: {error}")))??;
        let code_key = code_key(task, &packed.sha256);
        if objects.size(&code_key).await? != Some(packed.size) {
            store(&objects, &code_key, packed.zip, packed.size).await?;
        }
        Ok(Snapshot { manifest: Manifest { version: 1, code_key, code_sha256: packed.sha256, files: packed.files } })
    }
}

async fn store(objects: &Objects, key: &str, zip: SpooledTempFile, size: u64) -> Result<()> {
    match zip.into_inner() {
        tempfile::SpooledData::InMemory(cursor) => objects.put(key, cursor.into_inner().into()).await?,
        tempfile::SpooledData::OnDisk(file) => {
            let stream = tokio_util::io::ReaderStream::with_capacity(tokio::fs::File::from_std(file), 256 << 10);
            objects.put_stream(key, Box::pin(stream), size).await?;
        }
    }
    Ok(())
}

fn pack(mut incoming: mpsc::Receiver<FrozenFile>, spool: SpooledTempFile) -> Result<Packed> {
    let broken = |error: &dyn std::fmt::Display| Fault::Broken(format!("pack snapshot: {error}"));
    let options = SimpleFileOptions::default()
        .compression_method(CompressionMethod::Deflated)
        .compression_level(Some(1))
        .last_modified_time(DateTime::default())
        .unix_permissions(0o644);
    let mut zip = ZipWriter::new(spool);
    let mut files: Vec<ManifestFile> = Vec::new();
    while let Some(file) = incoming.blocking_recv() {
        if files.last().is_some_and(|last| last.path.as_str() >= file.path()) {
            return Err(Fault::Broken("files of a snapshot are not ordered by path".into()));
        }
        files.push(match file {
            FrozenFile::Text { path, seq, text } => {
                zip.start_file(path.as_str(), options).map_err(|error| broken(&error))?;
                zip.write_all(&text).map_err(|error| broken(&error))?;
                let sha256 = hex::encode(Sha256::digest(&text));
                ManifestFile { path, seq, size: text.len() as u64, sha256, blob_key: None }
            }
            FrozenFile::Blob { path, size, sha256 } => {
                ManifestFile { path, seq: 0, size, blob_key: Some(blob_key(&sha256)), sha256 }
            }
        });
    }
    let mut spool = zip.finish().map_err(|error| broken(&error))?;
    let (sha256, size) = digest(&mut spool).map_err(|error| broken(&error))?;
    Ok(Packed { zip: spool, sha256, size, files })
}

/// SHA-256 and size of the whole file; leaves it at its beginning.
fn digest(file: &mut SpooledTempFile) -> std::io::Result<(String, u64)> {
    file.seek(SeekFrom::Start(0))?;
    let (mut hash, mut size, mut buffer) = (Sha256::new(), 0, vec![0; 64 << 10]);
    loop {
        let read = file.read(&mut buffer)?;
        if read == 0 {
            break;
        }
        hash.update(buffer.get(..read).unwrap_or_default());
        size += read as u64;
    }
    file.seek(SeekFrom::Start(0))?;
    Ok((hex::encode(hash.finalize()), size))
}
