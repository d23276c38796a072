//! Tests: everything genuine passes, and nothing that is mutated makes a reader panic.
//!
//! Each run has its own seed, which a failing test prints; `CODEROOM_SEED` replays it.

mod corpus;
mod mutate;

use yrs::{ReadTxn, Transact, Update, updates::decoder::Decode};

use self::mutate::Mutator;
use crate::{
    awareness,
    control::{ClientMessage, LogStream},
    frame::{ClientFrame, ClientPayload, SyncMessage, as_client, parse_frame},
    gate::{self, StateVector},
    path::{MAX_COMPONENT_BYTES, MAX_PATH_BYTES, TaskPath},
    random_edits::{apply, document, state_of, text_of},
    split::split_update,
    supervisor::{self, Body, Decoder, Frame, Item, MAX_LINE_BYTES},
    y_frame::parse_y_frame,
};

/// Mutated inputs for each reader and run.
const INPUTS: usize = 10_000;

fn vector_of(doc: &yrs::Doc) -> StateVector {
    doc.transact().state_vector().iter().map(|(client, clock)| (client.get(), *clock)).collect()
}

#[test]
fn every_update_of_a_yjs_session_passes_and_gives_its_text() {
    let (doc, mut accepted) = (document(5), StateVector::default());
    for update in corpus::updates() {
        let facts = gate::check(update, |client| accepted.get(client)).unwrap();
        accepted.accept(&facts);
        apply(&doc, update);
    }
    assert_eq!(text_of(&doc), corpus::TEXT);
    assert_eq!(vector_of(&doc), accepted);
}

#[test]
fn every_state_of_a_yjs_session_passes_or_asks_for_more() {
    let mut whole = 0;
    for state in corpus::states() {
        match gate::check(state, |_| 0) {
            Ok(facts) => {
                whole += 1;
                let (one, parts) = (document(5), document(6));
                apply(&one, state);
                let mut accepted = StateVector::default();
                for part in split_update(&bytes::Bytes::from_static(state), 500) {
                    accepted.accept(&gate::check(&part, |client| accepted.get(client)).unwrap());
                    apply(&parts, &part);
                }
                assert_eq!(text_of(&one), text_of(&parts));
                assert!(facts.writers.iter().all(|writer| accepted.get(writer.client) == writer.end));
            }
            // A difference for somebody who had a part already.
            Err(refusal) => assert!(refusal.needs_resync(), "{refusal}"),
        }
    }
    assert!(whole >= 5, "only {whole} whole states passed");
}

#[test]
fn genuine_vectors_and_presence_are_read_and_written_alike() {
    for bytes in corpus::state_vectors() {
        assert_eq!(StateVector::parse(bytes).unwrap().encode(), bytes);
    }
    for bytes in corpus::awareness() {
        let entries = awareness::parse(bytes).unwrap();
        let mut out = Vec::new();
        awareness::encode(&mut out, entries.iter().copied());
        assert_eq!(out, bytes);
    }
}

#[test]
fn accepted_mutations_apply_encode_and_reload() {
    let updates = corpus::updates();
    let mut mutator = Mutator::new(&updates);
    // A document in the middle of the session: the next updates are ahead of it, the earlier ones behind.
    let base = document(5);
    for update in &updates[..60] {
        apply(&base, update);
    }
    let (base_state, known) = (state_of(&base), vector_of(&base));
    let mut accepted = 0;
    for _ in 0..INPUTS {
        // Half of the seeds near the point where the document stands, so that many pass.
        let input = if mutator.chance(2) { mutator.mutate_near(58..66) } else { mutator.mutate() };
        let Ok(facts) = gate::check(&input, |client| known.get(client)) else { continue };
        accepted += 1;
        assert!(facts.inserted_bytes <= input.len() as u64 && facts.blocks as usize <= input.len());
        let doc = document(6);
        apply(&doc, &base_state);
        let update = Update::decode_v1(&input).expect("yrs reads what the gate lets pass");
        doc.transact_mut().apply_update(update).expect("yrs applies what the gate lets pass");
        let mut vector = known.clone();
        vector.accept(&facts);
        assert_eq!(vector_of(&doc), vector, "the gate knows which clocks are written");
        assert!(!doc.transact().has_missing_updates(), "nothing is pending");
        let reloaded = document(7);
        apply(&reloaded, &state_of(&doc));
        assert_eq!(vector_of(&reloaded), vector);
    }
    assert!(accepted > INPUTS / 100, "only {accepted} mutations passed, which proves little");
}

#[test]
fn readers_step_2_of_mutations_never_panics() {
    let states = corpus::states();
    let mut mutator = Mutator::new(&states);
    for _ in 0..INPUTS {
        let input = mutator.mutate();
        if let Ok(facts) = gate::check(&input, |_| 300) {
            assert_eq!(facts.deletes(&input).count(), facts.delete_ranges as usize);
            // Whatever bytes it is asked about.
            let _ = facts.deletes(&mutator.mutate()).count();
            let parts = split_update(&bytes::Bytes::from(input), 200);
            assert!(!parts.is_empty());
        } else {
            let _ = split_update(&bytes::Bytes::from(input), 200);
        }
    }
}

#[test]
fn mutated_state_vectors_never_panic() {
    let seeds = corpus::state_vectors();
    let mut mutator = Mutator::new(&seeds);
    for _ in 0..INPUTS {
        let input = mutator.mutate();
        if let Ok(vector) = StateVector::parse(&input) {
            assert!(vector.len() <= input.len() / 2);
            assert_eq!(StateVector::parse(&vector.encode()), Ok(vector));
        }
    }
}

