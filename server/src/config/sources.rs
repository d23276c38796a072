//! Reads the sources of settings in order and remembers where each value came from. A wrong value, an unknown key
//! in the file or an unknown `--set` stops with a sentence that names it; an unknown variable is only reported,
//! because orchestrators put variables of their own beside ours.

use std::{collections::BTreeMap, fmt, path::PathBuf};

use super::{Settings, variable};

/// Where a value came from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origin {
    /// Nobody set it.
    Default,
    /// The TOML file.
    File(PathBuf),
    /// A variable of the environment.
    Variable(String),
    /// The command line.
    Flag(String),
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Default => f.write_str("default"),
            Self::File(path) => write!(f, "file {}", path.display()),
            Self::Variable(name) => write!(f, "variable {name}"),
            Self::Flag(name) => write!(f, "flag {name}"),
        }
    }
}

/// A wrong setting: a sentence that names it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct SettingError(pub String);

/// What the outside says, gathered by the command line (or a test).
#[derive(Clone, Debug, Default)]
pub struct Sources {
    /// Path and text of the TOML file, if there is one.
    pub file: Option<(PathBuf, String)>,
    /// The environment: names and values.
    pub variables: Vec<(String, String)>,
    /// Key, value and how the flag was written.
    pub flags: Vec<(String, String, String)>,
}

/// Settings with the origin of each.
#[derive(Clone, Debug)]
pub struct Loaded {
    /// The values in force.
    pub settings: Settings,
    /// By key; a key that is missing has its default.
    pub origins: BTreeMap<String, Origin>,
    /// Sentences about variables that look like ours and are not.
    pub warnings: Vec<String>,
}

/// Behind the name of a secret setting's variable: the value is the content of the file that this one names.
const FILE_SUFFIX: &str = "_FILE";

/// Longest secret read from a file, in bytes; more is a wrong file.
const MAX_SECRET_FILE: usize = 16 << 10;

/// Variables that are ours but no settings of the server.
const OTHER_VARIABLES: [&str; 3] = ["CODEROOM_CONFIG", "CODEROOM_URL", "CODEROOM_TOKEN"];

impl Sources {
    /// Puts the sources together: defaults, file, variables, flags; the later one wins.
    pub fn load(&self) -> Result<Loaded, SettingError> {
        let mut loaded = Loaded { settings: Settings::default(), origins: BTreeMap::new(), warnings: Vec::new() };
        let keys = loaded.settings.keys();
        if let Some((path, text)) = &self.file {
            for (key, value) in flatten(path, text)? {
                if !keys.contains(&key) {
                    return Err(unknown(&format!("the setting {key} in {}", path.display()), &key, &keys));
                }
                loaded.apply(&key, &value, Origin::File(path.clone()))?;
            }
        }
        let mut variables = self.variables.clone();
        variables.sort();
        let secrets = loaded.settings.secret_keys();
        for (name, value) in &variables {
            if let Some(key) = keys.iter().find(|key| variable(key) == *name) {
                loaded.apply(key, value, Origin::Variable(name.clone()))?;
            } else if let Some(key) = secrets.iter().find(|key| variable(key) + FILE_SUFFIX == *name) {
                let plain = variable(key);
                if variables.iter().any(|(other, _)| *other == plain) {
                    return Err(SettingError(format!("{plain} and {name} are both set; take one of them away")));
                }
                loaded.apply(key, &read_secret(name, value)?, Origin::Variable(name.clone()))?;
            } else if name.starts_with("CODEROOM_") && !OTHER_VARIABLES.contains(&name.as_str()) {
                let names: Vec<String> = keys.iter().map(|key| variable(key)).collect();
                if let Some(near) = nearest(name, &names) {
                    loaded.warnings.push(format!("the variable {name} is no setting; did you mean {near}?"));
                }
            }
        }
        for (key, value, flag) in &self.flags {
            if !keys.contains(key) {
                return Err(unknown(&format!("the setting {key} in {flag}"), key, &keys));
            }
            loaded.apply(key, value, Origin::Flag(flag.clone()))?;
        }
        loaded.settings.check().map_err(SettingError)?;
        Ok(loaded)
    }
}

impl Loaded {
    fn apply(&mut self, key: &str, text: &str, origin: Origin) -> Result<(), SettingError> {
        self.settings.set(key, text).map_err(|must_be| {
            let shown = if self.settings.secret_keys().iter().any(|secret| secret == key) { "********" } else { text };
            SettingError(format!("{key} is {shown:?} ({origin}), but it must be {must_be}"))
        })?;
        self.origins.insert(key.to_owned(), origin);
        Ok(())
    }

    /// Where the value of a key came from.
    #[must_use]
    pub fn origin(&self, key: &str) -> &Origin {
        self.origins.get(key).unwrap_or(&Origin::Default)
    }
}

