-- What is stored and no file has any more counts as storage of who made the task, until the sweep has removed it. A claim
-- is made under an id of its own by each upload, and becomes the task's when a file has the blob.
ALTER TABLE blob_claims ADD COLUMN size BIGINT NOT NULL DEFAULT 0;  -- of the content, in bytes
ALTER TABLE blob_claims ADD COLUMN maker TEXT;                      -- users.id; set when it is let go of. No foreign key: outlives the task
UPDATE blob_claims SET size = COALESCE((SELECT MAX(f.size) FROM files f WHERE f.blob_sha256 = blob_claims.sha256), 0);
CREATE INDEX blob_claims_by_task ON blob_claims (task_id);
CREATE INDEX blob_claims_by_maker ON blob_claims (maker) WHERE maker IS NOT NULL;