#[test]
fn mutated_presence_never_panics() {
    let seeds = corpus::awareness();
    let mut mutator = Mutator::new(&seeds);
    for _ in 0..INPUTS {
        let input = mutator.mutate();
        if let Ok(entries) = awareness::parse(&input) {
            let mut out = Vec::new();
            awareness::encode(&mut out, entries.iter().copied());
            assert_eq!(awareness::parse(&out), Ok(entries));
        }
    }
}

#[test]
fn mutated_frames_never_panic() {
    let mut seeds = vec![
        as_client::auth("0199f7a4-7c1e-7b57-8cfb-5d8d51f0a001", "token", Some("4.8.0")),
        as_client::stateless("@task", r#"{"id":"c1","type":"ping"}"#),
        as_client::query_awareness("/源码/main.py\0k3x9"),
        as_client::close("@task"),
        vec![9],
        vec![10],
    ];
    for update in corpus::updates().into_iter().take(20) {
        seeds.push(as_client::sync("/run.py", SyncMessage::Update(update)));
    }
    for presence in corpus::awareness() {
        seeds.push(as_client::awareness("@task", presence));
    }
    let seeds: Vec<&[u8]> = seeds.iter().map(Vec::as_slice).collect();
    let mut mutator = Mutator::new(&seeds);
    let mut read = 0;
    for _ in 0..INPUTS {
        let input = mutator.mutate();
        if let Ok(ClientFrame::Message { address, message }) = parse_frame(&input) {
            read += 1;
            let _ = crate::address::Address::parse(address);
            if let ClientPayload::Sync(sync) = message {
                assert_eq!(parse_frame(&as_client::sync(address, sync)).ok(), parse_frame(&input).ok());
            }
        }
        let _ = parse_y_frame(&input);
        let _ = as_client::parse_server_frame(&input);
    }
    assert!(read > INPUTS / 100, "only {read} mutations were read");
}

#[test]
fn mutated_control_messages_never_panic_and_say_the_same_again() {
    let seeds = corpus::control();
    for seed in &seeds {
        assert!(serde_json::from_slice::<ClientMessage>(seed).is_ok(), "{}", String::from_utf8_lossy(seed));
    }
    let mut mutator = Mutator::new(&seeds);
    let mut read = 0;
    for _ in 0..INPUTS {
        let input = mutator.mutate();
        let Ok(message) = serde_json::from_slice::<ClientMessage>(&input) else { continue };
        read += 1;
        let written = serde_json::to_vec(&message).unwrap();
        assert_eq!(serde_json::from_slice::<ClientMessage>(&written).unwrap(), message);
    }
    assert!(read > INPUTS / 100, "only {read} mutations were read");
}

#[test]
fn control_message_of_a_hundred_thousand_brackets_is_refused() {
    for (open, close) in [("[", "]"), ("{\"a\":", "}")] {
        let deep = format!("{}1{}", open.repeat(100_000), close.repeat(100_000));
        for field in ["id", "path", "new"] {
            let text = format!("{{\"type\":\"tree\",\"{field}\":{deep}}}");
            assert!(serde_json::from_str::<ClientMessage>(&text).is_err());
        }
    }
}

#[test]
fn mutated_supervisor_lines_never_panic() {
    let mut stream = Vec::new();
    for (seq, bytes) in corpus::updates().into_iter().take(30).enumerate() {
        let body = match seq % 3 {
            0 => Body::Phase(String::from_utf8_lossy(bytes).into_owned()),
            1 => Body::Started,
            _ => Body::Output { offset: 7, stream: LogStream::Err, bytes: bytes.to_vec() },
        };
        supervisor::encode(&Frame { seq: seq as u64, at: 5, body }, "n0nce", &mut stream).unwrap();
    }
    let lines: Vec<&[u8]> = stream.split_inclusive(|&byte| byte == b'\n').collect();
    let mut mutator = Mutator::new(&lines);
    let mut decoder = Decoder::new("n0nce");
    for _ in 0..INPUTS {
        let input = mutator.mutate();
        decoder.feed(&input, |item| {
            // A frame says the same when it is written and read again.
            if let Item::Frame(frame) = item {
                let mut line = Vec::new();
                supervisor::encode(&frame, "n0nce", &mut line).unwrap();
                Decoder::new("n0nce").feed(&line, |again| assert_eq!(again, Item::Frame(frame.clone())));
            }
        });
        assert!(decoder.unfinished().len() <= MAX_LINE_BYTES);
    }
}

#[test]
fn mutated_paths_never_panic_and_keep_the_rules() {
    let seeds =
        ["run.py", "源码/主.py", "a/b/c.tar.gz", "Cafe\u{301}/STRASSE ß.R", "../x", "a//b", "/abs", "x\\y", "ΐ/ﬁ"];
    let seeds: Vec<&[u8]> = seeds.iter().map(|seed| seed.as_bytes()).collect();
    let mut mutator = Mutator::new(&seeds);
    for _ in 0..INPUTS {
        let input = mutator.mutate();
        let Ok(path) = TaskPath::parse(&String::from_utf8_lossy(&input)) else { continue };
        assert_eq!(TaskPath::parse(path.as_str()).as_ref(), Ok(&path), "the normal form is its own normal form");
        assert!(path.as_str().len() <= MAX_PATH_BYTES);
        for component in path.components() {
            assert!(!matches!(component, "" | "." | "..") && component.len() <= MAX_COMPONENT_BYTES);
            assert!(!component.contains(|letter: char| letter == '\\' || letter.is_control()));
        }
        if let Ok(folded) = TaskPath::parse(&path.key()) {
            assert_eq!(folded.key(), path.key(), "a key is its own key: {path:?}");
        }
    }
}
