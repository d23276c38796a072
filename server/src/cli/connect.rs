//! Finds the server and a token for the client commands. Without flags and variables that is the server of this machine,
//! and the token that it keeps in its data directory for its own user.

use std::path::Path;

use anyhow::{Context as _, bail};
use clap::Args;
use coderoom_protocol::client::ApiClient;

use super::settings::SettingFlags;
use crate::{assemble::CLI_TOKEN_FILE, config::Settings};

/// Flags of the client commands.
#[derive(Clone, Debug, Args)]
pub(super) struct ConnectFlags {
    /// The server's address [default: the server of this machine].
    #[arg(long, env = "CODEROOM_URL", value_name = "URL")]
    pub(super) server: Option<String>,
    /// An API token [default: the one in the data directory of this machine's server].
    #[arg(long, env = "CODEROOM_TOKEN", value_name = "TOKEN", hide_env_values = true)]
    pub(super) token: Option<String>,
    /// Data directory of this machine's server [default: ./data].
    #[arg(long, value_name = "DIR")]
    pub(super) data: Option<String>,
}

impl ConnectFlags {
    /// A client with address and token. Sends nothing yet.
    pub(super) fn client(&self) -> anyhow::Result<ApiClient> {
        let (own_url, data) = own_server(self.data.as_ref())?;
        let server = self.server.clone().unwrap_or_else(|| own_url.clone());
        let is_own = server.trim_end_matches('/') == own_url;
        let token = match &self.token {
            Some(token) => token.clone(),
            // The token of this machine's server is for that server alone.
            None if is_own => read_own_token(&data)?,
            None => bail!("say who you are at {server}: --token or CODEROOM_TOKEN with an API token"),
        };
        Ok(ApiClient::new(&server, Some(&token))?)
    }
}

/// The settings that a server started here would have.
pub(super) fn own_settings(data: Option<&String>) -> anyhow::Result<Settings> {
    let config = std::env::var_os("CODEROOM_CONFIG").map(Into::into);
    let flags = SettingFlags { data: data.cloned(), config, ..SettingFlags::default() };
    Ok(flags.load()?.settings)
}

/// Address and data directory of this machine's server, out of its settings.
fn own_server(data: Option<&String>) -> anyhow::Result<(String, std::path::PathBuf)> {
    let settings = own_settings(data)?;
    let mut address = settings.deployment.listen;
    if address.ip().is_unspecified() {
        address.set_ip(if address.is_ipv4() { [127, 0, 0, 1].into() } else { std::net::Ipv6Addr::LOCALHOST.into() });
    }
    Ok((format!("http://{address}"), settings.deployment.data))
}

fn read_own_token(data: &Path) -> anyhow::Result<String> {
    let file = data.join(CLI_TOKEN_FILE);
    let text = std::fs::read_to_string(&file).with_context(|| {
        format!(
            "no token: {} cannot be read. Start the server in this directory first (coderoom serve), say --data DIR, \
             or use --server and --token",
            file.display()
        )
    })?;
    Ok(text.trim().to_owned())
}
