-- +goose Up
-- Offices and hotlines that holders are sent to, by their codes. None is ever deleted.
CREATE TABLE agencies (
    key      BLOB    NOT NULL PRIMARY KEY,
    rev      INTEGER NOT NULL,
    body     BLOB    NOT NULL,
    seal_key INTEGER NOT NULL,
    seal     BLOB    NOT NULL
) STRICT, WITHOUT ROWID;
