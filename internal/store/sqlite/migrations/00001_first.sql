-- The authority's tables. All but audit and keepers_seen have one shape, which
-- package rows defines: key, look-up columns, rev, body, and the seal over all
-- of them with the id of its key (I-13). NULL is none. Hot tables are clustered
-- by their key and found by it alone. Times are Unix milliseconds.

-- +goose Up
-- "Lium": tells this database from any other SQLite file.
PRAGMA application_id = 1281979757;

-- A card with its contact, links, rations and the end of its stream.
CREATE TABLE cards (
    key      BLOB    NOT NULL PRIMARY KEY,
    holder   BLOB    NOT NULL UNIQUE, -- one card a holder (I-4)
    rev      INTEGER NOT NULL,
    body     BLOB    NOT NULL,
    seal_key INTEGER NOT NULL,
    seal     BLOB    NOT NULL
) STRICT, WITHOUT ROWID;

-- The handles of links: each points to a card.
CREATE TABLE claims (
    key      BLOB    NOT NULL PRIMARY KEY,
    rev      INTEGER NOT NULL,
    body     BLOB    NOT NULL,
    seal_key INTEGER NOT NULL,
    seal     BLOB    NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE requests (
    key      BLOB    NOT NULL PRIMARY KEY, -- one business number, one request (I-11)
    phase    INTEGER NOT NULL CHECK (phase IN (0, 1, 2)), -- undecided, decided, redeemed
    rev      INTEGER NOT NULL,
    body     BLOB    NOT NULL,
    seal_key INTEGER NOT NULL,
    seal     BLOB    NOT NULL
) STRICT, WITHOUT ROWID;

-- A request is decided once and redeemed once, also if the Go code has a fault
-- (I-11). Its seal alone may change, under another key.
-- +goose StatementBegin
CREATE TRIGGER requests_decided BEFORE UPDATE ON requests
WHEN OLD.phase > 0 AND NEW.phase <= OLD.phase
    AND NOT (NEW.key = OLD.key AND NEW.phase = OLD.phase AND NEW.rev = OLD.rev AND NEW.body = OLD.body)
BEGIN
    SELECT RAISE(ABORT, 'a decided request does not change');
END;
-- +goose StatementEnd

CREATE TABLE intents (
    key      BLOB    NOT NULL PRIMARY KEY, -- the card: at most one open intent each (I-7)
    rev      INTEGER NOT NULL,
    body     BLOB    NOT NULL,
    seal_key INTEGER NOT NULL,
    seal     BLOB    NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE persons (
    key      BLOB    NOT NULL PRIMARY KEY,
    card_no  BLOB    UNIQUE,
    rev      INTEGER NOT NULL,
    body     BLOB    NOT NULL,
    seal_key INTEGER NOT NULL,
    seal     BLOB    NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE clients (
    key      BLOB    NOT NULL PRIMARY KEY,
    rev      INTEGER NOT NULL,
    body     BLOB    NOT NULL,
    seal_key INTEGER NOT NULL,
    seal     BLOB    NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE evidence (
    key      BLOB    NOT NULL PRIMARY KEY, -- used once
    until    INTEGER NOT NULL,
    rev      INTEGER NOT NULL,
    body     BLOB    NOT NULL,
    seal_key INTEGER NOT NULL,
    seal     BLOB    NOT NULL
) STRICT, WITHOUT ROWID;

CREATE INDEX evidence_until ON evidence (until);

CREATE TABLE seal_keys (
    key      BLOB    NOT NULL PRIMARY KEY,
    rev      INTEGER NOT NULL,
    body     BLOB    NOT NULL,
    seal_key INTEGER NOT NULL,
    seal     BLOB    NOT NULL
) STRICT, WITHOUT ROWID;

-- One row, which lists clients and seal keys with their seals. Its rev is kept
-- outside of the database too.
CREATE TABLE shared (
    key      BLOB    NOT NULL PRIMARY KEY,
    rev      INTEGER NOT NULL,
    body     BLOB    NOT NULL,
    seal_key INTEGER NOT NULL,
    seal     BLOB    NOT NULL
) STRICT, WITHOUT ROWID;

-- One row: how far the rows are sealed anew under the root key that seals.
CREATE TABLE resealing (
    key      BLOB    NOT NULL PRIMARY KEY,
    rev      INTEGER NOT NULL,
    body     BLOB    NOT NULL,
    seal_key INTEGER NOT NULL,
    seal     BLOB    NOT NULL
) STRICT, WITHOUT ROWID;

-- Ceremonies: number is the channel's business number, open_card the card and
-- due the expiry of one that has not ended.
CREATE TABLE ceremonies (
    key         BLOB    NOT NULL PRIMARY KEY,
    number      BLOB    NOT NULL UNIQUE,
    request_uri BLOB    UNIQUE,
    code        BLOB    UNIQUE,
    open_card   BLOB,
    due         INTEGER,
    ended       INTEGER,
    rev         INTEGER NOT NULL,
    body        BLOB    NOT NULL,
    seal_key    INTEGER NOT NULL,
    seal        BLOB    NOT NULL
) STRICT, WITHOUT ROWID;

CREATE INDEX ceremonies_open_card ON ceremonies (open_card) WHERE open_card IS NOT NULL;

CREATE INDEX ceremonies_due ON ceremonies (due) WHERE due IS NOT NULL;

CREATE INDEX ceremonies_ended ON ceremonies (ended) WHERE ended IS NOT NULL;

CREATE TABLE codes (
    key      BLOB    NOT NULL PRIMARY KEY REFERENCES ceremonies (key) ON DELETE CASCADE, -- one live code each
    card     BLOB,
    rev      INTEGER NOT NULL,
    body     BLOB    NOT NULL,
    seal_key INTEGER NOT NULL,
    seal     BLOB    NOT NULL
) STRICT, WITHOUT ROWID;

CREATE INDEX codes_card ON codes (card) WHERE card IS NOT NULL;

-- Ration marks of numbers and sources; their keys begin with kind, key and time.
CREATE TABLE ticks (
    key      BLOB    NOT NULL PRIMARY KEY,
    at       INTEGER NOT NULL,
    rev      INTEGER NOT NULL,
    body     BLOB    NOT NULL,
    seal_key INTEGER NOT NULL,
    seal     BLOB    NOT NULL
) STRICT, WITHOUT ROWID;

CREATE INDEX ticks_at ON ticks (at);

CREATE TABLE freeze_codes (
    key      BLOB    NOT NULL PRIMARY KEY,
    expires  INTEGER NOT NULL,
    rev      INTEGER NOT NULL,
    body     BLOB    NOT NULL,
    seal_key INTEGER NOT NULL,
    seal     BLOB    NOT NULL
) STRICT, WITHOUT ROWID;

CREATE INDEX freeze_codes_expires ON freeze_codes (expires);

-- The outbox: due is the kind and time of a message that waits, ref the
-- gateway's reference and the message's time, done when one was done.
CREATE TABLE messages (
    key      BLOB    NOT NULL PRIMARY KEY,
    due      BLOB,
    state    BLOB    NOT NULL,
    ref      BLOB,
    done     INTEGER,
    rev      INTEGER NOT NULL,
    body     BLOB    NOT NULL,
    seal_key INTEGER NOT NULL,
    seal     BLOB    NOT NULL
) STRICT, WITHOUT ROWID;

CREATE INDEX messages_due ON messages (due) WHERE due IS NOT NULL;

CREATE INDEX messages_state ON messages (state);

CREATE INDEX messages_ref ON messages (ref) WHERE ref IS NOT NULL;

CREATE INDEX messages_done ON messages (done) WHERE done IS NOT NULL;

-- The time that this database goes by: one row.
CREATE TABLE clock (
    key      BLOB    NOT NULL PRIMARY KEY,
    rev      INTEGER NOT NULL,
    body     BLOB    NOT NULL,
    seal_key INTEGER NOT NULL,
    seal     BLOB    NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE keepers_seen (
    keeper   TEXT    NOT NULL PRIMARY KEY,
    sequence INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- The audit record is a chain of entries for each stream: kind 1 is a card's
-- (stream is the card's id), kind 2 a process start's. previous is the hash of
-- the entry before in the stream, and hash that of the entry itself, so that the
-- database can compare the two. The first entry of a process start has in
-- previous the hash of the last entry of an earlier start, which after_stream
-- and after_number name. The count and last hash of a stream stand in the sealed
-- row of its card or start.
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
    hash         BLOB    NOT NULL CHECK (length(hash) = 32),
    PRIMARY KEY (kind, stream, number)
) STRICT, WITHOUT ROWID;

-- Append-only, chained and without gaps, also if the Go code has a fault (I-8).
-- +goose StatementBegin
CREATE TRIGGER audit_append BEFORE INSERT ON audit
WHEN NEW.number < 1
    OR EXISTS (SELECT 1 FROM audit WHERE kind = NEW.kind AND stream = NEW.stream AND number = NEW.number)
    OR NEW.number > 1 AND NOT EXISTS (SELECT 1 FROM audit WHERE kind = NEW.kind AND stream = NEW.stream
        AND number = NEW.number - 1
        AND hash IS NEW.previous)
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

-- The streams of process starts. start counts them, so that each finds the one
-- before it; rev is the number of the stream's last entry.
CREATE TABLE starts (
    key      BLOB    NOT NULL PRIMARY KEY,
    start    INTEGER NOT NULL UNIQUE,
    rev      INTEGER NOT NULL,
    body     BLOB    NOT NULL,
    seal_key INTEGER NOT NULL,
    seal     BLOB    NOT NULL
) STRICT, WITHOUT ROWID;

-- +goose StatementBegin
CREATE TRIGGER starts_begin BEFORE INSERT ON starts
WHEN NEW.rev <> 1
    OR EXISTS (SELECT 1 FROM starts WHERE key = NEW.key)
    OR NOT EXISTS (SELECT 1 FROM audit WHERE kind = 2 AND stream = NEW.key AND number = 1)
BEGIN
    SELECT RAISE(ABORT, 'a stream begins with its first entry');
END;
-- +goose StatementEnd

-- +goose StatementBegin
CREATE TRIGGER starts_follow BEFORE UPDATE ON starts
WHEN (NEW.key <> OLD.key OR NEW.start <> OLD.start OR NEW.rev <> OLD.rev + 1
    OR NOT EXISTS (SELECT 1 FROM audit WHERE kind = 2 AND stream = NEW.key AND number = NEW.rev))
    -- Its seal alone may change, under another key.
    AND NOT (NEW.key = OLD.key AND NEW.start = OLD.start AND NEW.rev = OLD.rev AND NEW.body = OLD.body)
BEGIN
    SELECT RAISE(ABORT, 'the head of a stream is its last entry');
END;
-- +goose StatementEnd

-- +goose StatementBegin
CREATE TRIGGER starts_no_delete BEFORE DELETE ON starts
BEGIN
    SELECT RAISE(ABORT, 'streams are not deleted');
END;
-- +goose StatementEnd

-- Streams that have entries which no digest covers yet (I-16). It only saves
-- looking through all streams: a row that is missing here delays a digest's
-- mention of the stream and hides nothing from 'liuma audit verify'.
CREATE TABLE undigested (
    kind   INTEGER NOT NULL,
    stream BLOB    NOT NULL,
    PRIMARY KEY (kind, stream)
) STRICT, WITHOUT ROWID;

-- +goose StatementBegin
CREATE TRIGGER audit_undigested AFTER INSERT ON audit
BEGIN
    INSERT INTO undigested (kind, stream) VALUES (NEW.kind, NEW.stream) ON CONFLICT DO NOTHING;
END;
-- +goose StatementEnd

-- The signed digests, and the heads of the streams that grew before each.
CREATE TABLE digests (
    number INTEGER NOT NULL PRIMARY KEY,
    token  TEXT    NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE digest_changes (
    kind   INTEGER NOT NULL,
    stream BLOB    NOT NULL,
    digest INTEGER NOT NULL REFERENCES digests (number),
    number INTEGER NOT NULL,
    hash   BLOB    NOT NULL CHECK (length(hash) = 32),
    PRIMARY KEY (kind, stream, digest)
) STRICT, WITHOUT ROWID;

CREATE INDEX digest_changes_digest ON digest_changes (digest, kind, stream, number, hash);

-- +goose StatementBegin
CREATE TRIGGER digests_append BEFORE INSERT ON digests
WHEN NEW.number <> coalesce((SELECT max(number) FROM digests), 0) + 1
BEGIN
    SELECT RAISE(ABORT, 'digests follow one another');
END;
-- +goose StatementEnd

-- +goose StatementBegin
CREATE TRIGGER digests_no_update BEFORE UPDATE ON digests
BEGIN
    SELECT RAISE(ABORT, 'digests do not change');
END;
-- +goose StatementEnd

-- +goose StatementBegin
CREATE TRIGGER digests_no_delete BEFORE DELETE ON digests
BEGIN
    SELECT RAISE(ABORT, 'digests are not deleted');
END;
-- +goose StatementEnd

-- +goose StatementBegin
CREATE TRIGGER digest_changes_no_update BEFORE UPDATE ON digest_changes
BEGIN
    SELECT RAISE(ABORT, 'digests do not change');
END;
-- +goose StatementEnd

-- +goose StatementBegin
CREATE TRIGGER digest_changes_no_delete BEFORE DELETE ON digest_changes
BEGIN
    SELECT RAISE(ABORT, 'digests are not deleted');
END;
-- +goose StatementEnd