/// The secret in a file, without the line's end that editors and orchestrators put there.
fn read_secret(name: &str, path: &str) -> Result<String, SettingError> {
    let wrong = |why: String| SettingError(format!("{name} names {path:?}, but {why}"));
    let text = std::fs::read_to_string(path).map_err(|error| wrong(format!("it cannot be read: {error}")))?;
    if text.len() > MAX_SECRET_FILE {
        return Err(wrong(format!("it has more than {MAX_SECRET_FILE} bytes, which no secret has")));
    }
    match text.trim_end_matches(['\r', '\n']) {
        "" => Err(wrong("it is empty".into())),
        secret => Ok(secret.to_owned()),
    }
}

/// The file's keys with their values as text, tables joined by dots.
fn flatten(path: &std::path::Path, text: &str) -> Result<Vec<(String, String)>, SettingError> {
    let table: toml::Table = text.parse().map_err(|error: toml::de::Error| {
        SettingError(format!("{} is not valid TOML: {}", path.display(), error.to_string().trim()))
    })?;
    let mut flat = Vec::new();
    for (key, value) in table {
        match value {
            toml::Value::Table(inner) => {
                for (field, value) in inner {
                    let key = format!("{key}.{field}");
                    let text = scalar(&key, value)?;
                    flat.push((key, text));
                }
            }
            value => {
                let text = scalar(&key, value)?;
                flat.push((key, text));
            }
        }
    }
    Ok(flat)
}

fn scalar(key: &str, value: toml::Value) -> Result<String, SettingError> {
    match value {
        toml::Value::String(text) => Ok(text),
        toml::Value::Integer(number) => Ok(number.to_string()),
        toml::Value::Boolean(yes) => Ok(yes.to_string()),
        toml::Value::Array(items) => {
            let parts: Result<Vec<_>, _> = items.into_iter().map(|item| scalar(key, item)).collect();
            Ok(parts?.join(","))
        }
        _ => Err(SettingError(format!("{key} must be a text, a whole number, true, false or a list"))),
    }
}

fn unknown(what: &str, key: &str, keys: &[String]) -> SettingError {
    let hint = nearest(key, keys).map(|near| format!("; did you mean {near}?")).unwrap_or_default();
    SettingError(format!("{what} does not exist{hint}"))
}

