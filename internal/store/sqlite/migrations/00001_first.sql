-- The authority's tables. Times are Unix milliseconds, NULL for none; zero
-- indexes, MACs, verifiers and identifiers are NULL as well. Hot tables are
-- clustered by their key and found by it alone.

-- +goose Up
-- "Lium": tells this database from any other SQLite file.
PRAGMA application_id = 1281979757;

CREATE TABLE cards (
    id         BLOB    NOT NULL PRIMARY KEY,
    holder     BLOB    NOT NULL UNIQUE, -- one card a holder (I-4)
    sealed     BLOB,
    region     TEXT    NOT NULL,
    version    INTEGER NOT NULL,
    key_set    INTEGER NOT NULL,
    verifier   BLOB,
    reserved   INTEGER NOT NULL,
    pin_set_at INTEGER,
    mac        BLOB,
    physical   TEXT    NOT NULL,
    frozen     INTEGER NOT NULL,
    frozen_at  INTEGER,
    tally      BLOB,
    created_at INTEGER
) STRICT, WITHOUT ROWID;

CREATE TABLE links (
    channel   TEXT    NOT NULL,
    handle    TEXT    NOT NULL,
    card      BLOB    NOT NULL REFERENCES cards (id),
    at        INTEGER,
    proved    INTEGER NOT NULL,
    proved_at INTEGER,
    evidenced INTEGER NOT NULL,
    wrong     INTEGER NOT NULL,
    PRIMARY KEY (channel, handle)
) STRICT, WITHOUT ROWID;

CREATE INDEX links_card ON links (card);

CREATE TABLE requests (
    channel     TEXT    NOT NULL,
    business_no TEXT    NOT NULL,
    action      TEXT    NOT NULL,
    digest      BLOB,
    card        BLOB,
    version     INTEGER NOT NULL,
    purpose     BLOB,
    decided     INTEGER NOT NULL,
    verdict     TEXT    NOT NULL,
    code        TEXT    NOT NULL,
    tries_left  INTEGER NOT NULL,
    until       INTEGER,
    evidence    TEXT    NOT NULL,
    receipt_id  TEXT    NOT NULL,
    at          INTEGER,
    decided_at  INTEGER,
    redeemed_at INTEGER,
    handle      TEXT    NOT NULL,
    PRIMARY KEY (channel, business_no) -- one business number, one request (I-11)
) STRICT, WITHOUT ROWID;

-- A decided request stays decided, also if the Go code has a fault (I-11).
-- +goose StatementBegin
CREATE TRIGGER requests_decided BEFORE UPDATE ON requests
WHEN OLD.decided <> 0 AND (
    (OLD.redeemed_at IS NOT NULL AND NEW.redeemed_at IS NOT OLD.redeemed_at)
    OR (OLD.handle <> '' AND NEW.handle <> OLD.handle)
    OR NEW.decided <> OLD.decided
    OR NEW.verdict <> OLD.verdict
    OR NEW.code <> OLD.code
    OR NEW.action <> OLD.action
    OR NEW.digest IS NOT OLD.digest
    OR NEW.card IS NOT OLD.card
    OR NEW.version <> OLD.version
    OR NEW.purpose IS NOT OLD.purpose
    OR NEW.tries_left <> OLD.tries_left
    OR NEW.until IS NOT OLD.until
    OR NEW.evidence <> OLD.evidence
    OR NEW.receipt_id <> OLD.receipt_id
    OR NEW.at IS NOT OLD.at
    OR NEW.decided_at IS NOT OLD.decided_at)
BEGIN
    SELECT RAISE(ABORT, 'a decided request does not change');
END;
-- +goose StatementEnd

CREATE TABLE intents (
    card        BLOB    NOT NULL PRIMARY KEY, -- at most one open intent a card (I-7)
    from_version INTEGER NOT NULL,
    version     INTEGER NOT NULL,
    key_set     INTEGER NOT NULL,
    verifier    BLOB,
    state       INTEGER NOT NULL,
    owner       TEXT    NOT NULL,
    lease       INTEGER,
    mac         BLOB,
    channel     TEXT    NOT NULL,
    business_no TEXT    NOT NULL,
    at          INTEGER
) STRICT, WITHOUT ROWID;

CREATE TABLE persons (
    holder      BLOB NOT NULL PRIMARY KEY,
    card_no     BLOB UNIQUE,
    sealed      BLOB,
    region      TEXT NOT NULL,
    physical    TEXT NOT NULL,
    replaced_by BLOB,
    updated_at  INTEGER
) STRICT, WITHOUT ROWID;

CREATE TABLE clients (
    id       TEXT    NOT NULL PRIMARY KEY,
    kind     TEXT    NOT NULL,
    name_zh  TEXT    NOT NULL,
    name_en  TEXT    NOT NULL,
    keys     BLOB,
    regions  TEXT    NOT NULL, -- JSON array
    actions  TEXT    NOT NULL, -- JSON array
    stand_in INTEGER NOT NULL,
    stopped  INTEGER NOT NULL,
    at       INTEGER
) STRICT, WITHOUT ROWID;

