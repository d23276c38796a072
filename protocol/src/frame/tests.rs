//! Frames as stock providers were seen to send them, and frames that nobody should send.

use super::{as_client::*, *};
use crate::role::Role;

#[test]
fn opening_frames_of_provider_4_8_0_are_read() {
    // Captured from @hocuspocus/provider 4.8.0: document main.py, token tok.
    let auth = b"\x07main.py\x02\x00\x03tok\x054.8.0";
    let step1 = b"\x07main.py\x00\x00\x01\x00";
    assert_eq!(
        parse_frame(auth),
        Ok(ClientFrame::Message {
            address: "main.py",
            message: ClientPayload::Auth { token: "tok", version: Some("4.8.0") }
        })
    );
    assert_eq!(
        parse_frame(step1),
        Ok(ClientFrame::Message { address: "main.py", message: ClientPayload::Sync(SyncMessage::Step1(&[0])) })
    );
}

#[test]
fn auth_of_provider_3_has_no_version() {
    let frame = parse_frame(b"\x01a\x02\x00\x00").unwrap();
    assert_eq!(frame, ClientFrame::Message { address: "a", message: ClientPayload::Auth { token: "", version: None } });
}

#[test]
fn only_version_4_and_later_is_pinged() {
    assert!(understands_ping(Some("4.8.0")));
    assert!(understands_ping(Some("12.0.0-rc.1")));
    assert!(!understands_ping(Some("3.4.4")));
    assert!(!understands_ping(Some("new")));
    assert!(!understands_ping(None));
}

#[test]
fn one_byte_frames_are_ping_and_pong() {
    assert_eq!(parse_frame(&[9]), Ok(ClientFrame::Ping));
    assert_eq!(parse_frame(&[10]), Ok(ClientFrame::Pong));
    assert!(parse_frame(&[8]).is_err());
    assert!(parse_frame(&[]).is_err());
}

#[test]
fn types_between_servers_are_forbidden_and_unknown_ones_told() {
    for (bytes, expected) in [
        (&b"\x01a\x04"[..], ClientPayload::Forbidden(4)),
        (b"\x01a\x06\x00", ClientPayload::Forbidden(6)),
        (b"\x01a\x08\x01", ClientPayload::Unknown(8)),
        (b"\x01a\x66", ClientPayload::Unknown(102)),
    ] {
        assert_eq!(parse_frame(bytes), Ok(ClientFrame::Message { address: "a", message: expected }));
    }
}

#[test]
fn long_addresses_and_tokens_are_refused() {
    let long = "a".repeat(MAX_ADDRESS_BYTES + 1);
    assert_eq!(parse_frame(&query_awareness(&long)), Err(FrameError::AddressTooLong));
    assert!(parse_frame(&query_awareness(&long[..MAX_ADDRESS_BYTES])).is_ok());
    let token = "t".repeat(MAX_TOKEN_BYTES + 1);
    assert_eq!(parse_frame(&auth("a", &token, None)), Err(FrameError::TokenTooLong));
    assert!(parse_frame(&auth("a", &token[..MAX_TOKEN_BYTES], None)).is_ok());
    let version = "9".repeat(MAX_VERSION_BYTES + 1);
    let frame = auth("a", "t", Some(&version));
    let expected = ClientPayload::Auth { token: "t", version: None };
    assert_eq!(parse_frame(&frame), Ok(ClientFrame::Message { address: "a", message: expected }));
}

#[test]
fn client_frames_are_read_as_they_were_written() {
    for (frame, expected) in [
        (sync("x\0s", SyncMessage::Step2(&[0, 0])), ClientPayload::Sync(SyncMessage::Step2(&[0, 0]))),
        (sync("x\0s", SyncMessage::Update(&[7; 300])), ClientPayload::Sync(SyncMessage::Update(&[7; 300]))),
        (awareness("x\0s", &[0]), ClientPayload::Awareness(&[0])),
        (stateless("x\0s", "{\"a\":\"中\"}"), ClientPayload::Stateless("{\"a\":\"中\"}")),
        (query_awareness("x\0s"), ClientPayload::QueryAwareness),
        (close("x\0s"), ClientPayload::Close),
    ] {
        assert_eq!(parse_frame(&frame), Ok(ClientFrame::Message { address: "x\0s", message: expected }));
    }
}

#[test]
fn server_frames_are_read_as_they_were_written() {
    type Write = fn(&mut Vec<u8>, &[u8]);
    let cases: [(Write, ServerPayload<'_>); 11] = [
        (|out, p| write::sync_step1(out, p, &[0]), ServerPayload::Sync(SyncMessage::Step1(&[0]))),
        (|out, p| write::sync_step2(out, p, &[0, 0]), ServerPayload::Sync(SyncMessage::Step2(&[0, 0]))),
        (|out, p| write::sync_update(out, p, &[0, 0]), ServerPayload::Sync(SyncMessage::Update(&[0, 0]))),
        (|out, p| write::keep_alive(out, p), ServerPayload::Awareness(&[0])),
        (|out, p| write::auth_ok(out, p, Role::Editor), ServerPayload::AuthOk("read-write")),
        (|out, p| write::auth_ok(out, p, Role::Viewer), ServerPayload::AuthOk("readonly")),
        (|out, p| write::auth_denied(out, p, "no"), ServerPayload::AuthDenied("no")),
        (|out, p| write::auth_ask(out, p), ServerPayload::AuthAsk),
        (|out, p| write::stateless(out, p, "{}"), ServerPayload::Stateless("{}")),
        (|out, p| write::close(out, p, "gone"), ServerPayload::Close("gone")),
        (|out, p| write::sync_status(out, p, true), ServerPayload::SyncStatus(true)),
    ];
    let prefix = write::address_prefix("f\0s");
    for (write, expected) in cases {
        let mut out = Vec::new();
        write(&mut out, &prefix);
        assert_eq!(parse_server_frame(&out), Ok(ServerFrame::Message { address: "f\0s", message: expected }));
    }
}

#[test]
fn status_ends_in_exactly_one_byte() {
    let mut out = Vec::new();
    write::sync_status(&mut out, &write::address_prefix("a"), false);
    assert_eq!(out, b"\x01a\x08\x00");
}

#[test]
fn length_of_a_sync_frame_is_told_before_writing() {
    let prefix = write::address_prefix("main.py");
    for len in [0, 127, 128, 20_000] {
        let payload = vec![1; len];
        let mut out = Vec::new();
        write::sync_update(&mut out, &prefix, &payload);
        assert_eq!(out.len(), write::sync_frame_len(&prefix, &payload));
    }
}
