-- Processes on these tables, so that one that starts knows who else is there: `beat` rises while a process lives.
CREATE TABLE nodes (
    number BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    kind   TEXT COLLATE "C" NOT NULL, -- server, worker
    host   TEXT COLLATE "C" NOT NULL,
    bus    TEXT COLLATE "C" NOT NULL, -- what carries its announcements
    queue  TEXT COLLATE "C" NOT NULL, -- what carries its doorbells
    beat   BIGINT NOT NULL
);

-- The deployment's name, which its object storage has too: the two belong together.
CREATE TABLE deployment (
    one       BIGINT NOT NULL PRIMARY KEY CHECK (one = 1),
    name      TEXT COLLATE "C" NOT NULL,
    is_marked BIGINT NOT NULL -- whether the name was written into the object storage
);
