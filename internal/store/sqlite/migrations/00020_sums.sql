-- +goose Up
-- What each process counted of a kind within an epoch, for the others to add up. The
-- key is kind, epoch and process; until is when nobody needs it any more.
CREATE TABLE sums (
    key      BLOB    NOT NULL PRIMARY KEY,
    until    INTEGER NOT NULL,
    rev      INTEGER NOT NULL,
    body     BLOB    NOT NULL,
    seal_key INTEGER NOT NULL,
    seal     BLOB    NOT NULL
) STRICT, WITHOUT ROWID;

CREATE INDEX sums_until ON sums (until);
