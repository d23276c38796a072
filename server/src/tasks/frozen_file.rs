//! One file of a run, as it was frozen.

use std::{fs::File, io, io::Read as _, path::Path, sync::Arc};

use bytes::Bytes;
use coderoom_backing::objects::ByteStream;
use coderoom_protocol::problem::{ErrorCode, WireError};
use coderoom_worker::snapshot::{Manifest, ManifestFile};
use futures_util::{StreamExt as _, stream};
use zip::ZipArchive;

use super::{Tasks, failed, receive::not_staged};

impl Tasks {
    /// The content of one file of a manifest. Texts come out of the packed snapshot, blobs out of their objects.
    ///
    /// Waits while as many snapshots are fetched as may be at once. Fails with `not_found` when the snapshot is no longer stored.
    pub async fn frozen_file(&self, manifest: &Manifest, file: &ManifestFile) -> Result<ByteStream, WireError> {
        if let Some(key) = &file.blob_key {
            let found = self.objects.get_stream(key, 0).await.map_err(failed::objects("read a file of a run"))?;
            let (_, bytes) = found.ok_or_else(no_longer_stored)?;
            return Ok(bytes);
        }
        // Kept until the text is out. It fails only when the semaphore is closed, which nobody does.
        let permit = Arc::clone(&self.snapshots).acquire_owned().await.map_err(failed::internal("wait for a turn"))?;
        let staging = tempfile::Builder::new().tempdir_in(&self.settings.staging).map_err(not_staged)?;
        let code = staging.path().join("code.zip");
        let fetched = self.objects.fetch_to_file(&manifest.code_key, &code).await;
        if !fetched.map_err(failed::objects("fetch a snapshot"))? {
            return Err(no_longer_stored());
        }
        let (name, size) = (file.path.clone(), file.size);
        let unpacked = tokio::task::spawn_blocking(move || {
            // The directory goes when the text is out of it.
            let _kept_until_read = (staging, permit);
            unpack(&code, &name, size)
        });
        let text = unpacked.await.map_err(failed::internal("unpack a file of a run"))?;
        let text = text.map_err(failed::internal("unpack a file of a run"))?;
        Ok(stream::iter([Ok(text)]).boxed())
    }
}

/// A text is at most as large as the manifest says, which was checked against the limit for texts when it was made.
fn unpack(code: &Path, name: &str, size: u64) -> io::Result<Bytes> {
    let mut code = ZipArchive::new(io::BufReader::new(File::open(code)?)).map_err(io::Error::from)?;
    let mut text = Vec::new();
    code.by_name(name).map_err(io::Error::from)?.take(size).read_to_end(&mut text)?;
    Ok(text.into())
}

fn no_longer_stored() -> WireError {
    WireError::new(ErrorCode::NotFound, "The files of this run are no longer stored.")
}
