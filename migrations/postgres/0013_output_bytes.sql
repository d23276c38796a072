-- Bytes of what a run left in `output/`, as it is stored: they count as storage of who made the task.
ALTER TABLE runs ADD COLUMN output_bytes BIGINT NOT NULL DEFAULT 0; -- 0 also for runs that ended before this change
CREATE INDEX runs_with_output ON runs (task_id, output_bytes) WHERE output_bytes > 0;
