-- Tasks, members, and files by full path (folders are what paths imply).
CREATE TABLE tasks (
    id         TEXT   NOT NULL PRIMARY KEY,
    name       TEXT   NOT NULL,
    language   TEXT   NOT NULL,
    remarks    TEXT   NOT NULL DEFAULT '',
    revision   BIGINT NOT NULL DEFAULT 0,      -- counts changes of the tree
    main_file  TEXT,                           -- files.id; set in the transaction that makes the task
    run_count  BIGINT NOT NULL DEFAULT 0,      -- the newest run's number
    created_by TEXT   NOT NULL REFERENCES users (id),
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL
);

CREATE TABLE members (
    task_id TEXT NOT NULL REFERENCES tasks (id) ON DELETE CASCADE,
    user_id TEXT NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    role    TEXT NOT NULL,
    PRIMARY KEY (task_id, user_id)
);
CREATE INDEX members_by_user ON members (user_id);

CREATE TABLE files (
    id          TEXT   NOT NULL PRIMARY KEY,
    task_id     TEXT   NOT NULL REFERENCES tasks (id) ON DELETE CASCADE,
    path        TEXT   NOT NULL,
    path_key    TEXT   NOT NULL,               -- case folded: no two paths may differ only in case
    kind        TEXT   NOT NULL,               -- text | blob
    epoch       BIGINT NOT NULL DEFAULT 1,     -- a document is (file, epoch); replaced content begins a new epoch
    seq         BIGINT NOT NULL DEFAULT 0,     -- number of the last stored edit of this epoch
    size        BIGINT NOT NULL DEFAULT 0,     -- bytes of UTF-8; for text as of size_seq, an upper bound after it
    blob_sha256 TEXT,
    created_at  BIGINT NOT NULL,
    updated_at  BIGINT NOT NULL,
    UNIQUE (task_id, path_key)
);
