//! Packs what the program left in `output/`. Runs inside the box when no process of the user is left: regular files only,
//! no link is followed, bounded in files, in bytes read and in bytes packed. Names that mean something else where the archive is
//! unpacked are left out.

use std::{
    cell::Cell,
    fs::File,
    io::{self, Read, Seek, SeekFrom, Write},
    path::Path,
    rc::Rc,
};

use rustix::fs::{FileType, Mode, OFlags, fstat, open};
use zip::{CompressionMethod, ZipWriter, write::SimpleFileOptions};

/// Most files in the archive.
pub const MAX_FILES: usize = 10_000;
/// Most folders above a file.
const MAX_DEPTH: usize = 32;
/// What the archive's directory needs for a file beside twice its name, at most.
const DIRECTORY_ENTRY_BYTES: u64 = 160;

/// What became of `output/`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Collected {
    /// Files in the archive.
    pub files: usize,
    /// What was left out: too large, too many, not regular, unreadable.
    pub left_out: usize,
    /// Bytes of the archive; 0 when there was nothing to collect.
    pub bytes: u64,
}

/// Packs `folder` into `archive`, an empty file, reading at most `max_read` bytes and packing at most `max_packed`.
pub fn collect(folder: &Path, archive: File, max_read: u64, max_packed: u64) -> io::Result<Collected> {
    let (mut found, mut left_out) = (Vec::new(), 0);
    walk(folder, "", 0, &mut found, &mut left_out);
    found.sort();
    let mut collected = Collected { files: 0, left_out, bytes: 0 };
    if found.is_empty() {
        return Ok(collected);
    }
    let max = Rc::new(Cell::new(u64::MAX));
    // The same open file: what an abandoned entry left behind its end is cut off.
    let mut same = archive.try_clone()?;
    let mut zip = ZipWriter::new(Bounded { file: archive, max: Rc::clone(&max) });
    let (mut read_left, mut packed_left) = (max_read, max_packed);
    for name in found {
        let directory_entry = DIRECTORY_ENTRY_BYTES + 2 * name.len() as u64;
        let source = open_regular(folder, &name, read_left).filter(|_| packed_left > directory_entry);
        let Some((source, size)) = source else {
            collected.left_out += 1;
            continue;
        };
        packed_left -= directory_entry;
        let options = SimpleFileOptions::default()
            .compression_method(CompressionMethod::Deflated)
            .large_file(size >= u64::from(u32::MAX))
            .unix_permissions(0o644);
        zip.start_file(name, options).map_err(io::Error::other)?;
        // Only this copy is bounded: what the archive needs to stay whole must not fail half-way.
        max.set(packed_left);
        let copied = io::copy(&mut source.take(size), &mut zip);
        max.set(u64::MAX);
        if copied.is_err() {
            // The archive goes back to where it was before this file.
            zip.abort_file().map_err(io::Error::other)?;
            let end = same.stream_position()?;
            same.set_len(end)?;
            collected.left_out += 1;
        } else {
            read_left -= size;
            collected.files += 1;
        }
    }
    let mut file = zip.finish().map_err(io::Error::other)?.file;
    if collected.files == 0 {
        file.set_len(0)?;
        return Ok(collected);
    }
    let end = file.stream_position()?;
    file.set_len(end)?;
    collected.bytes = end;
    Ok(collected)
}

/// Lists regular files as paths below `folder`. Names that are not UTF-8 or not plain are left out.
fn walk(folder: &Path, prefix: &str, depth: usize, found: &mut Vec<String>, left_out: &mut usize) {
    let real = folder.symlink_metadata().is_ok_and(|meta| meta.is_dir());
    let Some(entries) = real.then(|| std::fs::read_dir(folder).ok()).flatten() else { return };
    for entry in entries.flatten() {
        let Ok(kind) = entry.file_type() else { continue };
        let name = entry.file_name();
        let name = name
            .to_str()
            .filter(|name| is_plain(name, depth))
            .filter(|_| found.len() < MAX_FILES && *left_out < MAX_FILES);
        match name {
            Some(name) if kind.is_dir() && depth < MAX_DEPTH => {
                walk(&entry.path(), &format!("{prefix}{name}/"), depth + 1, found, left_out);
            }
            Some(name) if kind.is_file() => found.push(format!("{prefix}{name}")),
            _ => *left_out += 1,
        }
        if *left_out >= MAX_FILES {
            return;
        }
    }
}

/// Whether a name is one name everywhere: no separator and no drive of Windows (`..\evil.bat`, `C:evil.bat`), nothing that a terminal
/// obeys when the archive is listed.
fn is_plain(name: &str, depth: usize) -> bool {
    let is_drive = depth == 0 && name.as_bytes().get(1) == Some(&b':') && name.as_bytes()[0].is_ascii_alphabetic();
    !is_drive && !name.chars().any(|c| c == '\\' || c.is_control())
}

