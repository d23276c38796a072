//! Whether the language's interpreter is there, as the box will see it.

use coderoom_protocol::{control::Language, run::Reason};

use super::bwrap::find_program;
use crate::{executor::StartError, language};

/// Refuses with what to install when the language cannot run here.
pub(super) fn check(language: Language) -> Result<(), StartError> {
    // The box shows the system's own program directories at the same paths, so looking here is looking there.
    let complete = |programs: &[&str]| programs.iter().all(|program| find_program(program).is_some());
    if language::toolchains(language).iter().any(|programs| complete(programs)) {
        return Ok(());
    }
    Err(StartError {
        reason: Reason::InterpreterMissing,
        detail: language::install_hint(language).to_owned(),
        retry: false,
    })
}
