//! Makes a namespace of its own in the cluster that `KUBECONFIG` names, runs a command, removes the namespace.
//!
//! `coderoom-kubernetes-namespace COMMAND [ARGUMENT]…`: the command finds the kubeconfig in `CODEROOM_TEST_KUBECONFIG` and the
//! namespace in `CODEROOM_TEST_KUBERNETES_NAMESPACE`. Ends with the command's exit code; the namespace goes in any case.

#![allow(clippy::print_stderr, reason = "what it does is for whoever runs it")]

use std::process::ExitCode;

use anyhow::Context;
use k8s_openapi::api::core::v1::Namespace;
use kube::{
    Api, Client, Config,
    api::{DeleteParams, PostParams},
    config::{KubeConfigOptions, Kubeconfig},
};
use serde_json::json;

#[tokio::main]
async fn main() -> anyhow::Result<ExitCode> {
    // Already installed is fine.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let mut words = std::env::args_os().skip(1);
    let command = words.next().context("usage: coderoom-kubernetes-namespace COMMAND [ARGUMENT]…")?;
    let path = std::env::var_os("KUBECONFIG").context("KUBECONFIG is not set")?;
    let kubeconfig = Kubeconfig::read_from(&path).context("read the kubeconfig")?;
    let config = Config::from_custom_kubeconfig(kubeconfig, &KubeConfigOptions::default())
        .await
        .context("understand the kubeconfig")?;
    let namespaces: Api<Namespace> = Api::all(Client::try_from(config).context("make a client")?);
    let name = format!("coderoom-test-{:08x}", rand::random::<u32>());
    let namespace = serde_json::from_value(json!({
        "metadata": {"name": name, "labels": {"pod-security.kubernetes.io/enforce": "restricted"}},
    }))?;
    namespaces.create(&PostParams::default(), &namespace).await.context("create a namespace")?;
    eprintln!("namespace {name}");
    let ended = tokio::process::Command::new(command)
        .args(words)
        .env("CODEROOM_TEST_KUBECONFIG", &path)
        .env("CODEROOM_TEST_KUBERNETES_NAMESPACE", &name)
        .status()
        .await;
    namespaces.delete(&name, &DeleteParams::default()).await.with_context(|| format!("remove the namespace {name}"))?;
    let code = ended.context("run the command")?.code().and_then(|code| u8::try_from(code).ok());
    Ok(ExitCode::from(code.unwrap_or(1)))
}
