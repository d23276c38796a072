//! Settings of the Kubernetes executor: what each is for, its default, and what is wrong with a bad one, in a sentence.

use std::{collections::BTreeMap, path::PathBuf, time::Duration};

use coderoom_protocol::control::Language;

use super::data_set::DataSet;

/// How the API server is found and how one says who one is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ClusterAccess {
    /// The service account of the pod this process runs in; otherwise the file that `KUBECONFIG` names.
    Inferred,
    /// A kubeconfig file, and the context to take from it; `None` takes its current one.
    File {
        /// The file.
        path: PathBuf,
        /// A context in it.
        context: Option<String>,
    },
}

/// When the kubelet fetches an image.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PullPolicy {
    /// At every start.
    Always,
    /// When the node has none of that name.
    IfNotPresent,
    /// Never: the node must have it.
    Never,
}

impl PullPolicy {
    /// The word in settings and in the API.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Always => "Always",
            Self::IfNotPresent => "IfNotPresent",
            Self::Never => "Never",
        }
    }

    /// The policy written as `word`, if there is one.
    #[must_use]
    pub fn parse(word: &str) -> Option<Self> {
        [Self::Always, Self::IfNotPresent, Self::Never].into_iter().find(|policy| policy.as_str() == word)
    }
}

/// A taint that runs accept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RunToleration {
    /// Key of the taint.
    pub key: String,
    /// Its value; `None` accepts every value.
    pub value: Option<String>,
    /// `NoSchedule`, `PreferNoSchedule` or `NoExecute`; `None` accepts all three.
    pub effect: Option<String>,
}

impl RunToleration {
    /// Reads `KEY`, `KEY=VALUE`, `KEY:EFFECT` or `KEY=VALUE:EFFECT`.
    ///
    /// # Errors
    /// A sentence that says what is wrong.
    pub fn parse(text: &str) -> Result<Self, String> {
        let (rest, effect) = match text.rsplit_once(':') {
            Some((rest, effect)) => (rest, Some(effect)),
            None => (text, None),
        };
        if let Some(effect) = effect.filter(|effect| !["NoSchedule", "PreferNoSchedule", "NoExecute"].contains(effect))
        {
            return Err(format!("{effect:?} is no effect of a taint: NoSchedule, PreferNoSchedule or NoExecute."));
        }
        let (key, value) = match rest.split_once('=') {
            Some((key, value)) => (key, Some(value.to_owned())),
            None => (rest, None),
        };
        if key.is_empty() {
            return Err(format!("The toleration {text:?} names no key."));
        }
        Ok(Self { key: key.to_owned(), value, effect: effect.map(str::to_owned) })
    }
}

