//! Packs files into a zip while it is being sent: nothing is gathered, neither in memory nor on disk.

use std::{
    collections::HashMap,
    io::{self, Write},
    path::PathBuf,
    time::Duration,
};

use bytes::Bytes;
use coderoom_backing::{
    objects::{ByteStream, Objects},
    tables::Tables,
    values,
};
use coderoom_protocol::{
    ids::{FileId, RunId, TaskId, UserId},
    problem::{ErrorCode, WireError},
    tree::NodeKind,
};
use coderoom_worker::snapshot::{Manifest, blob_key};
use futures_util::StreamExt as _;
use tokio::{runtime::Handle, sync::mpsc};
use zip::{CompressionMethod, ZipArchive, ZipWriter, write::SimpleFileOptions};

use super::{FileRow, Tasks, failed, files, parse_path, receive::not_staged, turns::Turn};
use crate::rooms::read_text::{self, ReadTextError, TextFile};

/// Pieces of the archive on their way to the reader. A full channel holds the packing thread.
const PIECES_UNDER_WAY: usize = 2;
/// Bytes of one piece.
const PIECE_BYTES: usize = 64 << 10;
/// A reader that takes nothing for so long is given up, so that the thread is free again.
const PATIENCE: Duration = Duration::from_secs(120);
/// Texts that are read from the tables together, in bytes.
const TEXTS_AT_ONCE_BYTES: u64 = 4 << 20;
/// The same in files.
const TEXTS_AT_ONCE: usize = 256;
/// Texts pack well.
const TEXT_LEVEL: i64 = 6;
/// Blobs often are packed already: the cheapest level takes what there is.
const BLOB_LEVEL: i64 = 1;

/// An archive that is packed as it is read.
pub struct Archive {
    /// Its name for people, without `.zip`.
    pub name: String,
    /// Its bytes; a failure half-way ends them with an error.
    pub bytes: ByteStream,
}

impl std::fmt::Debug for Archive {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Archive").field("name", &self.name).finish_non_exhaustive()
    }
}

/// One entry of an archive to be.
enum Entry {
    /// A document, read from the tables when its turn comes.
    Text(TextFile),
    /// A file whose content is an object.
    Blob { path: String, file: FileId },
}

impl Tasks {
    /// The task, a folder or a single file of it as a zip; `path` is `""` for the task. Paths in it begin inside the folder.
    /// Each file is as it is stored when its turn comes; a file that is deleted meanwhile is left out.
    ///
    /// Fails with `not_found`, and with `too_many_requests` when `user` has as many archives under way as one may.
    pub async fn pack(&self, user: UserId, task: TaskId, path: &str) -> Result<Archive, WireError> {
        let summary = self.summary(task).await?.ok_or_else(super::no_such_task)?;
        let (name, path) = if path.is_empty() {
            (summary.name, String::new())
        } else {
            let path = parse_path(path)?;
            (path.name().to_owned(), path.as_str().to_owned())
        };
        let rows = self.files_below(task, &path).await?;
        if rows.is_empty() && !path.is_empty() {
            return Err(super::nothing_at(&path));
        }
        let entries = rows.into_iter().map(|row| entry(row, &path)).collect();
        let turn = self.packing.take(user, PATIENCE).await?;
        let bytes = self.stream(turn, move |packer| packer.entries(entries));
        Ok(Archive { name, bytes })
    }

    /// What was frozen for a run as a zip: its texts as they were packed then, and the blobs. Fails as [`Self::pack`] does.
    pub async fn pack_snapshot(
        &self,
        user: UserId,
        run: RunId,
        number: u32,
        manifest: Manifest,
    ) -> Result<Archive, WireError> {
        // Before the snapshot is on disk: what waits must take no room.
        let turn = self.packing.take(user, PATIENCE).await?;
        let code = tempfile::Builder::new().tempdir_in(&self.settings.staging).map_err(not_staged)?;
        let file = code.path().join("code.zip");
        let found =
            self.objects.fetch_to_file(&manifest.code_key, &file).await.map_err(failed::objects("fetch a snapshot"))?;
        if !found {
            return Err(WireError::new(ErrorCode::NotFound, "The files of this run are no longer stored."));
        }
        tracing::debug!(run.id = %run, "packing a snapshot");
        let bytes = self.stream(turn, move |packer| {
            let _kept_until_packed = &code;
            packer.snapshot(file, manifest)
        });
        Ok(Archive { name: format!("run-{number}"), bytes })
    }

