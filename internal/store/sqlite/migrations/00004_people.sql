-- +goose Up
-- Rows of an import that are about another person than the one registered under
-- their number, until an operator decides; holder is the number's blind index.
CREATE TABLE conflicts (
    key      BLOB    NOT NULL PRIMARY KEY,
    holder   BLOB    NOT NULL,
    rev      INTEGER NOT NULL,
    body     BLOB    NOT NULL,
    seal_key INTEGER NOT NULL,
    seal     BLOB    NOT NULL
) STRICT, WITHOUT ROWID;

CREATE INDEX conflicts_holder ON conflicts (holder);

-- What the registry changed about a card's holder, until the holder was told; the
-- key is the card.
CREATE TABLE person_changes (
    key      BLOB    NOT NULL PRIMARY KEY,
    rev      INTEGER NOT NULL,
    body     BLOB    NOT NULL,
    seal_key INTEGER NOT NULL,
    seal     BLOB    NOT NULL
) STRICT, WITHOUT ROWID;
