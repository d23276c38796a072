-- Memberships that end, and links that invite. Who came by a link stays as long as the link does, unless it says otherwise.
ALTER TABLE members ADD COLUMN expires_at BIGINT;      -- no member any more from then on; NULL: until ended. Never set for owners
ALTER TABLE members ADD COLUMN link_id TEXT COLLATE "C";           -- share_links.id of the link they came by, while they depend on it
CREATE INDEX members_by_link ON members (link_id) WHERE link_id IS NOT NULL;
CREATE INDEX members_ending ON members (expires_at) WHERE expires_at IS NOT NULL;

CREATE TABLE share_links (
    id         TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    hash       BYTEA  NOT NULL UNIQUE,                 -- SHA-256 of the code
    task_id    TEXT COLLATE "C" NOT NULL REFERENCES tasks (id) ON DELETE CASCADE,
    role       TEXT COLLATE "C" NOT NULL,
    note       TEXT COLLATE "C" NOT NULL DEFAULT '',
    keeps      BIGINT NOT NULL DEFAULT 0,              -- 1: who came by it stays when it ends
    created_by TEXT COLLATE "C" NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    created_at BIGINT NOT NULL,
    expires_at BIGINT,
    max_uses   BIGINT,
    uses       BIGINT NOT NULL DEFAULT 0
);
CREATE INDEX share_links_by_task ON share_links (task_id);
