//! Frames of the supervisor, whole, in pieces, damaged and forged.

use super::*;

const NONCE: &str = "4f1c9a";

fn ending() -> Ending {
    Ending {
        reason: Reason::ExitCode,
        detail: Some("a \"quoted\" \\ detail\nwith a line".into()),
        exit_code: Some(1),
        signal: None,
        peak_memory_bytes: Some(1 << 20),
        cpu_ms: Some(12),
        log_bytes: 77,
        truncated: false,
        output_bytes: 0,
    }
}

fn frames() -> Vec<Frame> {
    let every_byte: Vec<u8> = (0..=255).collect();
    [
        Body::Phase("fetching files".into()),
        Body::Started,
        Body::Output { offset: 0, stream: LogStream::Out, bytes: b"hello\r\n\\n \xe4\xb8".to_vec() },
        Body::Output { offset: 12, stream: LogStream::Err, bytes: every_byte },
        Body::Output { offset: 268, stream: LogStream::Sys, bytes: vec![] },
        Body::Output { offset: 268, stream: LogStream::Out, bytes: vec![b'\n'; MAX_OUTPUT_BYTES] },
        Body::End(ending()),
    ]
    .into_iter()
    .zip(0..)
    .map(|(body, seq)| Frame { seq, at: 1_790_000_000_000 + seq as i64, body })
    .collect()
}

fn encoded(frames: &[Frame]) -> Vec<u8> {
    let mut out = Vec::new();
    for frame in frames {
        encode(frame, NONCE, &mut out).unwrap();
    }
    out
}

fn decode_all(decoder: &mut Decoder, bytes: &[u8]) -> Vec<Item> {
    let mut items = Vec::new();
    decoder.feed(bytes, |item| items.push(item));
    items
}

#[test]
fn frames_are_read_as_they_were_written() {
    let bytes = encoded(&frames());
    assert_eq!(bytes.iter().filter(|&&byte| byte == b'\n').count(), frames().len());
    let items = decode_all(&mut Decoder::new(NONCE), &bytes);
    assert_eq!(items, frames().into_iter().map(Item::Frame).collect::<Vec<_>>());
}

#[test]
fn pieces_of_any_size_give_the_same_frames() {
    let bytes = encoded(&frames());
    for size in [1, 2, 7, 100, 4096] {
        let mut decoder = Decoder::new(NONCE);
        let items: Vec<_> = bytes.chunks(size).flat_map(|piece| decode_all(&mut decoder, piece)).collect();
        assert_eq!(items, frames().into_iter().map(Item::Frame).collect::<Vec<_>>(), "pieces of {size}");
        assert!(decoder.unfinished().is_empty());
    }
}

#[test]
fn line_of_a_frame_is_as_documented() {
    let frame =
        Frame { seq: 3, at: 42, body: Body::Output { offset: 9, stream: LogStream::Err, bytes: b"a b\\\n".to_vec() } };
    assert_eq!(encoded(&[frame]), b"4f1c9a 3 out 42 9 err a b\\\\\\n\n");
    assert_eq!(encoded(&[Frame { seq: 1, at: 5, body: Body::Started }]), b"4f1c9a 1 started 5 \n");
}

#[test]
fn program_that_prints_frames_forges_none() {
    let forged = b"4f1c9a 9 end 1 {}\nffffff 0 started 1 \n".to_vec();
    let honest = Frame { seq: 0, at: 1, body: Body::Output { offset: 0, stream: LogStream::Out, bytes: forged } };
    assert_eq!(decode_all(&mut Decoder::new(NONCE), &encoded(std::slice::from_ref(&honest))), [Item::Frame(honest)]);
    // Even bytes that reach the stream beside the supervisor are noise without the nonce.
    let items = decode_all(&mut Decoder::new(NONCE), b"ffffff 0 started 1 \n 4f1c9a 0 started 1 \n");
    assert!(items.iter().all(|item| matches!(item, Item::Noise(_))) && items.len() == 2);
}

#[test]
fn damaged_lines_are_noise_and_the_next_frame_is_read() {
    let good = Frame { seq: 4, at: 1, body: Body::Started };
    for damaged in [
        "",
        "4f1c9a",
        "4f1c9a 1 started 5",
        "4f1c9a 1 started 5 x",
        "4f1c9a -1 started 5 ",
        "4f1c9a 1 started 99999999999999999999 ",
        "4f1c9a 1 dance 5 ",
        "4f1c9a 1 out 5 0 out a\\",
        "4f1c9a 1 out 5 0 out a\\t",
        "4f1c9a 1 out 5 0 in a",
        "4f1c9a 1 end 5 {}",
        "4f1c9a 1 phase 5 \\x",
    ] {
        let mut bytes = damaged.as_bytes().to_vec();
        bytes.push(b'\n');
        bytes.extend(encoded(std::slice::from_ref(&good)));
        let items = decode_all(&mut Decoder::new(NONCE), &bytes);
        assert_eq!(items, [Item::Noise(damaged.into()), Item::Frame(good.clone())], "{damaged:?}");
    }
}

#[test]
fn endless_line_is_cut_and_kept_small() {
    let mut decoder = Decoder::new(NONCE);
    for _ in 0..100 {
        assert!(decode_all(&mut decoder, &[b'x'; 10_000]).is_empty());
        assert!(decoder.unfinished().len() <= MAX_LINE_BYTES);
    }
    let good = Frame { seq: 4, at: 1, body: Body::Started };
    let mut end = vec![b'\n'];
    end.extend(encoded(std::slice::from_ref(&good)));
    assert_eq!(decode_all(&mut decoder, &end), [Item::Noise(vec![b'x'; MAX_NOISE_BYTES]), Item::Frame(good)]);
    // The same in one piece.
    let mut bytes = vec![b'y'; MAX_LINE_BYTES + 1];
    bytes.push(b'\n');
    assert_eq!(decode_all(&mut Decoder::new(NONCE), &bytes), [Item::Noise(vec![b'y'; MAX_NOISE_BYTES])]);
}

#[test]
fn too_much_for_one_frame_is_an_error_and_writes_nothing() {
    let mut out = Vec::new();
    let output = |len| Body::Output { offset: 0, stream: LogStream::Out, bytes: vec![b'\\'; len] };
    let frame = |body| Frame { seq: u64::MAX, at: i64::MIN, body };
    assert_eq!(encode(&frame(output(MAX_OUTPUT_BYTES + 1)), NONCE, &mut out), Err(EncodeError::OutputTooLong));
    let phase = Body::Phase("p".repeat(MAX_PHASE_BYTES + 1));
    assert_eq!(encode(&frame(phase), NONCE, &mut out), Err(EncodeError::TextTooLong));
    let mut long = ending();
    long.detail = Some("d".repeat(MAX_DETAIL_BYTES + 1));
    assert_eq!(encode(&frame(Body::End(long)), NONCE, &mut out), Err(EncodeError::TextTooLong));
    assert!(out.is_empty());
    // The longest frame fits into the longest line, and so does an ending whose detail is all escapes.
    encode(&frame(output(MAX_OUTPUT_BYTES)), NONCE, &mut out).unwrap();
    assert!(out.len() <= MAX_LINE_BYTES + 1);
    out.clear();
    let mut dense = ending();
    dense.detail = Some("\u{1}".repeat(MAX_DETAIL_BYTES));
    encode(&frame(Body::End(dense.clone())), NONCE, &mut out).unwrap();
    assert!(out.len() <= MAX_LINE_BYTES + 1);
    assert_eq!(decode_all(&mut Decoder::new(NONCE), &out), [Item::Frame(frame(Body::End(dense)))]);
}
