//! Scenarios on the cluster deployment: PostgreSQL, S3, Redis and RabbitMQ, one process and several. Runs below
//! `coderoom-services`.

use coderoom_tests::{
    scenarios::{editing, nodes},
    server::Deployment::Cluster,
};

macro_rules! scenarios {
    ($($module:ident :: $name:ident ( $($deployment:expr)? ),)*) => {
        $(#[tokio::test(flavor = "multi_thread")]
        async fn $name() {
            $module::$name($($deployment)?).await;
        })*
    };
}

scenarios! {
    editing::two_people_converge(Cluster),
    editing::http_writes_reach_editors(Cluster),
    editing::viewer_changes_nothing(Cluster),
    nodes::edits_and_files_reach_everybody_on_every_node(),
    nodes::run_submitted_on_one_node_is_followed_on_the_other(),
    nodes::of_submits_on_two_nodes_one_wins(),
    nodes::clients_of_a_killed_server_go_on_at_the_other(),
    nodes::rolling_restart_loses_nothing(),
}
