-- Deleted tasks: the texts that their runs were given are deleted from object storage by the sweep.
CREATE TABLE task_remains (
    task_id TEXT COLLATE "C" NOT NULL PRIMARY KEY,       -- no foreign key: outlives the task
    at      BIGINT NOT NULL
);
