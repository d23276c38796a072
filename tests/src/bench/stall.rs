//! One reader stalls while much passes: the server's memory, and that nobody loses anything.

use std::{sync::atomic::Ordering::Relaxed, time::Duration};

use super::{
    Finding,
    member::{Member, wait},
};
use crate::{
    person::Person,
    process::resident_bytes,
    server::{Deployment, Server},
    typist::Typist,
};

/// Pieces of 11 kB, 2,000 of them: 22 MB, over 20 files so that no file grows past its limit.
const PIECES: usize = 2_000;
const PIECE: usize = 11_000;
const FILES: usize = 20;

/// One of two readers stalls while 22 MB of edits pass.
pub async fn stalled_reader() -> Vec<Finding> {
    let settings = [("CODEROOM_SOCKETS_FRAMES_PER_SECOND", "1000000"), ("CODEROOM_SOCKETS_BYTES_PER_SECOND", "1GiB")];
    let mut peaks = Vec::new();
    for stalled in [false, true] {
        let server = Server::start_with(Deployment::Embedded, &settings).await;
        let person = Person::admin(&server);
        let task = person.create_task("stall", "python").await;
        let text = "y".repeat(PIECE);
        let mut rooms = Vec::new();
        for file in 0..FILES {
            let path = format!("file{file}.txt");
            person.write(task, &path, "").await;
            let writer = Member::join(&person, task, &path).await;
            let reader = Member::join(&person, task, &path).await;
            let other = Member::join(&person, task, &path).await;
            for member in [&writer, &reader, &other] {
                member.synced().await;
            }
            if stalled {
                reader.stall();
            }
            rooms.push((writer, reader, other, Typist::new(5_000_000 + file as u64)));
        }
        let before = resident_bytes(server.pid());
        let mut peak = before;
        for piece in 0..PIECES {
            let (writer, _, _, typist) = &mut rooms[piece % FILES];
            writer.send(&typist.next_text(&text)).await;
            if piece % 50 == 0 {
                peak = peak.max(resident_bytes(server.pid()));
                tokio::time::sleep(Duration::from_millis(2)).await;
            }
        }
        let per_file = (PIECES / FILES * PIECE) as u64;
        for (writer, reader, other, _) in &rooms {
            wait(|| writer.heard.stored.load(Relaxed) >= (PIECES / FILES) as u64, "all edits to be stored").await;
            wait(|| other.heard.characters.load(Relaxed) >= per_file, "the other reader to have everything").await;
            if !stalled {
                wait(|| reader.heard.characters.load(Relaxed) >= per_file, "the reader to have everything").await;
            }
        }
        peak = peak.max(resident_bytes(server.pid()));
        peaks.push((peak - before) as f64 / 1e6);
        if stalled {
            // Whoever joins later has everything too: nothing was lost.
            let late = person.read(task, "file0.txt").await;
            assert_eq!(late.len() as u64, per_file, "the text is whole");
        }
    }
    let per_reader = (peaks[1] - peaks[0]).max(0.0) / FILES as f64;
    vec![Finding::at_most(
        format!("extra memory of a stalled reader ({FILES} stalled sockets, 22 MB in all)"),
        per_reader,
        4.0,
        "MB",
    )]
}
