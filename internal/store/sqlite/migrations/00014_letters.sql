-- +goose Up
-- Notices that go on paper. waits is since when one is to be printed, ended when it was
-- posted or came back.
CREATE TABLE letters (
    key      BLOB    NOT NULL PRIMARY KEY,
    card     BLOB,
    state    BLOB    NOT NULL,
    batch    BLOB,
    waits    INTEGER,
    ended    INTEGER,
    rev      INTEGER NOT NULL,
    body     BLOB    NOT NULL,
    seal_key INTEGER NOT NULL,
    seal     BLOB    NOT NULL
) STRICT, WITHOUT ROWID;

CREATE INDEX letters_card ON letters (card);
CREATE INDEX letters_state ON letters (state);
CREATE INDEX letters_batch ON letters (batch) WHERE batch IS NOT NULL;
CREATE INDEX letters_waits ON letters (waits) WHERE waits IS NOT NULL;
CREATE INDEX letters_ended ON letters (ended) WHERE ended IS NOT NULL;
