-- +goose Up
-- Of which release the program of each authority is, and the newest migration that it knows:
-- who takes something away asks whether a program still runs that uses it. said_by is the
-- process that said so. A program from before says nothing, and leaves here what a later one
-- has said of itself.
ALTER TABLE authorities ADD COLUMN knows bigint NOT NULL DEFAULT 0;
ALTER TABLE authorities ADD COLUMN release text NOT NULL DEFAULT '';
ALTER TABLE authorities ADD COLUMN said_by text NOT NULL DEFAULT '';

UPDATE serving SET schema = 8, serves_from = 5;
