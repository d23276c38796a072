-- The log of edits and the snapshots that shorten it. A row of edits holds `count` updates (Yjs v1), numbered
-- seq … seq+count-1 without gaps, each as varUint length + bytes: one row for what one commit gathered for a file.
CREATE TABLE edits (
    file_id TEXT COLLATE "C" NOT NULL REFERENCES files (id) ON DELETE CASCADE,
    epoch   BIGINT NOT NULL,
    seq     BIGINT NOT NULL,
    count   BIGINT NOT NULL,
    data    BYTEA  NOT NULL,
    at      BIGINT NOT NULL,
    PRIMARY KEY (file_id, epoch, seq)
);

-- State of a document up to and with edit `seq`: Yjs v2, zstd.
CREATE TABLE snapshots (
    file_id TEXT COLLATE "C" NOT NULL REFERENCES files (id) ON DELETE CASCADE,
    epoch   BIGINT NOT NULL,
    seq     BIGINT NOT NULL,
    data    BYTEA  NOT NULL,
    at      BIGINT NOT NULL,
    PRIMARY KEY (file_id, epoch)
);