/// The candidate most like `name`, if one is alike at all.
fn nearest<'a>(name: &str, candidates: &'a [String]) -> Option<&'a str> {
    let alike = |candidate: &&'a String| strsim::normalized_damerau_levenshtein(name, candidate);
    candidates
        .iter()
        .map(|candidate| (candidate, alike(&candidate)))
        .filter(|(_, likeness)| *likeness > 0.7)
        .max_by(|(_, a), (_, b)| a.total_cmp(b))
        .map(|(candidate, _)| candidate.as_str())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sources(file: &str, variables: &[(&str, &str)], flags: &[(&str, &str)]) -> Sources {
        Sources {
            file: (!file.is_empty()).then(|| ("room.toml".into(), file.to_owned())),
            variables: variables.iter().map(|(n, v)| ((*n).to_owned(), (*v).to_owned())).collect(),
            flags: flags.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned(), format!("--{k}"))).collect(),
        }
    }

    fn sentence(sources: &Sources) -> String {
        sources.load().expect_err("these settings must be refused").0
    }

    #[test]
    fn later_sources_win_and_are_remembered() {
        let file = "listen = \"127.0.0.1:1\"\ndata = \"/a\"\n[limits]\nmax_files = 7\nmax_text_size = \"1MiB\"\n";
        let variables = [("CODEROOM_LISTEN", "127.0.0.1:2"), ("CODEROOM_LIMITS_MAX_FILES", "8")];
        let loaded = sources(file, &variables, &[("listen", "127.0.0.1:3")]).load().unwrap();
        assert_eq!(loaded.settings.deployment.listen.port(), 3);
        assert_eq!(loaded.settings.limits.max_files, 8);
        assert_eq!(loaded.settings.limits.max_text_size.0, 1 << 20);
        assert_eq!(loaded.origin("listen"), &Origin::Flag("--listen".into()));
        assert_eq!(loaded.origin("limits.max_files"), &Origin::Variable("CODEROOM_LIMITS_MAX_FILES".into()));
        assert_eq!(loaded.origin("data"), &Origin::File("room.toml".into()));
        assert_eq!(loaded.origin("tables"), &Origin::Default);
    }

    #[test]
    fn wrong_values_are_refused_with_a_sentence_that_names_the_setting() {
        let wrong = sentence(&sources("", &[("CODEROOM_LIMITS_MAX_FILES", "many")], &[]));
        assert!(wrong.contains("limits.max_files") && wrong.contains("CODEROOM_LIMITS_MAX_FILES"), "{wrong}");
        assert!(wrong.contains("a whole number"), "{wrong}");
        let wrong = sentence(&sources("[people]\nsession_idle = \"soon\"\n", &[], &[]));
        assert!(wrong.contains("people.session_idle") && wrong.contains("room.toml"), "{wrong}");
        let wrong = sentence(&sources("", &[], &[("listen", "here")]));
        assert!(wrong.contains("listen") && wrong.contains("127.0.0.1:7878"), "{wrong}");
    }

    #[test]
    fn unknown_keys_of_the_file_are_errors_with_a_suggestion() {
        let wrong = sentence(&sources("[limits]\nmax_text_sise = 3\n", &[], &[]));
        assert!(wrong.contains("limits.max_text_sise") && wrong.contains("limits.max_text_size"), "{wrong}");
        let wrong = sentence(&sources("lissten = \"127.0.0.1:1\"\n", &[], &[]));
        assert!(wrong.contains("did you mean listen"), "{wrong}");
    }

    #[test]
    fn unknown_variables_are_reported_but_do_not_stop_the_start() {
        let variables = [("CODEROOM_LISTENN", "x"), ("CODEROOM_SERVICE_HOST", "10.0.0.1"), ("CODEROOM_URL", "y")];
        let loaded = sources("", &variables, &[]).load().unwrap();
        assert!(loaded.warnings.iter().any(|line| line.contains("CODEROOM_LISTENN")), "{:?}", loaded.warnings);
        assert!(!loaded.warnings.iter().any(|line| line.contains("CODEROOM_URL")), "{:?}", loaded.warnings);
    }

    #[test]
    fn secrets_may_come_from_files() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("url");
        std::fs::write(&file, "postgres://u:p4ss@h/d\n").unwrap();
        let name = "CODEROOM_POSTGRES_URL_FILE";
        let path = file.to_str().unwrap();
        let loaded = sources("", &[(name, path)], &[]).load().unwrap();
        assert_eq!(loaded.settings.postgres.url.as_ref().unwrap().0, "postgres://u:p4ss@h/d");
        assert_eq!(loaded.origin("postgres.url"), &Origin::Variable(name.into()));
        assert!(!crate::config::print::effective(&loaded).contains("p4ss"));
        let both = sentence(&sources("", &[(name, path), ("CODEROOM_POSTGRES_URL", "postgres://h/d")], &[]));
        assert!(both.contains(name) && both.contains("both"), "{both}");
        std::fs::write(&file, "\n").unwrap();
        assert!(sentence(&sources("", &[(name, path)], &[])).contains("empty"));
        std::fs::write(&file, "x".repeat(MAX_SECRET_FILE + 1)).unwrap();
        assert!(sentence(&sources("", &[(name, path)], &[])).contains("16384 bytes"));
        let missing = sentence(&sources("", &[(name, "/nowhere")], &[]));
        assert!(missing.contains(name) && missing.contains("/nowhere"), "{missing}");
    }

    #[test]
    fn only_secrets_are_read_from_files() {
        let loaded = sources("", &[("CODEROOM_LOG_LEVEL_FILE", "/etc/hostname")], &[]).load().unwrap();
        assert_eq!(loaded.origin("log.level"), &Origin::Default);
    }

    #[test]
    fn a_service_without_its_address_is_refused() {
        for (key, value, missing) in [
            ("tables", "postgres", "postgres.url"),
            ("objects", "s3", "s3.endpoint"),
            ("bus", "redis", "redis.url"),
            ("queue", "rabbitmq", "rabbitmq.url"),
            ("executor", "kubernetes", "kubernetes.images"),
        ] {
            let wrong = sentence(&sources("", &[], &[(key, value)]));
            assert!(wrong.contains(key) && wrong.contains(missing), "{wrong}");
        }
    }

    #[test]
    fn wrong_secrets_are_not_shown() {
        let wrong = sentence(&sources("", &[], &[("tables", "postgres"), ("postgres.url", "mysql://u:p4ss@h")]));
        assert!(wrong.contains("postgres.url") && !wrong.contains("p4ss"), "{wrong}");
    }

    #[test]
    fn a_short_admin_token_is_refused_without_being_shown() {
        let wrong = sentence(&sources("", &[("CODEROOM_ADMIN_TOKEN", "s3cret")], &[]));
        assert!(wrong.contains("admin_token") && !wrong.contains("s3cret"), "{wrong}");
    }

    #[test]
    fn a_bad_log_filter_is_refused() {
        let wrong = sentence(&sources("", &[], &[("log.level", "coderoom=louder")]));
        assert!(wrong.contains("log.level"), "{wrong}");
    }
}
