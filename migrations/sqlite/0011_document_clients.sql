-- Whose client ids they are: nobody else may go on writing with one. A page takes a new id for each document it opens, and has a
-- row here once it has written.
CREATE TABLE document_clients (
    file_id TEXT NOT NULL REFERENCES files (id) ON DELETE CASCADE,
    client  BIGINT NOT NULL,                   -- Yjs client id, below 2^53
    user_id TEXT NOT NULL,
    PRIMARY KEY (file_id, client)
) WITHOUT ROWID;
