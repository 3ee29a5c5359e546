-- +goose Up
-- What each hour of the record came to, by channel and region: a row an hour, for 32
-- days. hour is its number since 1970.
CREATE TABLE tallies (
    key      BLOB    NOT NULL PRIMARY KEY,
    hour     INTEGER NOT NULL,
    rev      INTEGER NOT NULL,
    body     BLOB    NOT NULL,
    seal_key INTEGER NOT NULL,
    seal     BLOB    NOT NULL
) STRICT, WITHOUT ROWID;

CREATE INDEX tallies_hour ON tallies (hour);
