//! Streams that are cut, repeated and torn anywhere give each frame once and in order.

use coderoom_protocol::{
    control::LogStream,
    supervisor::{Body, encode},
};
use proptest::prelude::*;

use super::*;

const NONCE: &str = "0123456789abcdef";

fn frame(seq: u64, bytes: &[u8]) -> Frame {
    Frame { seq, at: 5, body: Body::Output { offset: 0, stream: LogStream::Out, bytes: bytes.to_vec() } }
}

/// Lines of a log: every third frame begins a new second.
fn log(count: u64) -> Vec<Vec<u8>> {
    (0..count)
        .map(|seq| {
            let mut line = format!("2026-11-22T06:{:02}:{:02}.{:09}Z ", seq / 180, seq / 3 % 60, seq % 3).into_bytes();
            encode(&frame(seq, b"a \\ b\nc\xff"), NONCE, &mut line).unwrap();
            line
        })
        .collect()
}

/// What the API gives from the second on in which the resume stands.
fn since(lines: &[Vec<u8>], resume: &Resume) -> usize {
    let Some(since) = resume.since() else { return 0 };
    lines.iter().position(|line| line.starts_with(since.as_bytes())).unwrap_or(lines.len())
}

/// Reads `bytes` in pieces of `piece` until a hole.
fn read(resume: &mut Resume, bytes: &[u8], piece: usize, complete: bool, seen: &mut Vec<u64>) -> bool {
    let mut lines = Lines::default();
    let mut whole = true;
    for piece in bytes.chunks(piece.max(1)) {
        whole = lines.feed(piece, |line| match resume.take(line, complete) {
            Taken::Frame(frame) => {
                seen.push(frame.seq);
                true
            }
            Taken::Nothing => true,
            Taken::Hole => false,
        });
        if !whole {
            break;
        }
    }
    whole
}

proptest! {
    /// A follow that is cut after any byte and resumed at the whole second loses and doubles nothing.
    #[test]
    fn cut_streams_lose_and_double_nothing(count in 1_u64..200, cuts in prop::collection::vec((0.0_f64..1.0, 1_usize..300), 0..8)) {
        let lines = log(count);
        let (mut resume, mut seen) = (Resume::new(NONCE), Vec::new());
        for (share, piece) in cuts {
            let rest = lines[since(&lines, &resume)..].concat();
            let cut = (rest.len() as f64 * share) as usize;
            prop_assert!(read(&mut resume, &rest[..cut], piece, false, &mut seen));
        }
        let rest = lines[since(&lines, &resume)..].concat();
        prop_assert!(read(&mut resume, &rest, 64, false, &mut seen));
        prop_assert_eq!(seen, (0..count).collect::<Vec<_>>());
        prop_assert_eq!(resume.lost(), 0);
    }

    /// A follow that skips lines is noticed at the first line after them, and reading the whole log heals it.
    #[test]
    fn skipped_lines_are_noticed_and_asked_for(count in 2_u64..200, from in 0.0_f64..1.0, skip in 1_u64..50, piece in 1_usize..200) {
        let lines = log(count);
        let from = ((count - 1) as f64 * from) as u64;
        let to = (from + skip).min(count);
        let stream = [&lines[..from as usize], &lines[to as usize..]].concat().concat();
        let (mut resume, mut seen) = (Resume::new(NONCE), Vec::new());
        let whole = read(&mut resume, &stream, piece, false, &mut seen);
        prop_assert_eq!(whole, to == count);
        prop_assert_eq!(resume.next_seq(), from);
        prop_assert!(read(&mut resume, &lines.concat(), piece, true, &mut seen));
        prop_assert_eq!(seen, (0..count).collect::<Vec<_>>());
        prop_assert_eq!(resume.lost(), 0);
    }

    /// What a rotation took away is counted, and the rest comes.
    #[test]
    fn rotated_lines_are_counted_as_lost(count in 2_u64..200, from in 0.0_f64..1.0, to in 0.0_f64..1.0) {
        let lines = log(count);
        let from = ((count - 1) as f64 * from) as u64;
        let to = from + ((count - from) as f64 * to) as u64;
        let (mut resume, mut seen) = (Resume::new(NONCE), Vec::new());
        read(&mut resume, &lines[..from as usize].concat(), 100, false, &mut seen);
        read(&mut resume, &lines[to as usize..].concat(), 100, true, &mut seen);
        prop_assert_eq!(seen, (0..from).chain(to..count).collect::<Vec<_>>());
        prop_assert_eq!(resume.lost(), if to == count { 0 } else { to - from });
    }

    /// Whatever comes, nothing panics and nothing is taken for a frame.
    #[test]
    fn noise_is_no_frame(bytes in prop::collection::vec(any::<u8>(), 0..2000), piece in 1_usize..300) {
        let (mut resume, mut seen) = (Resume::new(NONCE), Vec::new());
        read(&mut resume, &bytes, piece, true, &mut seen);
        prop_assert!(seen.is_empty());
    }
}

#[test]
fn kubelets_excuse_for_an_evicted_pod_is_not_output() {
    let mut resume = Resume::new(NONCE);
    let line = b"unable to retrieve container logs for containerd://0123456789abcdef";
    assert_eq!(resume.take(line, true), Taken::Nothing);
    assert_eq!(resume.last_words(), None);
}

#[test]
fn supervisors_last_words_are_kept() {
    let mut resume = Resume::new(NONCE);
    let line = b"2026-11-22T06:29:29.123456789Z coderoom-supervisor: decode spec: EOF";
    assert_eq!(resume.take(line, false), Taken::Nothing);
    assert_eq!(resume.last_words(), Some("coderoom-supervisor: decode spec: EOF"));
}

#[test]
fn frame_of_another_nonce_is_noise() {
    let mut line = b"2026-11-22T06:29:29.123456789Z ".to_vec();
    encode(&frame(0, b"x"), "fedcba9876543210", &mut line).unwrap();
    assert_eq!(Resume::new(NONCE).take(&line, true), Taken::Nothing);
}

#[test]
fn endless_line_stays_bounded() {
    let mut lines = Lines::default();
    for _ in 0..1000 {
        lines.feed(&[b'x'; 10_000], |_| true);
    }
    assert!(lines.line.capacity() < 4 * MAX_LINE_BYTES);
    let mut lengths = Vec::new();
    lines.feed(b"\nshort\n", |line| {
        lengths.push(line.len());
        true
    });
    assert_eq!(lengths, [MAX_STAMP_BYTES + MAX_LINE_BYTES + 1, 5]);
}
