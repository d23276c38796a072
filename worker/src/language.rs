//! What each language brings: the files of a new task, its main file, its start command, its interpreters.
//! The texts are those of `examples/`, so that what new tasks begin with can be read and run there.

use coderoom_protocol::control::Language;

/// The start command of a new task, and of a submit that names none.
pub const DEFAULT_COMMAND: &str = "sh run.sh";

/// The files of a new task as (path, text), main file first.
#[must_use]
pub fn default_files(language: Language) -> Vec<(&'static str, &'static str)> {
    match language {
        Language::Python => vec![
            ("run.py", include_str!("../../examples/python-hello/run.py")),
            ("run.sh", include_str!("../../examples/python-hello/run.sh")),
        ],
        Language::Scala => vec![
            ("run.scala", include_str!("../../examples/scala-hello/run.scala")),
            ("run.sh", include_str!("../../examples/scala-hello/run.sh")),
        ],
        Language::R => vec![
            ("run.R", include_str!("../../examples/r-hello/run.R")),
            ("run.sh", include_str!("../../examples/r-hello/run.sh")),
        ],
    }
}

/// Path of the main file of a new task.
#[must_use]
pub fn default_main(language: Language) -> &'static str {
    match language {
        Language::Python => "run.py",
        Language::Scala => "run.scala",
        Language::R => "run.R",
    }
}

/// The start command of a new task; the same for every language.
#[must_use]
pub fn default_command(_language: Language) -> &'static str {
    DEFAULT_COMMAND
}

/// One way in which a language may be installed: all these programs must be found.
pub type Toolchain = &'static [&'static str];

/// Every way in which the language's interpreter may be installed; one of them is enough.
#[must_use]
pub fn toolchains(language: Language) -> &'static [Toolchain] {
    match language {
        Language::Python => &[&["python3"]],
        Language::Scala => &[&["scala", "java"]],
        Language::R => &[&["Rscript"]],
    }
}

/// How whoever runs the server installs it, for the message of `interpreter_missing`.
#[must_use]
pub fn install_hint(language: Language) -> &'static str {
    match language {
        Language::Python => "python3 is not installed; on Debian or Ubuntu: apt-get install python3",
        Language::Scala => {
            "scala is not installed; on Debian or Ubuntu: apt-get install scala default-jre-headless, or install Scala 3"
        }
        Language::R => "Rscript is not installed; on Debian or Ubuntu: apt-get install r-base-core",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_language_brings_its_main_file_and_a_start_script() {
        for language in Language::ALL {
            let files = default_files(language);
            assert_eq!(files[0].0, default_main(language));
            assert!(files.iter().any(|(path, text)| *path == "run.sh" && text.contains(default_main(language))));
        }
    }
}
