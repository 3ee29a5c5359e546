-- +goose Up
-- A ceremony lies with the card that it is about, or will be about, where the database is
-- spread over several machines; so does its one-time code. Its name says where. Empty: it
-- is from before, was carried over from a file, or is of a program that knows no routes,
-- which finds all of them by their keys and goes on.
ALTER TABLE ceremonies ADD COLUMN home bytea NOT NULL DEFAULT '';
ALTER TABLE codes ADD COLUMN home bytea NOT NULL DEFAULT '';

UPDATE serving SET schema = 7, serves_from = 5;
