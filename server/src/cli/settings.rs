//! The flags that set settings, and the gathering of all sources.

use std::path::PathBuf;

use clap::Args;

use crate::config::sources::{Loaded, SettingError, Sources};

/// Flags of every command that uses settings.
#[derive(Clone, Debug, Default, Args)]
pub(super) struct SettingFlags {
    /// A TOML file with settings.
    #[arg(long, env = "CODEROOM_CONFIG", value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Address and port to listen on [default: 127.0.0.1:7878].
    #[arg(long, value_name = "ADDRESS")]
    pub listen: Option<String>,
    /// Directory of the data [default: ./data].
    #[arg(long, value_name = "DIR")]
    pub data: Option<String>,
    /// Any setting, such as `--set limits.max_text_size=4MiB`; may be repeated.
    #[arg(long = "set", value_name = "KEY=VALUE")]
    pub set: Vec<String>,
}

impl SettingFlags {
    /// Reads all sources. The later one wins: defaults, file, variables, flags.
    pub(super) fn load(&self) -> Result<Loaded, SettingError> {
        let file = match &self.config {
            Some(path) => {
                let text = std::fs::read_to_string(path);
                Some((path.clone(), text.map_err(|why| SettingError(format!("--config {}: {why}", path.display())))?))
            }
            None => None,
        };
        let mut flags = Vec::new();
        for (key, value) in [("listen", &self.listen), ("data", &self.data)] {
            flags.extend(value.as_ref().map(|value| (key.to_owned(), value.clone(), format!("--{key}"))));
        }
        for pair in &self.set {
            let (key, value) = pair
                .split_once('=')
                .ok_or_else(|| SettingError(format!("--set {pair}: write it as --set KEY=VALUE")))?;
            flags.push((key.trim().to_owned(), value.to_owned(), format!("--set {key}")));
        }
        // Variables that are not UTF-8 cannot be ours.
        let variables =
            std::env::vars_os().filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)));
        Sources { file, variables: variables.collect(), flags }.load()
    }
}
