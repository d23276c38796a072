//! Receives uploaded bytes with flat memory: as much as a text may have stays in memory, the rest goes to a temporary
//! file, and the hash grows on the way.

use std::{io, path::Path};

use bytes::Bytes;
use coderoom_protocol::problem::{ErrorCode, WireError};
use futures_util::{Stream, StreamExt as _};
use sha2::{Digest, Sha256};
use tempfile::{NamedTempFile, TempPath};
use tokio::io::AsyncWriteExt as _;

use super::{Tasks, failed};

/// Bytes that were received whole.
#[derive(Debug)]
pub(super) struct Received {
    /// Their number.
    pub(super) size: u64,
    /// Lower-case hexadecimal.
    pub(super) sha256: String,
    /// Where they are.
    pub(super) held: Held,
}

/// Where received bytes wait.
#[derive(Debug)]
pub(super) enum Held {
    /// They are few.
    Memory(Bytes),
    /// In a file of ours that goes when this is dropped.
    File(TempPath),
}

impl Received {
    /// The content as text, when it is UTF-8 and small enough to be held in memory; else itself.
    pub(super) fn into_text(self) -> Result<String, Self> {
        let Self { size, sha256, held } = self;
        match held {
            Held::Memory(bytes) => String::from_utf8(bytes.into()).map_err(|error| {
                let held = Held::Memory(error.into_bytes().into());
                Self { size, sha256, held }
            }),
            held @ Held::File(_) => Err(Self { size, sha256, held }),
        }
    }
}

impl Tasks {
    /// Receives a stream of at most `limit` bytes; what `too_large` makes is the error beyond that.
    pub(super) async fn receive(
        &self,
        mut stream: impl Stream<Item = io::Result<Bytes>> + Send + Unpin,
        limit: u64,
        too_large: impl FnOnce() -> WireError,
    ) -> Result<Received, WireError> {
        let in_memory = self.settings.max_text_bytes;
        let mut hash = Sha256::new();
        let mut size = 0;
        let mut memory = Vec::new();
        let mut file = None;
        while let Some(piece) = stream.next().await {
            let piece = piece.map_err(broke_off)?;
            size += piece.len() as u64;
            if size > limit {
                return Err(too_large());
            }
            hash.update(&piece);
            if file.is_none() && size > in_memory {
                let (mut opened, path) = open(&self.settings.staging)?;
                opened.write_all(&memory).await.map_err(not_staged)?;
                memory = Vec::new();
                file = Some((opened, path));
            }
            match &mut file {
                Some((file, _)) => file.write_all(&piece).await.map_err(not_staged)?,
                None => memory.extend_from_slice(&piece),
            }
        }
        let held = match file {
            None => Held::Memory(memory.into()),
            Some((mut file, path)) => {
                file.flush().await.map_err(not_staged)?;
                Held::File(path)
            }
        };
        Ok(Received { size, sha256: hex::encode(hash.finalize()), held })
    }

    /// Makes the directory for uploads, and removes what a crash left there. For the start, before the first upload.
    pub async fn prepare_staging(&self) -> io::Result<()> {
        let staging = self.settings.staging.clone();
        tokio::fs::create_dir_all(&staging).await?;
        let mut left = tokio::fs::read_dir(&staging).await?;
        while let Some(entry) = left.next_entry().await? {
            if entry.file_type().await?.is_file() {
                tokio::fs::remove_file(entry.path()).await?;
            }
        }
        Ok(())
    }
}

/// A new temporary file.
pub(super) fn open(staging: &Path) -> Result<(tokio::fs::File, TempPath), WireError> {
    let (file, path) = NamedTempFile::new_in(staging).map_err(not_staged)?.into_parts();
    Ok((tokio::fs::File::from_std(file), path))
}

/// The upload could not be kept on this machine.
pub(super) fn not_staged(error: io::Error) -> WireError {
    if error.kind() == io::ErrorKind::StorageFull {
        tracing::warn!(%error, "no room for an upload");
        return WireError::new(
            ErrorCode::NotStored,
            "The server has no room for uploads at the moment; nothing was changed. Try again later.",
        );
    }
    failed::internal("keep an upload")(error)
}

/// The sender went away, or what receives for them says why it goes no further.
pub(super) fn broke_off(error: io::Error) -> WireError {
    let why = error.into_inner().and_then(|why| why.downcast::<WireError>().ok());
    why.map_or_else(|| WireError::new(ErrorCode::BadRequest, BROKE_OFF), |why| *why)
}

const BROKE_OFF: &str = "The upload broke off before its end; nothing was changed. Send it again.";
