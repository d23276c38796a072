-- Who did what to which task when. Rows are only ever added: the names are copied, because people and tasks go.
CREATE TABLE audit (
    id        TEXT COLLATE "C" NOT NULL PRIMARY KEY,             -- UUIDv7: in the order of time
    at        BIGINT NOT NULL,
    user_id   TEXT COLLATE "C",
    user_name TEXT COLLATE "C" NOT NULL DEFAULT '',
    address   TEXT COLLATE "C" NOT NULL DEFAULT '',
    action    TEXT COLLATE "C" NOT NULL,
    task_id   TEXT COLLATE "C",
    detail    TEXT COLLATE "C" NOT NULL DEFAULT ''
);
CREATE INDEX audit_by_task ON audit (task_id, id) WHERE task_id IS NOT NULL;
CREATE INDEX audit_by_user ON audit (user_id, id) WHERE user_id IS NOT NULL;
CREATE FUNCTION audit_refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'the audit log is append-only'; END $$;
CREATE TRIGGER audit_is_not_changed BEFORE UPDATE OR DELETE ON audit FOR EACH ROW EXECUTE FUNCTION audit_refuse();
