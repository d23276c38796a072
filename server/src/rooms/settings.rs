//! Limits and times of rooms, in one place.

/// How rooms behave. Sizes are bytes, times are milliseconds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RoomSettings {
    /// Whether other nodes work on the same tables and hear the same bus.
    pub other_nodes: bool,
    /// A gap in the numbers of edits is filled from the tables when it has not closed by itself after this long.
    pub gap_ms: u64,
    /// With other nodes, open documents are compared with the tables this often: a node may die before it tells anybody.
    pub compare_ms: u64,
    /// A room without sessions ends after this long.
    pub idle_room_ms: u64,
    /// A document without edits, joiners and readers leaves memory after this long; its members stay attached.
    pub idle_document_ms: u64,
    /// Events waiting for one room: senders wait beyond it. Each event counts as 1 KiB at least.
    pub mailbox_bytes: usize,
    /// Events waiting for one document while it loads. Beyond it the sending session is ended.
    pub loading_bytes: usize,
    /// One text file, in UTF-8.
    pub max_text_bytes: u64,
    /// All files of a task together, in UTF-8.
    pub max_task_bytes: u64,
    /// Blocks of one document, deleted ones included: each takes about 220 bytes of memory, whatever is in it. Typing makes one
    /// for about ten keys.
    pub max_pieces: u64,
    /// CPU time that merging one document's edits may take beyond what honest edits need; a single update may take a quarter
    /// of it. Beyond it the document takes no edits any more.
    pub merge_ms: u64,
    /// Edits of one document that are accepted and not stored. Beyond it the document takes no edits until storing works again.
    pub max_backlog_bytes: usize,
    /// A snapshot is taken after this many edits since the last one …
    pub compact_after_edits: u64,
    /// … or after this many bytes of them.
    pub compact_after_bytes: u64,
    /// A document that leaves memory is compacted when it has at least this many edits since its snapshot.
    pub compact_idle_after_edits: u64,
    /// Keep edits that a snapshot covers: for history; costs disk only.
    pub keep_history: bool,
    /// First syncs larger than this are cut into several frames.
    pub sync_piece_bytes: usize,
    /// Presence gathers this long before it is sent.
    pub presence_tick_ms: u64,
    /// Presence without renewal ends after this long (clients renew every 15 s).
    pub presence_expiry_ms: u64,
    /// Presence entries that one user may have in one place, with those that left within `presence_expiry_ms`.
    pub presence_entries: usize,
    /// Bytes of presence that one user may have in one place.
    pub presence_bytes: usize,
    /// A barrier gives up after this long.
    pub barrier_ms: u64,
    /// A commit waits this long for company before it starts; 0: starts at once.
    pub gather_ms: u64,
    /// Shortest and longest pause before a failed commit or load is tried again.
    pub retry_ms: (u64, u64),
}

impl Default for RoomSettings {
    fn default() -> Self {
        Self {
            other_nodes: false,
            gap_ms: 25,
            compare_ms: 5_000,
            idle_room_ms: 30_000,
            idle_document_ms: 30_000,
            mailbox_bytes: 4 * 1024 * 1024,
            loading_bytes: 5 * 1024 * 1024,
            max_text_bytes: 2 * 1024 * 1024,
            max_task_bytes: 1024 * 1024 * 1024,
            max_pieces: 100_000,
            merge_ms: 1_000,
            max_backlog_bytes: 4 * 1024 * 1024,
            compact_after_edits: 4_000,
            compact_after_bytes: 1024 * 1024,
            compact_idle_after_edits: 100,
            keep_history: false,
            sync_piece_bytes: 256 * 1024,
            presence_tick_ms: 40,
            presence_expiry_ms: 30_000,
            presence_entries: 128,
            presence_bytes: 64 * 1024,
            barrier_ms: 10_000,
            gather_ms: 0,
            retry_ms: (50, 2_000),
        }
    }
}
