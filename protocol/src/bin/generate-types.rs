//! Writes the TypeScript types of the control channel, or with `--check` says whether the stored ones are
//! stale (exit code 1).
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a tool for people at a terminal")]

use std::{path::Path, process::ExitCode};

use coderoom_protocol::typescript::{GENERATED_FILE, generate};

fn main() -> ExitCode {
    let check = match std::env::args().skip(1).collect::<Vec<_>>().as_slice() {
        [] => false,
        [flag] if flag == "--check" => true,
        _ => {
            eprintln!("usage: generate-types [--check]");
            return ExitCode::from(2);
        }
    };
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(GENERATED_FILE);
    let fresh = generate();
    if check {
        let stored = std::fs::read_to_string(&path).unwrap_or_default();
        if stored == fresh {
            return ExitCode::SUCCESS;
        }
        eprintln!("{GENERATED_FILE} is stale; run: cargo run -p coderoom-protocol --bin generate-types");
        return ExitCode::FAILURE;
    }
    match std::fs::write(&path, fresh) {
        Ok(()) => {
            println!("wrote {GENERATED_FILE}");
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("write {}: {error}", path.display());
            ExitCode::FAILURE
        }
    }
}
