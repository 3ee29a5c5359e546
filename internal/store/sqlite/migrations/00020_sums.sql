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

-- Devices that wait for a clerk to type their number; the key is an index of the number.
CREATE TABLE pad_offers (
    key      BLOB    NOT NULL PRIMARY KEY,
    pad      BLOB    NOT NULL UNIQUE,
    until    INTEGER NOT NULL,
    rev      INTEGER NOT NULL,
    body     BLOB    NOT NULL,
    seal_key INTEGER NOT NULL,
    seal     BLOB    NOT NULL
) STRICT, WITHOUT ROWID;

CREATE INDEX pad_offers_until ON pad_offers (until);
