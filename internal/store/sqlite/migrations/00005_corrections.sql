-- +goose Up
-- Corrections of ID numbers that wait, are carried through, or were stopped or
-- cancelled; former and number are blind indexes of the numbers.
CREATE TABLE corrections (
    key      BLOB    NOT NULL PRIMARY KEY,
    former   BLOB    NOT NULL UNIQUE,
    number   BLOB    UNIQUE,
    rev      INTEGER NOT NULL,
    body     BLOB    NOT NULL,
    seal_key INTEGER NOT NULL,
    seal     BLOB    NOT NULL
) STRICT, WITHOUT ROWID;
