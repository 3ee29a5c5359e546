-- +goose Up
-- How authorities on one database hand keys to one another. A file has one authority: here
-- the table stays empty.
CREATE TABLE keyring (
    key      BLOB    NOT NULL PRIMARY KEY,
    rev      INTEGER NOT NULL,
    body     BLOB    NOT NULL,
    seal_key INTEGER NOT NULL,
    seal     BLOB    NOT NULL
) STRICT, WITHOUT ROWID;
