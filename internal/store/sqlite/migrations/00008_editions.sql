-- +goose Up
-- Policies that two members of staff approved, by their numbers. None is ever deleted.
CREATE TABLE editions (
    key      BLOB    NOT NULL PRIMARY KEY,
    rev      INTEGER NOT NULL,
    body     BLOB    NOT NULL,
    seal_key INTEGER NOT NULL,
    seal     BLOB    NOT NULL
) STRICT, WITHOUT ROWID;
