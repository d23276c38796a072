-- Tasks, members, and files by full path (folders are what paths imply).
CREATE TABLE tasks (
    id         TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    name       TEXT COLLATE "C" NOT NULL,
    language   TEXT COLLATE "C" NOT NULL,
    remarks    TEXT COLLATE "C" NOT NULL DEFAULT '',
    revision   BIGINT NOT NULL DEFAULT 0,      -- counts changes of the tree
    main_file  TEXT COLLATE "C",                           -- files.id; set in the transaction that makes the task
    run_count  BIGINT NOT NULL DEFAULT 0,      -- the newest run's number
    search_key TEXT COLLATE "C" NOT NULL DEFAULT '',     -- name and remarks, NFC and lower case, for the search in lists
    import_of  TEXT COLLATE "C" REFERENCES tasks (id) ON DELETE CASCADE, -- set: no task, but files on their way into that one
    created_by TEXT COLLATE "C" NOT NULL REFERENCES users (id),
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL
);
CREATE INDEX tasks_by_update ON tasks (updated_at, id);
CREATE INDEX tasks_importing ON tasks (import_of) WHERE import_of IS NOT NULL;

CREATE TABLE members (
    task_id TEXT COLLATE "C" NOT NULL REFERENCES tasks (id) ON DELETE CASCADE,
    user_id TEXT COLLATE "C" NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    role    TEXT COLLATE "C" NOT NULL,
    PRIMARY KEY (task_id, user_id)
);
CREATE INDEX members_by_user ON members (user_id);

CREATE TABLE files (
    id          TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    task_id     TEXT COLLATE "C" NOT NULL REFERENCES tasks (id) ON DELETE CASCADE,
    path        TEXT COLLATE "C" NOT NULL,
    path_key    TEXT COLLATE "C" NOT NULL,               -- case folded: no two paths may differ only in case
    kind        TEXT COLLATE "C" NOT NULL,               -- text | blob
    epoch       BIGINT NOT NULL DEFAULT 1,     -- a document is (file, epoch); replaced content begins a new epoch
    seq         BIGINT NOT NULL DEFAULT 0,     -- number of the last stored edit of this epoch
    size        BIGINT NOT NULL DEFAULT 0,     -- bytes of UTF-8; for text as of size_seq, an upper bound after it
    blob_sha256 TEXT COLLATE "C",
    created_at  BIGINT NOT NULL,
    updated_at  BIGINT NOT NULL,
    UNIQUE (task_id, path_key)
);
CREATE INDEX files_by_blob ON files (blob_sha256) WHERE blob_sha256 IS NOT NULL;

-- Objects that may be garbage: a row is made before a blob is stored and when a file lets go of one. The sweep looks
-- at old rows only, and deletes the object when neither a file nor a run's snapshot of that task refers to it.
CREATE TABLE blob_claims (
    sha256   TEXT COLLATE "C" NOT NULL,
    task_id  TEXT COLLATE "C" NOT NULL,                  -- no foreign key: outlives the task
    at       BIGINT NOT NULL,
    deleting BIGINT NOT NULL DEFAULT 0,        -- since when the object is being deleted; who wants to store it waits
    PRIMARY KEY (sha256, task_id)
);
CREATE INDEX blob_claims_by_age ON blob_claims (at);

-- Runs of deleted tasks: what object storage still has of them is deleted by the sweep.
CREATE TABLE run_remains (
    run_id TEXT COLLATE "C" NOT NULL PRIMARY KEY,        -- no foreign key: outlives the run
    at     BIGINT NOT NULL
);