/// Settings of the Kubernetes executor.
#[derive(Clone, Debug)]
pub struct KubernetesSettings {
    /// How the API server is found.
    pub access: ClusterAccess,
    /// Where the Jobs are made. It must exist.
    pub namespace: String,
    /// Tells the runs of this deployment from those of another in the same namespace; a label value.
    pub instance: String,
    /// Image for each language. A language without one has its runs refused with `image_missing`.
    pub images: BTreeMap<String, String>,
    /// When images are fetched. Default `IfNotPresent`.
    pub pull_policy: PullPolicy,
    /// Secrets with the registry's credentials.
    pub pull_secrets: Vec<String>,
    /// Where `coderoom-supervisor` lies in the images. Default `/usr/local/bin/coderoom-supervisor`.
    pub supervisor: String,
    /// Service account of the pods; its token is never mounted. `None` takes the namespace's default.
    pub service_account: Option<String>,
    /// Runtime class, `gvisor` or `kata` for example. `None` takes the nodes' usual one.
    pub runtime_class: Option<String>,
    /// `false` gives each pod a user namespace of its own (containerd 2, runc 1.2, Linux 6.3 or newer).
    /// Default `true`: without such a runtime no pod would start.
    pub host_users: bool,
    /// Labels that a node must have.
    pub node_selector: BTreeMap<String, String>,
    /// Taints that runs accept.
    pub tolerations: Vec<RunToleration>,
    /// Priority class of the pods.
    pub priority_class: Option<String>,
    /// Local queue of Kueue; it then decides when the Job may begin.
    pub kueue_queue: Option<String>,
    /// Directories that every run can read below `data/`.
    pub data_sets: Vec<DataSet>,
    /// User and group that the code runs as. Default 65532.
    pub user: u32,
    /// Memory on top of the run's limit, for the supervisor itself, in bytes. Default 64 MiB.
    pub overhead_memory_bytes: u64,
    /// Size of `/tmp` in bytes. What is collected from `output/` is packed there, so its limit comes on top. Default 512 MiB.
    pub tmp_bytes: u64,
    /// Keep the work directory in memory: its size then holds exactly, and counts as memory. Default `false`.
    pub work_in_memory: bool,
    /// Open files of each process of a run. Default 1024.
    pub max_open_files: u64,
    /// Longest time from the Job's making to the program's start. Default 10 minutes.
    pub start_limit: Duration,
    /// How long fetching the image may fail before the run does. Default 2 minutes.
    pub image_limit: Duration,
    /// How long a node may be silent before its runs count as lost. Default 2 minutes.
    pub node_limit: Duration,
    /// How long a finished Job stays if nobody removes it. Default 1 hour.
    pub keep_finished: Duration,
    /// What a run's supervisor writes at most in the long run, in bytes a second: slow enough that whoever follows the
    /// log is never a rotation behind. Default 2 MiB (8 MB a second were seen to be followed).
    pub output_bytes_per_second: u64,
    /// What it may write at once before that, in bytes: less than the 10 MiB at which a kubelet rotates. Default 6 MiB.
    pub output_burst_bytes: u64,
    /// Directory for output that the log's writer has not taken yet; must exist.
    pub scratch: PathBuf,
}

impl KubernetesSettings {
    /// The defaults for this namespace, without images.
    #[must_use]
    pub fn new(namespace: impl Into<String>, scratch: PathBuf) -> Self {
        Self {
            access: ClusterAccess::Inferred,
            namespace: namespace.into(),
            instance: "coderoom".to_owned(),
            images: BTreeMap::new(),
            pull_policy: PullPolicy::IfNotPresent,
            pull_secrets: Vec::new(),
            supervisor: "/usr/local/bin/coderoom-supervisor".to_owned(),
            service_account: None,
            runtime_class: None,
            host_users: true,
            node_selector: BTreeMap::new(),
            tolerations: Vec::new(),
            priority_class: None,
            kueue_queue: None,
            data_sets: Vec::new(),
            user: 65532,
            overhead_memory_bytes: 64 << 20,
            tmp_bytes: 512 << 20,
            work_in_memory: false,
            max_open_files: 1024,
            start_limit: Duration::from_secs(600),
            image_limit: Duration::from_secs(120),
            node_limit: Duration::from_secs(120),
            keep_finished: Duration::from_secs(3600),
            output_bytes_per_second: 2 << 20,
            output_burst_bytes: 6 << 20,
            scratch,
        }
    }

    /// The image for a language.
    #[must_use]
    pub fn image(&self, language: Language) -> Option<&str> {
        self.images.get(language.as_str()).map(String::as_str)
    }

