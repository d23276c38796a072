//! What the worker tells the supervisor of a pod, and how: one JSON text in the environment of process 1, whose memory and
//! environment nobody in the pod can read (it makes itself not dumpable before anything else runs), and the places of
//! its directories in variables of their own, because they belong to the container and not to the run.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use super::spec::Rlimits;
use crate::{executor::RunLimits, snapshot::Manifest};

/// Variable with the [`PodSpec`] as JSON.
pub const SPEC_VARIABLE: &str = "CODEROOM_SPEC";
/// Variable with the directory of the files and of the command.
pub const WORK_VARIABLE: &str = "CODEROOM_WORK";
/// Variable with the directory for temporary files.
pub const TMP_VARIABLE: &str = "CODEROOM_TMP";
/// Variable with the directory in which the data sets are mounted.
pub const DATA_VARIABLE: &str = "CODEROOM_DATA";

/// Longest spec in bytes. Linux takes 128 KiB for one variable; a longer plan is stored and fetched.
pub const MAX_POD_SPEC_BYTES: usize = 96 * 1024;
/// Longest stored plan in bytes.
pub const MAX_PLAN_BYTES: usize = 64 * 1024 * 1024;

/// All that the supervisor of a pod has to know.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct PodSpec {
    /// Marks the frames of this run; 32 hexadecimal digits that the user's code never sees.
    pub nonce: String,
    /// The command line for `sh -c`.
    pub command: String,
    /// What it may use.
    pub limits: RunLimits,
    /// Ceilings for the user's command alone.
    pub rlimits: Rlimits,
    /// Where the files come from.
    pub plan: Plan,
    /// Where the archive of `output/` goes: an address for one PUT. `None` keeps nothing.
    pub output_url: Option<String>,
    /// How fast frames may be written.
    pub pace: Pace,
    /// Names of the data sets below the data directory; each appears as `data/NAME` among the files.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub data: Vec<String>,
}

/// A bound for the supervisor's own output.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pace {
    /// In the long run.
    pub bytes_per_second: u64,
    /// At once, before that.
    pub burst_bytes: u64,
}

/// Where the plan is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Plan {
    /// Here.
    Inline(FetchPlan),
    /// Too long for a variable.
    Stored {
        /// An address for GET.
        url: String,
        /// SHA-256 of the [`FetchPlan`] as JSON, lower-case hexadecimal.
        sha256: String,
    },
}

/// What the files are and where their contents are fetched.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FetchPlan {
    /// The run's manifest.
    pub manifest: Manifest,
    /// An address for GET for each object key that the manifest names.
    pub urls: BTreeMap<String, String>,
}

impl PodSpec {
    /// For the variable: JSON without a `$`, which the kubelet would take for a reference to another variable.
    ///
    /// # Errors
    /// When it cannot be written as JSON.
    pub fn to_variable(&self) -> serde_json::Result<String> {
        // In JSON a dollar sign can only be part of a text.
        serde_json::to_string(self).map(|json| json.replace('$', "\\u0024"))
    }

    /// An address of the object store; empty when there is nothing to fetch and nothing to store.
    #[must_use]
    pub fn first_url(&self) -> &str {
        let plan = match &self.plan {
            Plan::Inline(plan) => plan.urls.values().next(),
            Plan::Stored { url, .. } => Some(url),
        };
        plan.or(self.output_url.as_ref()).map_or("", String::as_str)
    }

    /// Reads what [`Self::to_variable`] wrote.
    ///
    /// # Errors
    /// When it is something else.
    pub fn from_variable(text: &str) -> serde_json::Result<Self> {
        serde_json::from_str(text)
    }
}

impl FetchPlan {
    /// For storing: the JSON and its SHA-256.
    ///
    /// # Errors
    /// When it cannot be written as JSON.
    pub fn to_object(&self) -> serde_json::Result<(Vec<u8>, String)> {
        let json = serde_json::to_vec(self)?;
        let sha256 = hex::encode(Sha256::digest(&json));
        Ok((json, sha256))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_part_of_a_command_is_expanded_by_the_kubelet() {
        let manifest = Manifest { version: 1, code_key: "k".into(), code_sha256: String::new(), files: Vec::new() };
        let spec = PodSpec {
            nonce: "n".into(),
            command: "echo $$ $(CODEROOM_WORK) \"$HOME\" \\$".into(),
            limits: RunLimits::default(),
            rlimits: Rlimits::default(),
            plan: Plan::Inline(FetchPlan { manifest, urls: BTreeMap::new() }),
            output_url: None,
            pace: Pace { bytes_per_second: 1, burst_bytes: 1 },
            data: Vec::new(),
        };
        let text = spec.to_variable().unwrap();
        assert!(!text.contains('$'));
        assert_eq!(PodSpec::from_variable(&text).unwrap().command, spec.command);
    }
}