    /// Runs `pack` on a thread of its own and gives what it writes.
    fn stream(&self, turn: Turn, pack: impl FnOnce(&mut Packer) -> io::Result<()> + Send + 'static) -> ByteStream {
        let (pieces, incoming) = mpsc::channel::<io::Result<Bytes>>(PIECES_UNDER_WAY);
        let tasks = self.clone();
        let runtime = Handle::current();
        tokio::task::spawn_blocking(move || {
            let _turn = turn;
            let out = PieceWriter {
                pieces: pieces.clone(),
                runtime: runtime.clone(),
                piece: Vec::with_capacity(PIECE_BYTES),
                gone: false,
            };
            let mut packer = Packer { tasks, runtime: runtime.clone(), zip: ZipWriter::new_stream(out) };
            let packed = pack(&mut packer).and_then(|()| packer.finish());
            if let Err(error) = packed {
                if error.kind() != io::ErrorKind::BrokenPipe {
                    tracing::warn!(%error, "an archive broke off");
                }
                // So that the reader sees a broken transfer and not a short archive.
                let _ = runtime.block_on(tokio::time::timeout(PATIENCE, pieces.send(Err(error))));
            }
        });
        let stream = futures_util::stream::unfold(incoming, async |mut incoming| {
            let piece = incoming.recv().await?;
            Some((piece, incoming))
        });
        stream.boxed()
    }
}

/// Where a file goes in an archive of `folder`, and where its content is.
fn entry(row: FileRow, folder: &str) -> Entry {
    let inside = match row.path.strip_prefix(folder) {
        Some(rest) if !folder.is_empty() && files::is_below(&row.path, folder) => rest[1..].to_owned(),
        _ if row.path == folder => row.path.rsplit('/').next().unwrap_or_default().to_owned(),
        _ => row.path,
    };
    match (row.kind, row.blob_sha256) {
        (NodeKind::Blob, Some(_)) => Entry::Blob { path: inside, file: row.id },
        _ => Entry::Text(TextFile { file: row.id, path: inside, epoch: row.epoch, seq: row.seq, size: row.size }),
    }
}

/// Writes a zip on a thread that may block.
struct Packer {
    tasks: Tasks,
    runtime: Handle,
    zip: ZipWriter<zip::write::StreamWriter<PieceWriter>>,
}

impl Packer {
    fn entries(&mut self, entries: Vec<Entry>) -> io::Result<()> {
        let (mut texts, mut bytes) = (Vec::new(), 0);
        for entry in entries {
            match entry {
                Entry::Text(text) => {
                    bytes += text.size;
                    texts.push(text);
                    if texts.len() >= TEXTS_AT_ONCE || bytes >= TEXTS_AT_ONCE_BYTES {
                        self.texts(std::mem::take(&mut texts))?;
                        bytes = 0;
                    }
                }
                Entry::Blob { path, file } => self.current_blob(&path, file)?,
            }
        }
        self.texts(texts)
    }

    fn texts(&mut self, files: Vec<TextFile>) -> io::Result<()> {
        if files.is_empty() {
            return Ok(());
        }
        let found = self.runtime.block_on(current_texts(&self.tasks.tables, files)).map_err(io::Error::other)?;
        for (file, text) in found {
            self.zip.start_file(file.path.as_str(), options(TEXT_LEVEL)).map_err(io::Error::from)?;
            self.zip.write_all(text.as_bytes())?;
        }
        Ok(())
    }

    /// What was listed may have been deleted or overwritten an hour ago, and its object be gone.
    fn current_blob(&mut self, path: &str, file: FileId) -> io::Result<()> {
        let sql = "SELECT blob_sha256, size FROM files WHERE id = $1 AND blob_sha256 IS NOT NULL";
        let found = self.runtime.block_on(self.tasks.tables.query_opt(sql, values![file.to_string()]));
        let Some(row) = found.map_err(io::Error::other)? else { return Ok(()) };
        let (sha256, size) = (row.text(0).map_err(io::Error::other)?, row.uint(1).map_err(io::Error::other)?);
        self.blob(path, &blob_key(sha256), size)
    }

    fn blob(&mut self, path: &str, key: &str, size: u64) -> io::Result<()> {
        self.zip.start_file(path, options(BLOB_LEVEL)).map_err(io::Error::from)?;
        let Some((_, mut stream)) = self.get(key)? else {
            return Err(io::Error::other(format!("object {key} is missing")));
        };
        let mut written = 0;
        while let Some(piece) = self.runtime.block_on(stream.next()) {
            let piece = piece?;
            written += piece.len() as u64;
            self.zip.write_all(&piece)?;
        }
        if written == size {
            Ok(())
        } else {
            Err(io::Error::other(format!("object {key} has {written} bytes, not {size}")))
        }
    }