    /// Checks what can be checked without a cluster.
    ///
    /// # Errors
    /// The first thing that is wrong, in a sentence.
    pub fn check(&self) -> Result<(), String> {
        label("namespace", &self.namespace)?;
        label("instance", &self.instance)?;
        if self.images.is_empty() {
            return Err("No image is set for any language, so no run could start.".to_owned());
        }
        for (language, image) in &self.images {
            if Language::parse(language).is_none() {
                return Err(format!("{language:?} is no language: python, scala or r."));
            }
            if image.is_empty() || image.contains(char::is_whitespace) {
                return Err(format!("{image:?} is no name of an image (for {language})."));
            }
        }
        if !self.supervisor.starts_with('/') {
            return Err(format!("The supervisor's path {:?} does not begin with /.", self.supervisor));
        }
        if self.user == 0 {
            return Err("Runs may not run as user 0.".to_owned());
        }
        let names = [&self.service_account, &self.runtime_class, &self.priority_class, &self.kueue_queue];
        for name in names.into_iter().flatten().chain(&self.pull_secrets) {
            if !is_name(name, 253) {
                return Err(format!("{name:?} is no name of a Kubernetes object."));
            }
        }
        for (at, set) in self.data_sets.iter().enumerate() {
            set.check()?;
            if self.data_sets.iter().take(at).any(|other| other.name == set.name) {
                return Err(format!("Two data sets are named {:?}.", set.name));
            }
        }
        if self.start_limit.is_zero() || self.start_limit > Duration::from_secs(24 * 3600) {
            return Err("The start limit must be between one second and one day.".to_owned());
        }
        if self.output_bytes_per_second < 64 << 10 {
            return Err("Output must be allowed at least 65536 bytes a second.".to_owned());
        }
        if self.output_burst_bytes < 64 << 10 {
            return Err("Output must be allowed at least 65536 bytes at once.".to_owned());
        }
        Ok(())
    }
}

fn label(what: &str, name: &str) -> Result<(), String> {
    match is_name(name, 63) && !name.contains('.') {
        true => Ok(()),
        false => Err(format!(
            "The {what} {name:?} is not at most 63 lower-case letters, digits and hyphens, with a letter or digit at each end."
        )),
    }
}

/// RFC 1123, as the API server checks it.
pub(super) fn is_name(name: &str, max_bytes: usize) -> bool {
    let inner = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    let ends = |byte: Option<&u8>| byte.is_some_and(|byte| inner(*byte));
    let bytes = name.as_bytes();
    bytes.len() <= max_bytes
        && ends(bytes.first())
        && ends(bytes.last())
        && bytes.iter().all(|byte| inner(*byte) || matches!(byte, b'-' | b'.'))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn good() -> KubernetesSettings {
        let mut settings = KubernetesSettings::new("runs", PathBuf::from("/tmp"));
        settings.images.insert("python".to_owned(), "registry.example/python:3".to_owned());
        settings
    }

    #[test]
    fn defaults_with_an_image_are_fine() {
        assert_eq!(good().check(), Ok(()));
        assert_eq!(good().image(Language::Python), Some("registry.example/python:3"));
        assert_eq!(good().image(Language::R), None);
    }

    #[test]
    fn what_is_wrong_is_said_in_a_sentence() {
        type Change = fn(&mut KubernetesSettings);
        let changes: [(Change, &str); 9] = [
            (|s| s.namespace = "Runs".into(), "namespace"),
            (|s| s.images.clear(), "No image"),
            (|s| drop(s.images.insert("perl".into(), "x".into())), "no language"),
            (|s| drop(s.images.insert("r".into(), "a b".into())), "no name of an image"),
            (|s| s.user = 0, "user 0"),
            (|s| s.supervisor = "coderoom-supervisor".into(), "begin with /"),
            (|s| s.runtime_class = Some("g visor".into()), "Kubernetes object"),
            (|s| s.start_limit = Duration::ZERO, "start limit"),
            (|s| s.output_bytes_per_second = 1, "65536 bytes a second"),
        ];
        for (change, words) in changes {
            let mut settings = good();
            change(&mut settings);
            let sentence = settings.check().unwrap_err();
            assert!(sentence.contains(words) && sentence.ends_with('.'), "{sentence:?} lacks {words:?}");
        }
    }

    #[test]
    fn tolerations_are_read_as_kubectl_writes_taints() {
        let full = RunToleration::parse("pool=runs:NoSchedule").unwrap();
        assert_eq!(
            (full.key.as_str(), full.value.as_deref(), full.effect.as_deref()),
            ("pool", Some("runs"), Some("NoSchedule"))
        );
        assert_eq!(
            RunToleration::parse("pool").unwrap(),
            RunToleration { key: "pool".into(), value: None, effect: None }
        );
        assert!(RunToleration::parse("pool:Never").is_err());
        assert!(RunToleration::parse("=x").is_err());
    }
}
