//! Whether the language's interpreter is there, as the box will see it.

use coderoom_protocol::{control::Language, run::Reason};

use super::bwrap::find_program;
use crate::{executor::StartError, language};

/// Refuses with what to install when the language cannot run here.
pub(super) fn check(language: Language) -> Result<(), StartError> {
    // The box shows the system's own program directories at the same paths, so looking here is looking there.
    check_with(language, |program| find_program(program).is_some())
}

fn check_with(language: Language, is_there: impl Fn(&str) -> bool) -> Result<(), StartError> {
    let complete = |programs: &[&str]| programs.iter().all(|program| is_there(program));
    if language::toolchains(language).iter().any(|programs| complete(programs)) {
        return Ok(());
    }
    Err(StartError {
        reason: Reason::InterpreterMissing,
        detail: language::install_hint(language).to_owned(),
        retry: false,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn missing_interpreter_gives_a_reason_that_says_what_to_install() {
        let there = ["python3", "java"];
        assert!(check_with(Language::Python, |program| there.contains(&program)).is_ok());
        for (language, program, package) in
            [(Language::R, "Rscript", "r-base-core"), (Language::Scala, "scala", "apt-get install scala")]
        {
            let Err(refused) = check_with(language, |program| there.contains(&program)) else {
                panic!("{language:?} cannot run without {program}")
            };
            assert_eq!(refused.reason, Reason::InterpreterMissing);
            assert!(!refused.retry, "it is not there the next time either");
            assert!(refused.detail.contains(program) && refused.detail.contains(package), "{}", refused.detail);
        }
    }

    #[test]
    fn every_language_has_a_hint_that_names_what_it_looks_for() {
        for language in Language::ALL {
            let refused = check_with(language, |_| false).err().map(|refused| refused.detail).unwrap_or_default();
            let toolchain = language::toolchains(language)[0];
            assert!(refused.contains(toolchain[0]) && refused.contains("apt-get install"), "{refused}");
        }
    }
}
