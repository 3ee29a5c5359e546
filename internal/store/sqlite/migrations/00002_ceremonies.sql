-- Ceremonies, bound phones and the outbox. A ceremony is found by its ID,
-- its business number, its request address or its authorization code. Rows that
-- belong to a card are clustered by the card. Columns that say when something is
-- due hold zero times as they are, not as NULL: a row without a time is due.

-- +goose Up
CREATE TABLE ceremonies (
    id          TEXT    NOT NULL PRIMARY KEY,
    channel     TEXT    NOT NULL,
    business_no TEXT    NOT NULL,
    action      TEXT    NOT NULL,
    region      TEXT    NOT NULL,
    step        TEXT    NOT NULL,
    card        BLOB,
    request_uri BLOB    UNIQUE,
    browser     BLOB,
    sealed      BLOB,
    tries       INTEGER NOT NULL,
    code        BLOB    UNIQUE,
    code_until  INTEGER,
    code_used   INTEGER,
    revision    INTEGER NOT NULL,
    at          INTEGER,
    expires     INTEGER NOT NULL,
    ended       INTEGER,
    UNIQUE (channel, business_no)
) STRICT, WITHOUT ROWID;

CREATE INDEX ceremonies_open ON ceremonies (card, at) WHERE ended IS NULL AND card IS NOT NULL;

CREATE INDEX ceremonies_due ON ceremonies (expires) WHERE ended IS NULL;

CREATE INDEX ceremonies_ended ON ceremonies (ended) WHERE ended IS NOT NULL;

ALTER TABLE requests ADD COLUMN ceremony TEXT NOT NULL DEFAULT '';

-- The ceremony of a request is known when it is inserted, or never.
-- +goose StatementBegin
CREATE TRIGGER requests_ceremony BEFORE UPDATE OF ceremony ON requests
WHEN NEW.ceremony <> OLD.ceremony
BEGIN
    SELECT RAISE(ABORT, 'the ceremony of a request does not change');
END;
-- +goose StatementEnd

CREATE TABLE contacts (
    card         BLOB    NOT NULL PRIMARY KEY REFERENCES cards (id),
    phone        BLOB,
    sealed       BLOB,
    language     TEXT    NOT NULL,
    bound_at     INTEGER,
    confirmed_at INTEGER,
    hold_until   INTEGER,
    every_use    INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE codes (
    ceremony TEXT    NOT NULL PRIMARY KEY REFERENCES ceremonies (id) ON DELETE CASCADE, -- one live code each
    card     BLOB,
    phone    BLOB,
    mac      BLOB,
    sent_at  INTEGER,
    expires  INTEGER NOT NULL,
    used     INTEGER
) STRICT, WITHOUT ROWID;

CREATE INDEX codes_card ON codes (card) WHERE card IS NOT NULL;

-- n tells apart ration marks of the same millisecond: each counts.
CREATE TABLE ticks (
    kind TEXT    NOT NULL,
    key  BLOB    NOT NULL,
    at   INTEGER NOT NULL,
    n    INTEGER NOT NULL,
    PRIMARY KEY (kind, key, at, n)
) STRICT, WITHOUT ROWID;

CREATE INDEX ticks_at ON ticks (at);

CREATE TABLE freeze_codes (
    mac     BLOB    NOT NULL PRIMARY KEY,
    card    BLOB    NOT NULL REFERENCES cards (id),
    expires INTEGER NOT NULL,
    used    INTEGER
) STRICT, WITHOUT ROWID;

CREATE INDEX freeze_codes_expires ON freeze_codes (expires);

CREATE TABLE messages (
    id       TEXT    NOT NULL PRIMARY KEY,
    kind     TEXT    NOT NULL,
    card     BLOB,
    template TEXT    NOT NULL,
    language TEXT    NOT NULL,
    region   TEXT    NOT NULL,
    sealed   BLOB,
    state    TEXT    NOT NULL,
    tries    INTEGER NOT NULL,
    next_at  INTEGER NOT NULL,
    expires  INTEGER,
    ref      TEXT    NOT NULL,
    fault    TEXT    NOT NULL,
    at       INTEGER,
    done_at  INTEGER
) STRICT, WITHOUT ROWID;

CREATE INDEX messages_due ON messages (kind, next_at) WHERE state = 'waiting';

CREATE INDEX messages_state ON messages (state);

CREATE INDEX messages_ref ON messages (ref, at) WHERE ref <> '';

CREATE INDEX messages_done ON messages (done_at) WHERE done_at IS NOT NULL;
