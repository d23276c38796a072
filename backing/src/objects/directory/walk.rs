//! Listing and deleting below `stored/`. Others may delete and write at the same time: what vanishes is skipped.

use std::{
    io::{self, ErrorKind},
    path::Path,
    time::UNIX_EPOCH,
};

use super::if_found;
use crate::objects::ObjectInfo;

/// All objects in the folder `prefix` (empty, or ending in `/`) below `root`, ordered by key.
pub(super) fn list(root: &Path, prefix: &str) -> io::Result<Vec<ObjectInfo>> {
    let mut found = Vec::new();
    let mut folders = vec![prefix.to_owned()];
    while let Some(folder) = folders.pop() {
        let Some(entries) = if_found(std::fs::read_dir(root.join(&folder)))? else { continue };
        for entry in entries {
            let entry = entry?;
            let Ok(name) = entry.file_name().into_string() else { continue };
            let Some(about) = if_found(entry.metadata())? else { continue };
            let key = format!("{folder}{name}");
            if about.is_dir() {
                folders.push(key + "/");
            } else if about.is_file() {
                let modified = about.modified()?.duration_since(UNIX_EPOCH).unwrap_or_default();
                let modified_ms = i64::try_from(modified.as_millis()).unwrap_or(i64::MAX);
                found.push(ObjectInfo { key, size: about.len(), modified_ms });
            }
        }
    }
    found.sort_unstable_by(|a, b| a.key.cmp(&b.key));
    Ok(found)
}

/// Removes the file, and the folders above it that are empty now, up to `root`.
pub(super) fn delete(path: &Path, root: &Path) -> io::Result<()> {
    match std::fs::remove_file(path) {
        Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => return Ok(()),
        // A folder of other keys: there is no object of this name.
        Err(error)
            if matches!(error.kind(), ErrorKind::IsADirectory | ErrorKind::PermissionDenied) && path.is_dir() =>
        {
            return Ok(());
        }
        result => result?,
    }
    for folder in path.ancestors().skip(1).take_while(|folder| *folder != root) {
        // Fails when it is not empty, or somebody else removed it: either way nothing is left to do.
        if std::fs::remove_dir(folder).is_err() {
            break;
        }
    }
    Ok(())
}
