-- +goose Up
-- Counts of events by kind and key, for rations that are too large for a row of
-- ticks each. hour is the hour of the last event, by which what nobody counts at
-- any more is found.
CREATE TABLE meters (
    key      BLOB    NOT NULL PRIMARY KEY,
    hour     INTEGER NOT NULL,
    rev      INTEGER NOT NULL,
    body     BLOB    NOT NULL,
    seal_key INTEGER NOT NULL,
    seal     BLOB    NOT NULL
) STRICT, WITHOUT ROWID;

CREATE INDEX meters_hour ON meters (hour);
