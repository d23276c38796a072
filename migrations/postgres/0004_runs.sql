-- Runs: the row is the queue. States: 1 queued, 2 running, 3 done, 4 failed, 5 stopped; every move is a compare-and-set.
CREATE TABLE runs (
    id                TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    task_id           TEXT COLLATE "C" NOT NULL REFERENCES tasks (id) ON DELETE CASCADE,
    number            BIGINT NOT NULL,
    user_id           TEXT COLLATE "C" NOT NULL REFERENCES users (id),
    language          TEXT COLLATE "C" NOT NULL,
    state             BIGINT NOT NULL,
    phase             TEXT COLLATE "C" NOT NULL DEFAULT '',
    reason            TEXT COLLATE "C",
    detail            TEXT COLLATE "C",
    command           TEXT COLLATE "C" NOT NULL,
    remarks           TEXT COLLATE "C" NOT NULL DEFAULT '',
    manifest_key      TEXT COLLATE "C" NOT NULL,
    exit_code         BIGINT,
    signal            BIGINT,
    peak_memory_bytes BIGINT,
    cpu_ms            BIGINT,
    sandbox           TEXT COLLATE "C",
    log_bytes         BIGINT NOT NULL DEFAULT 0,
    log_sha256        TEXT COLLATE "C",                    -- set once the log is complete and archived
    log_truncated     BIGINT NOT NULL DEFAULT 0,
    output_key        TEXT COLLATE "C",
    stop_by           TEXT COLLATE "C" REFERENCES users (id),
    stop_at           BIGINT,
    lease_owner       TEXT COLLATE "C",                    -- the worker process that has it; NULL: nobody, take it up
    lease_beat        BIGINT NOT NULL DEFAULT 0, -- rises while the owner lives; others measure its silence on their own clocks
    attempts          BIGINT NOT NULL DEFAULT 0, -- how often a worker began with it
    submitted_at      BIGINT NOT NULL,
    started_at        BIGINT,
    ended_at          BIGINT,
    UNIQUE (task_id, number)
);
-- A user has at most one unfinished run per task.
CREATE UNIQUE INDEX runs_unfinished ON runs (task_id, user_id) WHERE state IN (1, 2);
CREATE INDEX runs_waiting ON runs (submitted_at) WHERE state = 1;
CREATE INDEX runs_running ON runs (user_id) WHERE state = 2;
CREATE INDEX runs_of_user ON runs (user_id) WHERE state IN (1, 2);
CREATE INDEX runs_by_task ON runs (task_id, submitted_at);

-- Runs whose doorbell has not been rung yet.
CREATE TABLE outbox (
    run_id     TEXT COLLATE "C" NOT NULL PRIMARY KEY REFERENCES runs (id) ON DELETE CASCADE,
    created_at BIGINT NOT NULL
);

-- Archived parts of logs, in objects; [start, end) in bytes of the log.
CREATE TABLE log_segments (
    run_id     TEXT COLLATE "C" NOT NULL REFERENCES runs (id) ON DELETE CASCADE,
    start      BIGINT NOT NULL,
    "end"      BIGINT NOT NULL,
    object_key TEXT COLLATE "C" NOT NULL,
    PRIMARY KEY (run_id, start)
);
