-- What a token may do, sessions that keep their identity while their key changes, and who somebody is elsewhere.
ALTER TABLE tokens ADD COLUMN scopes TEXT COLLATE "C";             -- words separated by spaces; NULL: all
ALTER TABLE tokens ADD COLUMN tasks TEXT COLLATE "C";              -- ids separated by spaces; NULL: all

ALTER TABLE sessions ADD COLUMN id TEXT COLLATE "C";               -- stays when the key changes
ALTER TABLE sessions ADD COLUMN agent TEXT COLLATE "C";            -- what the browser calls itself
ALTER TABLE sessions ADD COLUMN address TEXT COLLATE "C";          -- where it signed in from
ALTER TABLE sessions ADD COLUMN keyed_at BIGINT;       -- when the present key was made
ALTER TABLE sessions ADD COLUMN old_hash BYTEA;        -- the key before, which works a little longer
ALTER TABLE sessions ADD COLUMN old_until BIGINT;
UPDATE sessions SET id = encode(hash, 'hex'), keyed_at = created_at;
CREATE UNIQUE INDEX sessions_by_id ON sessions (id);
CREATE INDEX sessions_by_old_hash ON sessions (old_hash) WHERE old_hash IS NOT NULL;

CREATE TABLE external_identities (
    issuer  TEXT COLLATE "C" NOT NULL,
    subject TEXT COLLATE "C" NOT NULL,
    user_id TEXT COLLATE "C" NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    at      BIGINT NOT NULL,
    PRIMARY KEY (issuer, subject)
);
CREATE INDEX external_identities_by_user ON external_identities (user_id);

-- Sign-ins with another provider that have begun: the browser has been sent there and is expected back.
CREATE TABLE pending_sign_ins (
    hash       BYTEA  NOT NULL PRIMARY KEY,            -- SHA-256 of `state`
    provider   TEXT COLLATE "C" NOT NULL,
    nonce      TEXT COLLATE "C" NOT NULL,
    verifier   TEXT COLLATE "C" NOT NULL,                        -- PKCE
    return_to  TEXT COLLATE "C" NOT NULL,
    expires_at BIGINT NOT NULL
);
