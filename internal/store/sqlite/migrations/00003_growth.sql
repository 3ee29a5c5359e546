-- What was archived may leave the database. The triggers that forbade every
-- deletion of the record give way to ones that let go what an archive holds. They
-- keep the Go code from a fault, as before. Against whoever can write to the file
-- they never helped: that is what the chain, the signed digests and the signed
-- archives are for (I-16).

-- +goose Up
-- How far the walk through old requests has come: one row.
CREATE TABLE sweeps (
    key      BLOB    NOT NULL PRIMARY KEY,
    rev      INTEGER NOT NULL,
    body     BLOB    NOT NULL,
    seal_key INTEGER NOT NULL,
    seal     BLOB    NOT NULL
) STRICT, WITHOUT ROWID;

-- The archives of the record, by number; digest is the last digest that each holds.
CREATE TABLE archives (
    key      BLOB    NOT NULL PRIMARY KEY,
    digest   INTEGER NOT NULL UNIQUE,
    rev      INTEGER NOT NULL,
    body     BLOB    NOT NULL,
    seal_key INTEGER NOT NULL,
    seal     BLOB    NOT NULL
) STRICT, WITHOUT ROWID;

-- +goose StatementBegin
CREATE TRIGGER archives_no_delete BEFORE DELETE ON archives
BEGIN
    SELECT RAISE(ABORT, 'archives are not forgotten');
END;
-- +goose StatementEnd

-- The cut of each stream that has archived entries: the last of them, as a digest
-- listed it. The sum of all cuts is in that digest's signature.
CREATE TABLE cuts (
    kind   INTEGER NOT NULL,
    stream BLOB    NOT NULL CHECK (length(stream) = 16),
    number INTEGER NOT NULL,
    hash   BLOB    NOT NULL CHECK (length(hash) = 32),
    PRIMARY KEY (kind, stream)
) STRICT, WITHOUT ROWID;

-- +goose StatementBegin
CREATE TRIGGER cuts_insert BEFORE INSERT ON cuts
WHEN NOT EXISTS (SELECT 1 FROM digest_changes AS c
    WHERE c.kind = NEW.kind AND c.stream = NEW.stream AND c.number = NEW.number AND c.hash = NEW.hash
    AND EXISTS (SELECT 1 FROM archives WHERE digest >= c.digest))
BEGIN
    SELECT RAISE(ABORT, 'a stream is cut where an archive ends');
END;
-- +goose StatementEnd

-- +goose StatementBegin
CREATE TRIGGER cuts_update BEFORE UPDATE ON cuts
WHEN NEW.kind <> OLD.kind OR NEW.stream <> OLD.stream OR NEW.number < OLD.number
BEGIN
    SELECT RAISE(ABORT, 'a cut only goes on');
END;
-- +goose StatementEnd

-- +goose StatementBegin
CREATE TRIGGER cuts_no_delete BEFORE DELETE ON cuts
BEGIN
    SELECT RAISE(ABORT, 'cuts are not deleted');
END;
-- +goose StatementEnd

DROP TRIGGER audit_append;

-- +goose StatementBegin
CREATE TRIGGER audit_append BEFORE INSERT ON audit
WHEN NEW.number < 1
    OR EXISTS (SELECT 1 FROM audit WHERE kind = NEW.kind AND stream = NEW.stream AND number = NEW.number)
    OR NEW.number > 1
    AND NOT EXISTS (SELECT 1 FROM audit WHERE kind = NEW.kind AND stream = NEW.stream
        AND number = NEW.number - 1
        AND hash IS NEW.previous)
    AND NOT EXISTS (SELECT 1 FROM cuts WHERE kind = NEW.kind AND stream = NEW.stream
        AND number = NEW.number - 1
        AND hash IS NEW.previous)
BEGIN
    SELECT RAISE(ABORT, 'audit entries follow one another');
END;
-- +goose StatementEnd

DROP TRIGGER audit_no_delete;

-- +goose StatementBegin
CREATE TRIGGER audit_no_delete BEFORE DELETE ON audit
WHEN NOT EXISTS (SELECT 1 FROM cuts WHERE kind = OLD.kind AND stream = OLD.stream AND number >= OLD.number)
BEGIN
    SELECT RAISE(ABORT, 'audit entries are not deleted before they are archived');
END;
-- +goose StatementEnd

DROP TRIGGER digest_changes_no_delete;

-- +goose StatementBegin
CREATE TRIGGER digest_changes_no_delete BEFORE DELETE ON digest_changes
WHEN NOT EXISTS (SELECT 1 FROM cuts WHERE kind = OLD.kind AND stream = OLD.stream AND number >= OLD.number)
BEGIN
    SELECT RAISE(ABORT, 'digests are not deleted before they are archived');
END;
-- +goose StatementEnd

DROP TRIGGER digests_no_delete;

-- The digest at the end of an archive stays: those after it rest on it.
-- +goose StatementBegin
CREATE TRIGGER digests_no_delete BEFORE DELETE ON digests
WHEN NOT EXISTS (SELECT 1 FROM archives WHERE digest > OLD.number)
    OR EXISTS (SELECT 1 FROM digest_changes WHERE digest = OLD.number)
BEGIN
    SELECT RAISE(ABORT, 'digests are not deleted before they are archived');
END;
-- +goose StatementEnd
