//! Runs every suite on the embedded twins.

use std::path::Path;

use coderoom_backing::{bus::Bus, objects::Objects, queue::Queue, tables::Tables};

async fn open_tables(directory: &Path) -> Tables {
    Tables::open_sqlite(&directory.join("t.db")).await.unwrap()
}

async fn open_objects(directory: &Path) -> Objects {
    Objects::open_directory(directory).await.unwrap()
}

async fn open_bus(directory: &Path) -> Bus {
    Bus::open_local(directory).await.unwrap()
}

async fn open_queue(_directory: &Path) -> Queue {
    Queue::open_local_with(crate::queue::LIMITS)
}

/// A test for each claim of a suite, on a fresh embedded twin.
macro_rules! on_embedded {
    ($port:ident, $open:path, $($claim:ident),* $(,)?) => {
        mod $port {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $claim() {
                let directory = tempfile::tempdir().unwrap();
                let port = $open(directory.path()).await;
                crate::$port::$claim(&port).await;
            })*
        }
    };
}

crate::tables::every_claim!(on_embedded, super::open_tables);

on_embedded!(
    objects,
    super::open_objects,
    stored_object_comes_back_whole,
    put_replaces,
    missing_object_is_none,
    stream_starts_at_any_offset,
    streamed_object_is_stored_whole,
    stream_over_its_limit_leaves_the_old_object,
    failed_stream_leaves_the_old_object,
    abandoned_stream_leaves_the_old_object,
    readers_keep_the_object_they_opened,
    readers_never_get_a_mixture,
    long_listing_is_complete_and_in_order,
    store_answers_a_ping,
    files_go_in_and_out,
    bad_keys_are_refused,
    listing_has_a_folder_in_order,
    deleting_is_final_and_repeatable,
    puts_and_deletes_in_one_folder_do_not_disturb_each_other,
);

on_embedded!(
    bus,
    super::open_bus,
    every_subscriber_hears_every_message_in_order,
    topics_are_apart,
    subscriber_hears_nothing_from_before,
    slow_subscriber_hears_that_it_lost_messages,
    abandoned_wait_loses_no_message,
    entries_come_back_in_order_from_any_position,
    appending_again_is_harmless,
    reads_are_bounded_but_never_empty_handed,
    missing_stream_is_empty,
    trimming_keeps_what_is_not_stored_elsewhere,
    removed_stream_starts_anew,
    many_followers_read_a_growing_stream_whole,
);

on_embedded!(
    queue,
    super::open_queue,
    messages_come_in_order_once_each,
    waiting_consumer_is_woken,
    dropped_delivery_comes_again_first,
    abandoned_wait_takes_no_message,
    every_waiting_consumer_gets_one,
    refused_message_is_a_dead_letter,
    message_that_comes_back_too_often_is_a_dead_letter,
    message_nobody_takes_is_a_dead_letter,
    dropped_dead_letter_comes_again,
    message_in_hand_is_nobody_elses,
);
