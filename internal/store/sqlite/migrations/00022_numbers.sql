-- +goose Up
-- Where the request under a business number is, in a database that is spread over
-- several machines. A file is not: here the table stays empty.
CREATE TABLE numbers (
    key      BLOB    NOT NULL PRIMARY KEY,
    at       INTEGER NOT NULL,
    rev      INTEGER NOT NULL,
    body     BLOB    NOT NULL,
    seal_key INTEGER NOT NULL,
    seal     BLOB    NOT NULL
) STRICT, WITHOUT ROWID;

CREATE INDEX numbers_at ON numbers (at);
