//! Settings of the Kubernetes executor: where Jobs are made, and what their pods look like.

use std::{path::PathBuf, time::Duration};

use super::{Field, SettingValue, Topic, topic};
use crate::config::value::{ByteSize, choice};

choice! {
    /// When a node fetches an image.
    ImagePullPolicy, "`IfNotPresent`, `Always` or `Never`" {
        /// When the node has none of that name.
        IfNotPresent = "IfNotPresent",
        /// At every start.
        Always = "Always",
        /// Never: the node must have it.
        Never = "Never",
    }
}

topic! {
    /// The cluster of `executor = "kubernetes"`.
    Kubernetes "kubernetes" {
        /// Namespace that Jobs are made in; it must exist.
        namespace: String = "coderoom-runs".into();
        /// Tells this deployment's Jobs from those of another one in the same namespace.
        instance: String = "coderoom".into();
        /// A kubeconfig file. Not set: the pod's own service account, or what `KUBECONFIG` names.
        kubeconfig: Option<PathBuf> = None;
        /// A context of that file. Not set: its current one.
        context: Option<String> = None;
        /// Image for each language: `python=registry/python-run:1`, `scala=…`, `r=…`.
        images: Vec<String> = Vec::new();
        /// When nodes fetch images.
        pull_policy: ImagePullPolicy = ImagePullPolicy::IfNotPresent;
        /// Secrets with the credentials of the images' registry.
        pull_secrets: Vec<String> = Vec::new();
        /// Where the supervisor lies in the images.
        supervisor: String = "/usr/local/bin/coderoom-supervisor".into();
        /// Service account of the pods; its token is never mounted. Not set: the namespace's default.
        service_account: Option<String> = None;
        /// Runtime class, such as `gvisor` or `kata`. Not set: the nodes' usual one.
        runtime_class: Option<String> = None;
        /// Whether pods share the nodes' users. `false` gives each a user namespace of its own, where nodes can do that.
        host_users: bool = true;
        /// Labels that a node must have: `key=value`.
        node_selector: Vec<String> = Vec::new();
        /// Taints that pods accept: `key`, `key=value`, `key:effect` or `key=value:effect`.
        tolerations: Vec<String> = Vec::new();
        /// Priority class of the pods.
        priority_class: Option<String> = None;
        /// Local queue of Kueue that admits the Jobs.
        kueue_queue: Option<String> = None;
        /// Directories that every run can read below `data/`: `name=claim:CLAIM`, `name=nfs:SERVER:/path` or `name=image:REFERENCE`.
        data_sets: Vec<String> = Vec::new();
        /// User and group that programs run as.
        user: u32 = 65_532;
        /// Memory on top of a run's limit, for the supervisor itself.
        overhead_memory: ByteSize = ByteSize::mib(64);
        /// Size of `/tmp`.
        tmp_size: ByteSize = ByteSize::mib(512);
        /// Whether the work directory is kept in memory: its size then holds exactly, and counts as memory.
        work_in_memory: bool = false;
        /// Longest time from making a Job to the program's start.
        start_limit: Duration = Duration::from_secs(600);
        /// How long fetching an image may fail before the run does.
        image_limit: Duration = Duration::from_secs(120);
        /// How long a node may be silent before its runs count as lost.
        node_limit: Duration = Duration::from_secs(120);
        /// How long a finished Job stays if nobody removes it.
        keep_finished: Duration = Duration::from_secs(3600);
        /// What a run writes at most in the long run, a second: slow enough that its log is followed without a gap.
        output_per_second: ByteSize = ByteSize::mib(2);
        /// What it may write at once before that: less than the 10 MiB at which nodes rotate logs.
        output_burst: ByteSize = ByteSize::mib(6);
    }
}
