//! From the settings `kubernetes.*` to the executor.

use std::{collections::BTreeMap, path::PathBuf};

use coderoom_backing::objects::Objects;
use coderoom_worker::executor::{
    Executor,
    kubernetes::{ClusterAccess, DataSet, KubernetesExecutor, KubernetesSettings, PullPolicy, RunToleration},
};

use super::parts;
use crate::{
    app::Sandbox,
    config::{Settings, topics::Kubernetes, value::SettingValue as _},
};

/// The executor, if it can be opened, and what to say about it.
pub(super) async fn open(settings: &Settings, objects: &Objects) -> (Option<Executor>, Sandbox) {
    let mut sandbox = Sandbox { level: "none".into(), minimum: settings.sandbox.minimum.show(), ..Sandbox::default() };
    let opened = async {
        let scratch = parts::make_scratch(settings).await.map_err(|error| format!("{error:#}"))?;
        let settings = executor_settings(&settings.kubernetes, scratch)?;
        KubernetesExecutor::open(settings, objects.clone()).await.map_err(|error| error.to_string())
    };
    match opened.await {
        Ok(executor) => {
            let executor = Executor::Kubernetes(executor);
            executor.level().clone_into(&mut sandbox.level);
            sandbox.sufficient = true;
            tracing::info!(namespace = settings.kubernetes.namespace, "runs go to Kubernetes");
            (Some(executor), sandbox)
        }
        Err(note) => {
            tracing::warn!("no code is run: {note}");
            sandbox.notes.push(note);
            (None, sandbox)
        }
    }
}

fn executor_settings(from: &Kubernetes, scratch: PathBuf) -> Result<KubernetesSettings, String> {
    let pairs = |name: &str, texts: &[String]| -> Result<BTreeMap<String, String>, String> {
        let pair = |text: &String| text.split_once('=').map(|(key, value)| (key.to_owned(), value.to_owned()));
        texts
            .iter()
            .map(|text| pair(text).ok_or_else(|| format!("kubernetes.{name}: {text:?} is not KEY=VALUE.")))
            .collect()
    };
    let tolerations = from.tolerations.iter().map(|text| RunToleration::parse(text));
    let data_sets = from.data_sets.iter().map(|text| DataSet::parse(text));
    Ok(KubernetesSettings {
        access: match (&from.kubeconfig, &from.context) {
            (None, None) => ClusterAccess::Inferred,
            (None, Some(_)) => return Err("kubernetes.context is of a file that kubernetes.kubeconfig names.".into()),
            (Some(path), context) => ClusterAccess::File { path: path.clone(), context: context.clone() },
        },
        instance: from.instance.clone(),
        images: pairs("images", &from.images)?,
        pull_policy: PullPolicy::parse(&from.pull_policy.show()).unwrap_or(PullPolicy::IfNotPresent),
        pull_secrets: from.pull_secrets.clone(),
        supervisor: from.supervisor.clone(),
        service_account: from.service_account.clone(),
        runtime_class: from.runtime_class.clone(),
        host_users: from.host_users,
        node_selector: pairs("node_selector", &from.node_selector)?,
        tolerations: tolerations.collect::<Result<_, _>>()?,
        priority_class: from.priority_class.clone(),
        kueue_queue: from.kueue_queue.clone(),
        data_sets: data_sets.collect::<Result<_, _>>()?,
        user: from.user,
        overhead_memory_bytes: from.overhead_memory.0,
        tmp_bytes: from.tmp_size.0,
        work_in_memory: from.work_in_memory,
        start_limit: from.start_limit,
        image_limit: from.image_limit,
        node_limit: from.node_limit,
        keep_finished: from.keep_finished,
        output_bytes_per_second: from.output_per_second.0,
        output_burst_bytes: from.output_burst.0,
        ..KubernetesSettings::new(from.namespace.clone(), scratch)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn defaults_with_an_image_are_those_of_the_executor() {
        let from = Kubernetes { images: vec!["python=registry.example/python:3".into()], ..Kubernetes::default() };
        let mapped = executor_settings(&from, PathBuf::from("/scratch")).unwrap();
        let mut own = KubernetesSettings::new("coderoom-runs", PathBuf::from("/scratch"));
        own.images.insert("python".into(), "registry.example/python:3".into());
        assert_eq!(format!("{mapped:?}"), format!("{own:?}"));
        assert_eq!(mapped.check(), Ok(()));
    }

    #[test]
    fn what_cannot_be_read_is_said_in_a_sentence() {
        let of = |change: fn(&mut Kubernetes)| {
            let mut from = Kubernetes::default();
            change(&mut from);
            executor_settings(&from, PathBuf::new()).unwrap_err()
        };
        assert!(of(|from| from.images = vec!["python".into()]).contains("kubernetes.images"));
        assert!(of(|from| from.data_sets = vec!["a=host:/etc".into()]).contains("data set"));
        assert!(of(|from| from.context = Some("x".into())).contains("kubernetes.kubeconfig"));
        assert!(of(|from| from.tolerations = vec!["a:b".into()]).contains("taint"));
    }
}