CREATE TABLE evidence (
    provider TEXT    NOT NULL,
    jti      BLOB    NOT NULL,
    until    INTEGER NOT NULL,
    PRIMARY KEY (provider, jti) -- used once
) STRICT, WITHOUT ROWID;

CREATE INDEX evidence_until ON evidence (until);

CREATE TABLE seal_keys (
    id        TEXT NOT NULL PRIMARY KEY,
    public    BLOB,
    sealed    BLOB,
    made_at   INTEGER,
    retire_at INTEGER,
    gone_at   INTEGER
) STRICT, WITHOUT ROWID;

CREATE TABLE keepers_seen (
    keeper   TEXT    NOT NULL PRIMARY KEY,
    sequence INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- The audit record is a chain of entries for each stream: kind 1 is a card's
-- (stream is the card's id), kind 2 a process start's. previous is the hash of
-- the entry before in the stream. The first entry of a process start has there
-- the hash of the last entry of an earlier start, which after_stream and
-- after_number name.
CREATE TABLE audit (
    kind         INTEGER NOT NULL,
    stream       BLOB    NOT NULL CHECK (length(stream) = 16),
    number       INTEGER NOT NULL,
    id           BLOB    NOT NULL CHECK (length(id) = 16),
    previous     BLOB,
    after_stream BLOB,
    after_number INTEGER NOT NULL,
    at           INTEGER NOT NULL,
    actor        TEXT    NOT NULL,
    event        TEXT    NOT NULL,
    business_no  TEXT    NOT NULL,
    outcome      TEXT    NOT NULL,
    note         TEXT    NOT NULL,
    PRIMARY KEY (kind, stream, number)
) STRICT, WITHOUT ROWID;

-- The head of each stream: number and hash of its last entry. start counts the
-- process starts that wrote here, so that each finds the one before it; of a
-- card it is NULL.
CREATE TABLE streams (
    kind   INTEGER NOT NULL,
    stream BLOB    NOT NULL,
    number INTEGER NOT NULL,
    hash   BLOB    NOT NULL CHECK (length(hash) = 32),
    start  INTEGER CHECK ((start IS NULL) = (kind = 1)),
    PRIMARY KEY (kind, stream)
) STRICT, WITHOUT ROWID;

CREATE UNIQUE INDEX streams_start ON streams (start) WHERE start IS NOT NULL;

-- Append-only, chained and without gaps, also if the Go code has a fault (I-8).
-- +goose StatementBegin
CREATE TRIGGER audit_append BEFORE INSERT ON audit
WHEN CASE NEW.number
    WHEN 1 THEN EXISTS (SELECT 1 FROM streams WHERE kind = NEW.kind AND stream = NEW.stream)
    ELSE NOT EXISTS (SELECT 1 FROM streams WHERE kind = NEW.kind AND stream = NEW.stream
        AND number = NEW.number - 1
        AND hash IS NEW.previous)
    END
BEGIN
    SELECT RAISE(ABORT, 'audit entries follow one another');
END;
-- +goose StatementEnd

-- +goose StatementBegin
CREATE TRIGGER audit_no_update BEFORE UPDATE ON audit
BEGIN
    SELECT RAISE(ABORT, 'audit entries do not change');
END;
-- +goose StatementEnd

-- +goose StatementBegin
CREATE TRIGGER audit_no_delete BEFORE DELETE ON audit
BEGIN
    SELECT RAISE(ABORT, 'audit entries are not deleted');
END;
-- +goose StatementEnd

-- +goose StatementBegin
CREATE TRIGGER streams_begin BEFORE INSERT ON streams
WHEN NEW.number <> 1
    OR NOT EXISTS (SELECT 1 FROM audit WHERE kind = NEW.kind AND stream = NEW.stream AND number = 1)
BEGIN
    SELECT RAISE(ABORT, 'a stream begins with its first entry');
END;
-- +goose StatementEnd

-- +goose StatementBegin
CREATE TRIGGER streams_follow BEFORE UPDATE ON streams
WHEN NEW.kind <> OLD.kind OR NEW.stream <> OLD.stream OR NEW.start IS NOT OLD.start OR NEW.number <> OLD.number + 1
    OR NOT EXISTS (SELECT 1 FROM audit WHERE kind = NEW.kind AND stream = NEW.stream AND number = NEW.number)
BEGIN
    SELECT RAISE(ABORT, 'the head of a stream is its last entry');
END;
-- +goose StatementEnd

-- +goose StatementBegin
CREATE TRIGGER streams_no_delete BEFORE DELETE ON streams
BEGIN
    SELECT RAISE(ABORT, 'streams are not deleted');
END;
-- +goose StatementEnd
