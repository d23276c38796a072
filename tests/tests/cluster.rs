//! Every scenario of the embedded deployment that does not speak of its disk, on the cluster deployment; then what only
//! several processes and services across a wire can show. Runs below `coderoom-services`.

use coderoom_tests::{
    scenarios::{crash, editing, hostile_sockets, nodes, running, services, strangers},
    server::Deployment::Cluster,
};

macro_rules! scenarios {
    ($($module:ident :: $name:ident,)*) => {
        $(#[tokio::test(flavor = "multi_thread")]
        async fn $name() {
            $module::$name(Cluster).await;
        })*
    };
}

scenarios! {
    editing::two_people_converge,
    editing::http_writes_reach_editors,
    editing::viewer_changes_nothing,
    crash::kill_while_typing_loses_nothing_acknowledged,
    crash::kill_while_a_run_prints_keeps_its_log,
    crash::terminate_drains,
    running::default_tasks_run,
    running::two_submits_at_once,
    running::stop_in_every_state,
    running::command_line_runs_a_folder,
    strangers::strangers_get_404,
    strangers::hostile_updates_harm_nobody,
    hostile_sockets::broken_framing_ends_only_its_own_socket,
    hostile_sockets::client_that_never_reads_holds_up_nobody,
    hostile_sockets::mutated_frames_harm_nobody,
}

macro_rules! on_several_nodes {
    ($($module:ident :: $name:ident,)*) => {
        $(#[tokio::test(flavor = "multi_thread")]
        async fn $name() {
            $module::$name().await;
        })*
    };
}

on_several_nodes! {
    nodes::edits_and_files_reach_everybody_on_every_node,
    nodes::nodes_that_write_the_same_files_never_wait_for_each_other,
    nodes::run_submitted_on_one_node_is_followed_on_the_other,
    nodes::of_submits_on_two_nodes_one_wins,
    nodes::clients_of_a_killed_server_go_on_at_the_other,
    nodes::rolling_restart_loses_nothing,
    nodes::killed_worker_comes_back_to_its_run,
    services::killed_postgres_loses_nothing,
    services::frozen_postgres_loses_nothing,
    services::killed_redis_loses_nothing,
    services::frozen_redis_loses_nothing,
    services::flushed_redis_loses_nothing,
    services::killed_rabbitmq_loses_no_run,
    services::frozen_rabbitmq_loses_no_run,
    services::purged_queue_loses_no_run,
    services::killed_s3_loses_nothing,
    services::frozen_s3_loses_nothing,
}
