//! The supervisor of one run. See `coderoom_worker::supervisor` for its stages.

use std::process::ExitCode;

fn main() -> ExitCode {
    coderoom_worker::supervisor::main(std::env::args_os().skip(1))
}
