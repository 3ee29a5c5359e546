-- +goose Up
-- "LiuK": tells a ledger from any other SQLite file.
PRAGMA application_id = 1281979723;

-- One row a card; body is the versioned encoding of package ledger. Without a
-- rowid the card is the only key, so an update touches one leaf page.
CREATE TABLE card (
    card BLOB NOT NULL PRIMARY KEY CHECK (length(card) = 16),
    tag  BLOB CHECK (length(tag) = 32), -- of the holder, as in body
    body BLOB NOT NULL
) STRICT, WITHOUT ROWID;

CREATE INDEX card_by_tag ON card (tag) WHERE tag IS NOT NULL;

-- The ledger's own state, one row; sequence is at most 2^63-1. The
-- ledger's time was clock (milliseconds since 1970 UTC) when the machine's start
-- boot_id was boot nanoseconds old.
CREATE TABLE meta (
    id          INTEGER NOT NULL PRIMARY KEY CHECK (id = 1),
    incarnation BLOB    NOT NULL CHECK (length(incarnation) = 16),
    sequence    INTEGER NOT NULL CHECK (sequence >= 0),
    clock       INTEGER NOT NULL,
    boot        INTEGER NOT NULL,
    boot_id     TEXT    NOT NULL
) STRICT;

-- +goose Down
DROP TABLE meta;
DROP TABLE card;
