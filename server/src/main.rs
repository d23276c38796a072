//! The `coderoom` binary: nothing but the way into the library.

fn main() -> std::process::ExitCode {
    coderoom_server::cli::main()
}