    fn get(&self, key: &str) -> io::Result<Option<(u64, ByteStream)>> {
        let objects: &Objects = &self.tasks.objects;
        self.runtime.block_on(objects.get_stream(key, 0)).map_err(io::Error::other)
    }

    fn snapshot(&mut self, code: PathBuf, manifest: Manifest) -> io::Result<()> {
        let mut code = ZipArchive::new(io::BufReader::new(std::fs::File::open(code)?)).map_err(io::Error::from)?;
        for file in manifest.files {
            match file.blob_key {
                Some(key) => self.blob(&file.path, &key, file.size)?,
                None => {
                    let packed = code.by_name(&file.path).map_err(io::Error::from)?;
                    self.zip.raw_copy_file(packed).map_err(io::Error::from)?;
                }
            }
        }
        Ok(())
    }

    fn finish(self) -> io::Result<()> {
        self.zip.finish().map_err(io::Error::from)?.into_inner().send()
    }
}

/// The texts of files as they are stored now; files that are gone are left out.
async fn current_texts(tables: &Tables, files: Vec<TextFile>) -> Result<Vec<(TextFile, String)>, ReadTextError> {
    let _turn = tables.long_read().await?;
    let mut tx = tables.begin_read().await?;
    let list = (1..=files.len()).map(|number| format!("${number}")).collect::<Vec<_>>().join(", ");
    let ids = files.iter().map(|file| file.file.to_string().into()).collect();
    let rows = tx.query(format!("SELECT id, epoch, seq, size FROM files WHERE id IN ({list})"), ids).await?;
    let mut now = HashMap::new();
    for row in &rows {
        now.insert(row.parse::<FileId>(0)?, (row.uint(1)?, row.uint(2)?, row.uint(3)?));
    }
    let update = |file: TextFile| now.get(&file.file).map(|&(epoch, seq, size)| TextFile { epoch, seq, size, ..file });
    let files: Vec<_> = files.into_iter().filter_map(update).collect();
    let texts = read_text::texts_of(&mut tx, &files).await?;
    Ok(files.into_iter().zip(texts).collect())
}

fn options(level: i64) -> SimpleFileOptions {
    SimpleFileOptions::default()
        .compression_method(CompressionMethod::Deflated)
        .compression_level(Some(level))
        .unix_permissions(0o644)
}

/// Cuts what is written into pieces and hands them to the reader.
struct PieceWriter {
    pieces: mpsc::Sender<io::Result<Bytes>>,
    runtime: Handle,
    piece: Vec<u8>,
    /// The reader is. What the zip then writes when it is dropped is for nobody, and no failure to print.
    gone: bool,
}

impl PieceWriter {
    fn send(&mut self) -> io::Result<()> {
        if self.gone {
            self.piece.clear();
        }
        if self.piece.is_empty() {
            return Ok(());
        }
        let piece = Bytes::from(std::mem::replace(&mut self.piece, Vec::with_capacity(PIECE_BYTES)));
        let sent = self.runtime.block_on(tokio::time::timeout(PATIENCE, self.pieces.send(Ok(piece))));
        self.gone = !matches!(sent, Ok(Ok(())));
        match sent {
            Ok(Ok(())) => Ok(()),
            Ok(Err(_)) => Err(io::Error::new(io::ErrorKind::BrokenPipe, "the reader went away")),
            Err(_) => Err(io::Error::new(io::ErrorKind::BrokenPipe, "the reader took nothing for too long")),
        }
    }
}

impl Write for PieceWriter {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let taken = bytes.len().min(PIECE_BYTES - self.piece.len());
        self.piece.extend_from_slice(&bytes[..taken]);
        if self.piece.len() == PIECE_BYTES {
            self.send()?;
        }
        Ok(taken)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn zip_whose_reader_left_is_told_once_and_then_writes_for_nobody() {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
        let (pieces, incoming) = mpsc::channel(1);
        drop(incoming);
        let _within = runtime.enter();
        let (runtime, piece) = (runtime.handle().clone(), Vec::with_capacity(PIECE_BYTES));
        let mut out = PieceWriter { pieces, runtime, piece, gone: false };
        let bytes = vec![b'x'; PIECE_BYTES];
        assert_eq!(out.write_all(&bytes).unwrap_err().kind(), io::ErrorKind::BrokenPipe);
        // A zip that is dropped ends itself, and prints when that fails.
        for _ in 0..3 {
            out.write_all(&bytes).unwrap();
            out.flush().unwrap();
        }
        out.send().unwrap();
        assert!(out.piece.is_empty());
    }
}
