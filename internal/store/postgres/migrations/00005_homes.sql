-- +goose Up
-- Where the request under a business number is: with its card, or with the process that
-- took the number. Written before the request, in a transaction of its own.
CREATE TABLE numbers (
    key      bytea   NOT NULL PRIMARY KEY,
    at       bigint  NOT NULL,
    rev      bigint  NOT NULL,
    body     bytea   NOT NULL,
    seal_key bigint  NOT NULL,
    seal     bytea   NOT NULL
);

CREATE INDEX numbers_at ON numbers (at);

-- The home of a row says on which machine it lies, where the database is spread over
-- several: that of its card. It is empty in rows from before, and in those that were
-- carried over from a file: they are found there.
ALTER TABLE requests ADD COLUMN home bytea NOT NULL DEFAULT '';
ALTER TABLE messages ADD COLUMN home bytea NOT NULL DEFAULT '';
ALTER TABLE freeze_codes ADD COLUMN home bytea NOT NULL DEFAULT '';
ALTER TABLE former_contacts ADD COLUMN home bytea NOT NULL DEFAULT '';
ALTER TABLE ticks ADD COLUMN home bytea NOT NULL DEFAULT ''; -- kind and key, without the time

UPDATE former_contacts SET home = substr(key, 1, 16);
UPDATE ticks SET home = substr(key, 1, length(key) - 16);

-- A program that does not know the claims would take a number twice.
UPDATE serving SET schema = 5, serves_from = 5;
