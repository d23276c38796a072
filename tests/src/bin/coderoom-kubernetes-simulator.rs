//! A simulated Kubernetes cluster in a process of its own: prints the path of its kubeconfig and serves until it is told to end.
//!
//! `coderoom-kubernetes-simulator [--listen ADDRESS] [--delays FACTOR] [--file HOST:PATH]…`

#![allow(clippy::print_stdout, reason = "the kubeconfig's path is its output")]

use anyhow::Context;
use coderoom_tests::kubernetes::{Simulator, options::Options};
use tokio::signal::unix::{SignalKind, signal};

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let simulator = Simulator::start(read_options(std::env::args().skip(1))?).await?;
    println!("{}", simulator.kubeconfig().display());
    let mut terminate = signal(SignalKind::terminate())?;
    tokio::select! {
        _ = terminate.recv() => {}
        ended = tokio::signal::ctrl_c() => ended?,
    }
    Ok(())
}

fn read_options(mut words: impl Iterator<Item = String>) -> anyhow::Result<Options> {
    let mut options = Options { delays: 1.0, ..Options::default() };
    while let Some(word) = words.next() {
        let value = words.next().with_context(|| format!("{word} needs a value"))?;
        match word.as_str() {
            "--listen" => options.listen = value,
            "--delays" => options.delays = value.parse().context("read --delays")?,
            "--namespace" => options.namespaces.push(value),
            "--file" => {
                let (host, path) = value.split_once(':').context("--file is HOST:PATH")?;
                options.image_files.push((host.into(), path.to_owned()));
            }
            _ => anyhow::bail!("usage: [--listen ADDRESS] [--delays FACTOR] [--namespace NAME]… [--file HOST:PATH]…"),
        }
    }
    Ok(options)
}