/// Opens a regular file of at most `max_read` bytes; gives its size.
fn open_regular(folder: &Path, name: &str, max_read: u64) -> Option<(File, u64)> {
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
    let source = open(folder.join(name), flags, Mode::empty()).ok()?;
    let stat = fstat(&source).ok()?;
    let size = u64::try_from(stat.st_size).ok()?;
    let fine = FileType::from_raw_mode(stat.st_mode) == FileType::RegularFile && size <= max_read;
    fine.then(|| (File::from(source), size))
}

/// A file that refuses to grow beyond `max` bytes.
struct Bounded {
    file: File,
    /// Also held by the loop over the files, which changes it.
    max: Rc<Cell<u64>>,
}

impl Write for Bounded {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.file.stream_position()?.saturating_add(bytes.len() as u64) > self.max.get() {
            return Err(io::Error::other("archive is full"));
        }
        self.file.write(bytes)
    }
    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

impl Read for Bounded {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.file.read(buffer)
    }
}

impl Seek for Bounded {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        self.file.seek(to)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn archive_of(folder: &Path, max_read: u64, max_packed: u64) -> (Collected, Vec<(String, u64)>) {
        let mut file = tempfile::tempfile().unwrap();
        let collected = collect(folder, file.try_clone().unwrap(), max_read, max_packed).unwrap();
        assert_eq!(file.metadata().unwrap().len(), collected.bytes);
        if collected.bytes == 0 {
            return (collected, Vec::new());
        }
        file.rewind().unwrap();
        let mut zip = zip::ZipArchive::new(file).unwrap();
        let names = (0..zip.len()).map(|index| {
            let mut entry = zip.by_index(index).unwrap();
            let size = io::copy(&mut entry, &mut io::sink()).unwrap();
            (entry.name().unwrap().into_owned(), size)
        });
        (collected, names.collect())
    }

    #[test]
    fn only_regular_files_are_collected() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir_all(folder.path().join("a/b")).unwrap();
        std::fs::write(folder.path().join("a/b/c.txt"), "12345").unwrap();
        std::fs::write(folder.path().join("z.txt"), "").unwrap();
        std::os::unix::fs::symlink("/etc/passwd", folder.path().join("link")).unwrap();
        std::os::unix::fs::symlink("/etc", folder.path().join("folder")).unwrap();
        rustix::fs::mkfifoat(rustix::fs::CWD, folder.path().join("fifo"), Mode::RUSR).unwrap();
        let (collected, names) = archive_of(folder.path(), 1 << 20, 1 << 20);
        assert_eq!(names, [("a/b/c.txt".to_owned(), 5), ("z.txt".to_owned(), 0)]);
        assert_eq!((collected.files, collected.left_out), (2, 3));
    }

    #[test]
    fn names_that_mean_something_else_elsewhere_are_left_out() {
        let folder = tempfile::tempdir().unwrap();
        let names = [r"..\..\evil.bat", r"C:\x", "C:x", "\u{1b}[2J", "two\nlines", "12:30.txt", "ü.txt", "a/..\\b"];
        std::fs::create_dir(folder.path().join("a")).unwrap();
        for name in names {
            std::fs::write(folder.path().join(name), "1").unwrap();
        }
        let (collected, names) = archive_of(folder.path(), 1 << 20, 1 << 20);
        assert_eq!(names, [("12:30.txt".to_owned(), 1), ("ü.txt".to_owned(), 1)]);
        assert_eq!((collected.files, collected.left_out), (2, 6));
    }

    #[test]
    fn what_does_not_fit_is_left_out_and_the_rest_is_whole() {
        let folder = tempfile::tempdir().unwrap();
        let noise: Vec<u8> = (0..500_000_u32).flat_map(|n| n.wrapping_mul(2_654_435_761).to_le_bytes()).collect();
        std::fs::write(folder.path().join("1.txt"), "first").unwrap();
        std::fs::write(folder.path().join("2.bin"), &noise).unwrap();
        File::create(folder.path().join("3.sparse")).unwrap().set_len(1 << 40).unwrap();
        std::fs::write(folder.path().join("4.txt"), "last").unwrap();
        let (collected, names) = archive_of(folder.path(), 1 << 30, 100_000);
        assert_eq!(names, [("1.txt".to_owned(), 5), ("4.txt".to_owned(), 4)]);
        assert_eq!(collected.left_out, 2);
        assert!(collected.bytes <= 100_000);
    }

    #[test]
    fn missing_empty_and_linked_folders_give_nothing() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(archive_of(&folder.path().join("none"), 100, 100).0, Collected::default());
        assert_eq!(archive_of(folder.path(), 100, 100).0, Collected::default());
        std::os::unix::fs::symlink("/etc", folder.path().join("output")).unwrap();
        assert_eq!(archive_of(&folder.path().join("output"), 1000, 1000).0, Collected::default());
    }
}
