//! The embedded twin: files in a directory. `stored/` has one file per key; `incoming/` has what is being
//! written, so that an object appears whole or not at all.

mod incoming;
mod walk;

use std::{
    fs::File,
    io::{self, ErrorKind, Read, Seek, SeekFrom, Write},
    path::{Path, PathBuf},
    sync::Arc,
};

use bytes::{Bytes, BytesMut};
use futures_util::StreamExt;

use self::incoming::Incoming;
use super::{
    ByteStream, ObjectInfo, ObjectsError, Result, check_key, check_prefix,
    pieces::{self, PIECE_BYTES},
};

/// Handle to the root directory.
#[derive(Clone, Debug)]
pub struct Directory {
    root: Arc<Path>,
}

/// What a failed file operation means to a caller.
fn explain(error: &io::Error) -> ObjectsError {
    match error.kind() {
        ErrorKind::StorageFull | ErrorKind::QuotaExceeded => ObjectsError::Full,
        ErrorKind::PermissionDenied | ErrorKind::ReadOnlyFilesystem => ObjectsError::Refused(error.to_string()),
        // The key names a folder of other keys, or one of its folders is a key.
        ErrorKind::IsADirectory | ErrorKind::NotADirectory | ErrorKind::AlreadyExists => {
            ObjectsError::Refused(format!("a key cannot be a folder of another: {error}"))
        }
        _ => ObjectsError::Unavailable(error.to_string()),
    }
}

/// Runs file work on a blocking thread. It goes on when the caller is cancelled.
async fn blocking<T: Send + 'static>(work: impl FnOnce() -> io::Result<T> + Send + 'static) -> Result<T> {
    let done = tokio::task::spawn_blocking(work).await;
    done.map_err(|error| ObjectsError::Unavailable(error.to_string()))?.map_err(|error| explain(&error))
}

/// `None` when there is no such file.
fn if_found<T>(result: io::Result<T>) -> io::Result<Option<T>> {
    match result {
        Ok(value) => Ok(Some(value)),
        Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => Ok(None),
        Err(error) => Err(error),
    }
}

fn open_object(path: &Path) -> io::Result<Option<(File, u64)>> {
    let Some(file) = if_found(File::open(path))? else { return Ok(None) };
    let about = file.metadata()?;
    Ok(about.is_file().then_some((file, about.len())))
}

impl Directory {
    pub(super) async fn open(root: &Path) -> Result<Self> {
        let root: Arc<Path> = Arc::from(root);
        let at = root.clone();
        blocking(move || {
            incoming::create_folder(&at.join("stored"))?;
            incoming::create_folder(&at.join("incoming"))?;
            incoming::sweep(&at)
        })
        .await?;
        Ok(Self { root })
    }

    fn path(&self, key: &str) -> Result<PathBuf> {
        check_key(key)?;
        Ok(self.root.join("stored").join(key))
    }

    pub(super) async fn put(&self, key: &str, bytes: Bytes) -> Result<()> {
        let (path, root) = (self.path(key)?, self.root.clone());
        blocking(move || {
            let mut incoming = Incoming::create(&root)?;
            incoming.file().write_all(&bytes)?;
            incoming.publish(&path)
        })
        .await
    }

    pub(super) async fn put_stream(&self, key: &str, mut stream: ByteStream, limit: u64) -> Result<u64> {
        let (path, root) = (self.path(key)?, self.root.clone());
        let mut incoming = blocking(move || Incoming::create(&root)).await?;
        let mut size = 0_u64;
        let mut gathered = BytesMut::with_capacity(PIECE_BYTES);
        loop {
            let piece = stream.next().await.transpose().map_err(ObjectsError::Source)?;
            let ended = piece.is_none();
            let mut direct = Bytes::new();
            if let Some(piece) = piece {
                size = size.saturating_add(piece.len() as u64);
                if size > limit {
                    return Err(ObjectsError::TooLarge { limit });
                }
                if gathered.len() + piece.len() <= PIECE_BYTES {
                    gathered.extend_from_slice(&piece);
                    if gathered.len() < PIECE_BYTES {
                        continue;
                    }
                } else {
                    direct = piece;
                }
            }
            (incoming, gathered) = blocking(move || {
                incoming.file().write_all(&gathered)?;
                incoming.file().write_all(&direct)?;
                gathered.clear();
                Ok((incoming, gathered))
            })
            .await?;
            if ended {
                break;
            }
        }
        blocking(move || incoming.publish(&path)).await?;
        Ok(size)
    }

    pub(super) async fn put_file(&self, key: &str, file: &Path) -> Result<u64> {
        let (path, root) = (self.path(key)?, self.root.clone());
        let (mut source, _) = pieces::open_regular(file).await.map_err(ObjectsError::Source)?;
        blocking(move || {
            let mut incoming = Incoming::create(&root)?;
            // Between two files this is copy_file_range: shares blocks where the file system can.
            let size = io::copy(&mut source, incoming.file())?;
            incoming.publish(&path)?;
            Ok(size)
        })
        .await
    }

    pub(super) async fn get(&self, key: &str) -> Result<Option<Bytes>> {
        let path = self.path(key)?;
        blocking(move || {
            let Some((mut file, size)) = open_object(&path)? else { return Ok(None) };
            let mut bytes = Vec::with_capacity(usize::try_from(size).unwrap_or_default());
            file.read_to_end(&mut bytes)?;
            Ok(Some(Bytes::from(bytes)))
        })
        .await
    }

    pub(super) async fn get_stream(&self, key: &str, offset: u64) -> Result<Option<(u64, ByteStream)>> {
        let path = self.path(key)?;
        let opened = blocking(move || {
            let Some((mut file, size)) = open_object(&path)? else { return Ok(None) };
            file.seek(SeekFrom::Start(offset))?;
            Ok(Some((file, size)))
        });
        let Some((file, size)) = opened.await? else { return Ok(None) };
        let left = size.saturating_sub(offset);
        Ok(Some((size, pieces::of_file(file, left))))
    }

    pub(super) async fn fetch_to_file(&self, key: &str, file: &Path) -> Result<bool> {
        let (path, target) = (self.path(key)?, file.to_owned());
        blocking(move || {
            let Some((mut object, _)) = open_object(&path)? else { return Ok(false) };
            let mut copy = File::create_new(&target)?;
            // A copy and not a hard link: whoever gets the file may write into it.
            io::copy(&mut object, &mut copy).inspect_err(|_| drop(std::fs::remove_file(&target)))?;
            Ok(true)
        })
        .await
    }

    pub(super) async fn size(&self, key: &str) -> Result<Option<u64>> {
        let path = self.path(key)?;
        blocking(move || {
            let about = if_found(std::fs::symlink_metadata(path))?;
            Ok(about.filter(std::fs::Metadata::is_file).map(|about| about.len()))
        })
        .await
    }

    pub(super) async fn ping(&self) -> Result<()> {
        let root = self.root.join("stored");
        blocking(move || root.metadata().map(|_| ())).await
    }

    pub(super) async fn delete(&self, key: &str) -> Result<()> {
        let (path, root) = (self.path(key)?, self.root.clone());
        blocking(move || walk::delete(&path, &root.join("stored"))).await
    }

    pub(super) async fn list(&self, prefix: &str) -> Result<Vec<ObjectInfo>> {
        check_prefix(prefix)?;
        let (root, prefix) = (self.root.join("stored"), prefix.to_owned());
        blocking(move || walk::list(&root, &prefix)).await
    }
}
