//! Local files as streams of pieces.

use std::{
    fs::File,
    io::{self, ErrorKind, Read},
    os::unix::fs::OpenOptionsExt,
    path::Path,
};

use bytes::Bytes;
use futures_util::{StreamExt, stream};
use rustix::fs::OFlags;

use super::ByteStream;

/// Bytes read or written per trip to the blocking threads; a stream holds about one piece in memory.
pub(super) const PIECE_BYTES: usize = 128 << 10;

/// Opens a regular file that is no link; gives its size too.
pub(super) async fn open_regular(path: &Path) -> io::Result<(File, u64)> {
    let path = path.to_owned();
    let opened = tokio::task::spawn_blocking(move || {
        let mut options = std::fs::OpenOptions::new();
        let flags = i32::try_from((OFlags::NOFOLLOW | OFlags::NONBLOCK).bits()).unwrap_or_default();
        let file = options.read(true).custom_flags(flags).open(path)?;
        let about = file.metadata()?;
        if about.is_file() { Ok((file, about.len())) } else { Err(io::Error::other("not a regular file")) }
    });
    opened.await.map_err(io::Error::other)?
}

/// The content of a regular file that is no link.
pub(super) async fn open_source(path: &Path) -> io::Result<ByteStream> {
    let (file, size) = open_regular(path).await?;
    Ok(of_file(file, size))
}

/// The next `left` bytes of a file.
pub(super) fn of_file(file: File, left: u64) -> ByteStream {
    stream::try_unfold((file, left), read_piece).boxed()
}

/// One piece of a stream and what remains. A file that became shorter is an error, never a short object.
async fn read_piece((mut file, left): (File, u64)) -> io::Result<Option<(Bytes, (File, u64))>> {
    if left == 0 {
        return Ok(None);
    }
    let read = tokio::task::spawn_blocking(move || {
        let wanted = left.min(PIECE_BYTES as u64);
        let mut piece = Vec::with_capacity(PIECE_BYTES.min(usize::try_from(wanted).unwrap_or(PIECE_BYTES)));
        let got = (&mut file).take(wanted).read_to_end(&mut piece)?;
        if (got as u64) < wanted {
            return Err(ErrorKind::UnexpectedEof.into());
        }
        Ok(Some((Bytes::from(piece), (file, left - wanted))))
    });
    read.await.map_err(io::Error::other)?
}
