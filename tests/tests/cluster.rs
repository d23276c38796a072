//! Scenarios on the cluster deployment: PostgreSQL, S3, Redis and RabbitMQ, one process and several. Runs below
//! `coderoom-services`.

use coderoom_tests::{
    scenarios::{crash, doors, editing, hostile_sockets, moments, nodes, pods, running, services, storage, strangers},
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
    nodes::nodes_that_write_the_same_files_never_wait_for_each_other(),
    nodes::killed_worker_comes_back_to_its_run(),
    moments::server_killed_between_commit_and_publish_loses_no_edit(),
    moments::server_killed_between_commit_and_doorbell_loses_no_run(),
    moments::clocks_five_minutes_off_change_nothing(),
    pods::run_goes_to_a_pod_and_its_log_comes_back(),
    crash::kill_while_typing_loses_nothing_acknowledged(Cluster),
    crash::kill_while_a_run_prints_keeps_its_log(Cluster),
    crash::terminate_drains(Cluster),
    running::default_tasks_run(Cluster),
    running::two_submits_at_once(Cluster),
    running::stop_in_every_state(Cluster),
    running::suspension_ends_what_somebody_runs(Cluster),
    running::outputs_count_as_storage(Cluster),
    storage::deleted_data_counts_and_refused_data_does_not(Cluster),
    strangers::strangers_get_404(Cluster),
    strangers::hostile_updates_harm_nobody(Cluster),
    strangers::texts_with_nul_fail_nothing(Cluster),
    hostile_sockets::mutated_frames_harm_nobody(Cluster),
    nodes::change_of_access_reaches_open_sockets_of_the_other_node(),
    doors::every_door_has_a_row(Cluster),
    doors::strangers_cannot_tell(Cluster),
    doors::everybody_at_every_route(Cluster),
    doors::everybody_with_every_message(Cluster),
    services::killed_postgres_loses_nothing(),
    services::frozen_postgres_loses_nothing(),
    services::killed_redis_loses_nothing(),
    services::frozen_redis_loses_nothing(),
    services::killed_s3_loses_nothing(),
    services::frozen_s3_loses_nothing(),
    services::flushed_redis_loses_nothing(),
    services::killed_rabbitmq_loses_no_run(),
    services::frozen_rabbitmq_loses_no_run(),
    services::purged_queue_loses_no_run(),
    services::deleted_queue_loses_no_run(),
}
