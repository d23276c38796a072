-- Processes on these tables, so that one that starts knows who else is there: `beat` rises while a process lives.
CREATE TABLE nodes (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    kind   TEXT   NOT NULL, -- server, worker
    host   TEXT   NOT NULL,
    bus    TEXT   NOT NULL, -- what carries its announcements
    queue  TEXT   NOT NULL, -- what carries its doorbells
    beat   BIGINT NOT NULL
);

-- The deployment's name, which its object storage has too: the two belong together.
CREATE TABLE deployment (
    one       BIGINT NOT NULL PRIMARY KEY CHECK (one = 1),
    name      TEXT   NOT NULL,
    is_marked BIGINT NOT NULL -- whether the name was written into the object storage
);
