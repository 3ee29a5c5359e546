-- +goose Up
-- Numbers that are told of a card beside the bound phone; the key is card and number,
-- until is when that ends.
CREATE TABLE former_contacts (
    key      BLOB    NOT NULL PRIMARY KEY,
    until    INTEGER,
    rev      INTEGER NOT NULL,
    body     BLOB    NOT NULL,
    seal_key INTEGER NOT NULL,
    seal     BLOB    NOT NULL
) STRICT, WITHOUT ROWID;

CREATE INDEX former_contacts_until ON former_contacts (until);

-- When to look after the closing of a card at a counter; the key is the card.
CREATE TABLE closings (
    key      BLOB    NOT NULL PRIMARY KEY,
    due      INTEGER NOT NULL,
    rev      INTEGER NOT NULL,
    body     BLOB    NOT NULL,
    seal_key INTEGER NOT NULL,
    seal     BLOB    NOT NULL
) STRICT, WITHOUT ROWID;

CREATE INDEX closings_due ON closings (due);
