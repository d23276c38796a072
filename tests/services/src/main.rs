//! `coderoom-services COMMAND…`: starts a private PostgreSQL, Redis, RabbitMQ and S3 store, runs the command with their
//! addresses in `CODEROOM_TEST_…` variables, stops them all, and ends with the command's exit code.
#![expect(clippy::print_stderr, reason = "it says what it starts")]
#![allow(clippy::expect_used, reason = "a panic here says which service did not start")]

use std::{
    process::{ExitCode, ExitStatus},
    thread,
    time::Instant,
};

use coderoom_services::{Ceph, Postgres, RabbitMq, Redis};
use rustix::process::{Pid, Signal, kill_process};
use tokio::{
    process::{Child, Command},
    signal::unix::{SignalKind, signal},
};

fn main() -> ExitCode {
    let mut words = std::env::args_os().skip(1);
    let Some(program) = words.next() else {
        eprintln!("usage: coderoom-services COMMAND [ARGUMENT…]");
        return ExitCode::from(2);
    };
    let began = Instant::now();
    let (rabbitmq, ceph) = (thread::spawn(RabbitMq::start), thread::spawn(Ceph::start));
    let (postgres, redis) = (Postgres::start(), Redis::start());
    let rabbitmq = rabbitmq.join().expect("RabbitMQ starts");
    let ceph = ceph.join().expect("the S3 store starts");
    eprintln!("private services are up after {:.1} s", began.elapsed().as_secs_f32());

    let mut command = Command::new(&program);
    command.args(words);
    command.env("CODEROOM_TEST_POSTGRES", postgres.url()).env("CODEROOM_TEST_REDIS", redis.url());
    command.env("CODEROOM_TEST_RABBITMQ", rabbitmq.url()).env("CODEROOM_TEST_S3", ceph.url());
    command.env("CODEROOM_TEST_S3_ACCESS_KEY", ceph.access_key());
    command.env("CODEROOM_TEST_S3_SECRET_KEY", ceph.secret_key());
    match run(command) {
        Ok(status) => u8::try_from(exit_code(status)).map_or(ExitCode::FAILURE, ExitCode::from),
        Err(error) => {
            eprintln!("{}: {error}", program.display());
            ExitCode::from(127)
        }
    }
}

/// As a shell tells it: 128 and the signal's number when a signal ended it.
fn exit_code(status: ExitStatus) -> i32 {
    use std::os::unix::process::ExitStatusExt;
    status.code().unwrap_or_else(|| 128 + status.signal().unwrap_or(0))
}

/// Runs the command to its end and hands on SIGINT and SIGTERM.
#[tokio::main(flavor = "current_thread")]
async fn run(mut command: Command) -> std::io::Result<ExitStatus> {
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    let mut child = command.spawn()?;
    loop {
        tokio::select! {
            status = child.wait() => return status,
            // At a terminal the command has it too, being of the same group.
            _ = interrupt.recv() => {}
            _ = terminate.recv() => hand_on(&child),
        }
    }
}

fn hand_on(child: &Child) {
    let pid = child.id().and_then(|id| i32::try_from(id).ok()).and_then(Pid::from_raw);
    if let Some(pid) = pid {
        let _ = kill_process(pid, Signal::TERM);
    }
}
