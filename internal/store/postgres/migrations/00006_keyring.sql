-- +goose Up
-- How authorities on one database hand keys to one another: one row, whose seal hangs on no
-- root key.
CREATE TABLE keyring (
    key      bytea   NOT NULL PRIMARY KEY,
    rev      bigint  NOT NULL,
    body     bytea   NOT NULL,
    seal_key bigint  NOT NULL,
    seal     bytea   NOT NULL
);

-- A program that does not know the row goes on, and takes no key from it: it counts as one
-- that has none, so no key is used before it is gone.
UPDATE serving SET schema = 6, serves_from = 5;
