-- +goose Up
-- Which card is a holder's, in a database that is spread over several machines. A file is
-- not: here the table stays empty.
CREATE TABLE holders (
    key      BLOB    NOT NULL PRIMARY KEY,
    rev      INTEGER NOT NULL,
    body     BLOB    NOT NULL,
    seal_key INTEGER NOT NULL,
    seal     BLOB    NOT NULL
) STRICT, WITHOUT ROWID;
