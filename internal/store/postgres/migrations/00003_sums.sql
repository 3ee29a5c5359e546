-- +goose Up
-- What each process counted of a kind within an epoch, for the others to add up. The
-- key is kind, epoch and process; until is when nobody needs it any more.
CREATE TABLE sums (
    key      bytea   NOT NULL PRIMARY KEY,
    until    bigint  NOT NULL,
    rev      bigint  NOT NULL,
    body     bytea   NOT NULL,
    seal_key bigint  NOT NULL,
    seal     bytea   NOT NULL
);
CREATE INDEX sums_until ON sums (until);

-- Devices that wait for a clerk to type their number; the key is an index of the number.
CREATE TABLE pad_offers (
    key      bytea   NOT NULL PRIMARY KEY,
    pad      bytea   NOT NULL UNIQUE,
    until    bigint  NOT NULL,
    rev      bigint  NOT NULL,
    body     bytea   NOT NULL,
    seal_key bigint  NOT NULL,
    seal     bytea   NOT NULL
);
CREATE INDEX pad_offers_until ON pad_offers (until);

UPDATE serving SET schema = 3, serves_from = 2;
