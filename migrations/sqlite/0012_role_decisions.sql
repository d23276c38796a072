-- The last time an owner set somebody's role or removed them: links that were made before do not change that.
CREATE TABLE role_decisions (
    task_id TEXT NOT NULL REFERENCES tasks (id) ON DELETE CASCADE,
    user_id TEXT NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    id      TEXT NOT NULL,                    -- version 7, as those of links: the larger one is younger
    PRIMARY KEY (task_id, user_id)
);
