//! Archives of real writers, hostile ones, and mutations of both: each is read whole or refused. The seeds are in
//! `server/corpus/archives`.

use std::{collections::BTreeSet, fs, sync::LazyLock};

use proptest::{prelude::*, sample::Index};
use tempfile::TempDir;

use super::*;

/// All seeds by name.
static CORPUS: LazyLock<Vec<(String, Vec<u8>)>> = LazyLock::new(|| {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/corpus/archives");
    let paths = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let mut seeds: Vec<_> = paths
        .map(|path| (path.file_name().unwrap().to_string_lossy().into_owned(), fs::read(&path).unwrap()))
        .collect();
    seeds.sort();
    seeds
});

/// The seeds whose names begin so.
fn seeds(kind: &str) -> Vec<&'static (String, Vec<u8>)> {
    let seeds: Vec<_> = CORPUS.iter().filter(|(name, _)| name.starts_with(kind)).collect();
    assert!(seeds.len() > 5, "the corpus has archives that are {kind}");
    seeds
}

/// Everything an archive has, or why it is refused.
fn read(archive: &[u8], settings: &TaskSettings) -> Result<Vec<(String, Vec<u8>)>, WireError> {
    let at = settings.staging.join("archive.zip");
    fs::write(&at, archive).unwrap();
    let files = list(&at, None, settings)?;
    let mut read = Vec::new();
    read_files(&at, &files, settings, |position, received| {
        assert_eq!(position, read.len(), "files come in their order");
        let content = match &received.held {
            Held::Memory(bytes) => bytes.to_vec(),
            Held::File(path) => fs::read(path).unwrap(),
        };
        let file = &files[position];
        assert_eq!((content.len() as u64, received.size), (file.size, file.size), "it is as long as it was listed");
        assert_eq!(received.sha256, hex::encode(Sha256::digest(&content)));
        read.push((file.path.as_str().to_owned(), content));
        true
    })?;
    Ok(read)
}

#[test]
fn archives_of_real_writers_have_the_same_files() {
    let staging = TempDir::new().unwrap();
    let settings = TaskSettings::new(staging.path().to_path_buf());
    let expected: [(&str, Vec<u8>); 5] = [
        ("empty.txt", Vec::new()),
        ("picture.bin", (0..=255).collect::<Vec<u8>>().repeat(3)),
        ("run.py", b"print('hello')\n".to_vec()),
        ("src/lib.py", b"def double(x):\n    return 2 * x\n".repeat(40)),
        ("源码/数据.txt", "文字\n".into()),
    ];
    for (name, archive) in seeds("good-") {
        let mut files = read(archive, &settings).unwrap_or_else(|error| panic!("{name}: {error:?}"));
        files.sort();
        assert_eq!(files, expected.clone().map(|(path, content)| (path.to_owned(), content)), "{name}");
    }
}

#[test]
fn hostile_archives_are_refused_as_what_they_are() {
    let staging = TempDir::new().unwrap();
    let settings = TaskSettings::new(staging.path().to_path_buf());
    for (name, archive) in seeds("bad-") {
        match read(archive, &settings) {
            Ok(files) => panic!("{name} was taken: {} files", files.len()),
            Err(error) => assert_eq!(error.code, ErrorCode::BadArchive, "{name}: {}", error.message),
        }
    }
}

/// Numbers that break careless readers, as four bytes: the ends of 0, 16, 31 and 32 bits.
const NUMBERS: [u32; 6] = [0, 1, 0xffff, 0x7fff_ffff, 0xffff_fffe, 0xffff_ffff];

/// What is done at one place.
#[derive(Clone, Copy, Debug)]
enum Change {
    /// One bit is turned.
    Turn(u8),
    /// Four bytes become a number.
    Put(u32),
    /// So many bytes go.
    Cut(usize),
    /// So many bytes come twice.
    Double(usize),
    /// The archive ends there.
    End,
}

fn change() -> impl Strategy<Value = Change> {
    prop_oneof![
        6 => (0..8_u8).prop_map(Change::Turn),
        6 => prop::sample::select(NUMBERS.to_vec()).prop_map(Change::Put),
        2 => (1..64_usize).prop_map(Change::Cut),
        2 => (1..64_usize).prop_map(Change::Double),
        1 => Just(Change::End),
    ]
}

fn mutate(archive: &mut Vec<u8>, at: Index, change: Change) {
    if archive.is_empty() {
        return;
    }
    let at = at.index(archive.len());
    let whole = archive.len();
    let end = |length: usize| (at + length).min(whole);
    match change {
        Change::Turn(bit) => archive[at] ^= 1 << bit,
        Change::Put(number) => archive[at..end(4)].copy_from_slice(&number.to_le_bytes()[..end(4) - at]),
        Change::Cut(length) => {
            archive.drain(at..end(length));
        }
        Change::Double(length) => {
            let doubled = archive[at..end(length)].to_vec();
            archive.splice(at..at, doubled);
        }
        Change::End => archive.truncate(at),
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1_500))]

    /// Never a panic, never more than the limits, never an error that is said to be ours.
    #[test]
    fn mutated_archives_are_read_whole_or_refused(
        seed in any::<Index>(),
        changes in prop::collection::vec((any::<Index>(), change()), 1..4),
    ) {
        let staging = TempDir::new().unwrap();
        let mut settings = TaskSettings::new(staging.path().to_path_buf());
        (settings.max_text_bytes, settings.max_task_bytes, settings.max_files) = (1_000, 1 << 20, 20);
        let mut archive = seed.get(&CORPUS).1.clone();
        for (at, change) in changes {
            mutate(&mut archive, at, change);
        }
        match read(&archive, &settings) {
            Ok(files) => {
                let bytes: usize = files.iter().map(|(_, content)| content.len()).sum();
                prop_assert!(files.len() as u64 <= settings.max_files && bytes as u64 <= settings.max_task_bytes);
                let keys: BTreeSet<_> = files.iter().map(|(path, _)| TaskPath::parse(path).unwrap().key()).collect();
                prop_assert_eq!(keys.len(), files.len(), "no two files are one");
            }
            Err(error) => prop_assert!(
                matches!(error.code, ErrorCode::BadArchive | ErrorCode::TooManyFiles | ErrorCode::TaskTooLarge),
                "{error:?}"
            ),
        }
    }
}
