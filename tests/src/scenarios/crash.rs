//! `kill -9` at the worst moment.

use std::{collections::HashMap, time::Duration};

use rand::{RngExt, SeedableRng, rngs::StdRng};

use crate::{
    editor::Editor,
    person::Person,
    server::{Deployment, Server},
    wait::until,
};

/// Words that one client types in one round at most: 20 rounds of 4 stay below the limit of a text.
const WORDS: usize = 1_500;

/// Four clients type, the server is killed in the middle, and every edit it acknowledged is there afterwards, once. Twenty times.
pub async fn kill_while_typing_loses_nothing_acknowledged(deployment: Deployment) {
    let seed = rand::random::<u64>();
    eprintln!("seed {seed}");
    let mut random = StdRng::seed_from_u64(seed);
    let mut server = Server::start(deployment).await;
    let person = Person::admin(&server);
    let task = person.create_task("crash", "python").await;
    person.write(task, "notes.txt", "").await;
    let mut acknowledged: Vec<String> = Vec::new();
    for round in 0..20 {
        let mut typing = Vec::new();
        for who in 0..4 {
            let mut editor = Editor::open(&person, task, "notes.txt").await;
            typing.push(tokio::spawn(async move {
                let answered_before = editor.sent();
                let mut words = Vec::new();
                while !editor.ended() && words.len() < WORDS {
                    let word = format!("<{round}.{who}.{}>", words.len());
                    editor.append(&word).await;
                    words.push(word);
                    tokio::task::yield_now().await;
                }
                // Statuses come in order, the first for the answer to the server's step 1.
                let stored = editor.stored().saturating_sub(answered_before);
                words.truncate(stored);
                words
            }));
        }
        tokio::time::sleep(Duration::from_millis(random.random_range(20..300))).await;
        server.kill();
        for typist in typing {
            acknowledged.extend(typist.await.expect("a typist"));
        }
        server.start_again().await;
        let text = person.read(task, "notes.txt").await;
        let mut times: HashMap<&str, u32> = HashMap::new();
        for word in text.split_inclusive('>') {
            *times.entry(word).or_default() += 1;
        }
        for word in &acknowledged {
            assert_eq!(times.get(word.as_str()), Some(&1), "seed {seed}, round {round}: {word} was acknowledged");
        }
    }
    assert!(acknowledged.len() > 100, "only {} edits were acknowledged in 20 rounds", acknowledged.len());
}

/// The server is killed while a run prints: the next process adopts it, and its log is whole.
pub async fn kill_while_a_run_prints_keeps_its_log(deployment: Deployment) {
    const LINES: usize = 400;
    let mut server = Server::start(deployment).await;
    let person = Person::admin(&server);
    let task = person.create_task("crash", "python").await;
    let program = format!("import time\nfor i in range({LINES}):\n    print('line', i)\n    time.sleep(0.005)\n");
    person.write(task, "run.py", &program).await;
    let run = person.submit(task, None).await;
    until(async || {
        let log = person.log(run).await;
        if log.len() > 200 { Ok(()) } else { Err(format!("{} bytes of log so far", log.len())) }
    })
    .await;
    server.kill();
    tokio::time::sleep(Duration::from_millis(300)).await;
    server.start_again().await;
    let ended = person.wait_for_adopted_end(run).await;
    let expected: String = (0..LINES).map(|line| format!("line {line}\n")).collect();
    let log = String::from_utf8(person.log(run).await).expect("text");
    assert_eq!(ended["state"], 3, "{ended}\n{}", server.log());
    assert_eq!(log, expected, "the log is whole");
}

/// SIGTERM lets what was sent be stored, ends with exit code 0, and a client goes on after the restart.
pub async fn terminate_drains(deployment: Deployment) {
    let mut server = Server::start(deployment).await;
    let person = Person::admin(&server);
    let task = person.create_task("drain", "python").await;
    person.write(task, "notes.txt", "").await;
    let mut ana = Editor::open(&person, task, "notes.txt").await;
    ana.append("before ").await;
    assert_eq!(server.terminate().await, Some(0), "exit code; log:\n{}", server.log());
    until(async || if ana.ended() { Ok(()) } else { Err("the socket is still open") }).await;
    ana.append("while away ").await;
    server.start_again().await;
    ana.connect().await;
    ana.append("after").await;
    ana.wait_until_stored().await;
    assert_eq!(person.read(task, "notes.txt").await, "before while away after");
}
