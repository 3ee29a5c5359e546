-- +goose Up
-- Numbers that are told of a card beside the bound phone; the key is card and number,
-- until is when that ends.
CREATE TABLE other_contacts (
    key      BLOB    NOT NULL PRIMARY KEY,
    until    INTEGER,
    rev      INTEGER NOT NULL,
    body     BLOB    NOT NULL,
    seal_key INTEGER NOT NULL,
    seal     BLOB    NOT NULL
) STRICT, WITHOUT ROWID;

CREATE INDEX other_contacts_until ON other_contacts (until);
