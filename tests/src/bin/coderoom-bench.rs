//! `coderoom-bench [NAME…]`: runs the benchmarks (all, or those whose name contains one of the words) and prints a table.
#![expect(clippy::print_stdout, reason = "its output is what it is for")]

use coderoom_tests::bench::{Finding, documents, fan_out, kubernetes, logs, memory, stall, two_nodes, zips};

type Benchmark = (&'static str, fn() -> std::pin::Pin<Box<dyn Future<Output = Vec<Finding>>>>);

macro_rules! benchmarks {
    ($($name:literal => $run:path,)*) => { &[$(($name, || Box::pin($run()))),*] };
}

const BENCHMARKS: &[Benchmark] = benchmarks! {
    "fan_out" => fan_out::one_document,
    "many_rooms" => fan_out::many_rooms,
    "flat_out" => fan_out::flat_out,
    "memory" => memory::idle_connections,
    "cold" => documents::cold_to_synced,
    "reconnect" => documents::reconnect_storm,
    "stall" => stall::stalled_reader,
    "two_nodes" => two_nodes::two_nodes,
    "kubernetes" => kubernetes::runs,
    "submit" => logs::submit_to_line,
    "large_log" => logs::large_log,
    "zip" => zips::gibibyte,
};

#[tokio::main]
async fn main() {
    let words: Vec<String> = std::env::args().skip(1).collect();
    println!("| what | measured | goal | reached |\n|---|---|---|---|");
    for (name, run) in BENCHMARKS {
        if words.is_empty() || words.iter().any(|word| name.contains(word.as_str())) {
            for Finding { what, measured, goal, reached } in run().await {
                println!("| {what} | {measured} | {goal} | {} |", if reached { "yes" } else { "**no**" });
            }
        }
    }
}
