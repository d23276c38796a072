//! Every scenario on the embedded deployment.

use coderoom_tests::{
    scenarios::{
        command_line, crash, disk_full, doors, editing, floods, hostile_sequences, hostile_sockets, running, storage,
        strangers,
    },
    server::Deployment::Embedded,
};

macro_rules! scenarios {
    ($($module:ident :: $name:ident,)*) => {
        $(#[tokio::test(flavor = "multi_thread")]
        async fn $name() {
            $module::$name(Embedded).await;
        })*
    };
}

scenarios! {
    doors::every_door_has_a_row,
    doors::everybody_at_every_route,
    doors::everybody_with_every_message,
    doors::strangers_cannot_tell,
    editing::two_people_converge,
    editing::http_writes_reach_editors,
    editing::viewer_changes_nothing,
    crash::kill_while_typing_loses_nothing_acknowledged,
    crash::kill_while_a_run_prints_keeps_its_log,
    crash::terminate_drains,
    disk_full::full_disk_acknowledges_nothing_and_recovers,
    running::default_tasks_run,
    running::two_submits_at_once,
    running::stop_in_every_state,
    running::suspension_ends_what_somebody_runs,
    running::outputs_count_as_storage,
    storage::deleted_data_counts_and_refused_data_does_not,
    running::command_line_runs_a_folder,
    command_line::tail_prints_a_run_to_its_end,
    command_line::tail_keeps_escapes_from_a_terminal,
    command_line::task_import_makes_a_task_of_a_folder,
    command_line::administrators_reach_every_user_by_name,
    command_line::administrators_see_stop_and_drain,
    command_line::refused_runs_say_when_to_come_again,
    strangers::strangers_get_404,
    strangers::hostile_updates_harm_nobody,
    strangers::texts_with_nul_fail_nothing,
    hostile_sockets::broken_framing_ends_only_its_own_socket,
    hostile_sockets::huge_frame_is_refused_before_it_comes,
    hostile_sockets::client_that_never_reads_holds_up_nobody,
    hostile_sockets::text_on_a_binary_socket_is_ignored,
    hostile_sockets::mutated_frames_harm_nobody,
    hostile_sockets::too_much_before_auth_is_denied,
    hostile_sockets::much_from_nobody_ends_the_socket,
    hostile_sockets::upgrade_is_refused_to_strangers,
    hostile_sequences::hostile_sequences_disturb_nobody,
    floods::slow_headers_hold_up_nobody,
    floods::sockets_without_a_name_cost_little,
    floods::five_thousand_idle_sockets,
    floods::hundred_sockets_of_one_user,
    floods::login_storm_is_held_back,
}
