-- +goose Up
-- Numbers that notices alone go to, of holders without a phone; the key is the card.
CREATE TABLE notice_contacts (
    key      BLOB    NOT NULL PRIMARY KEY,
    rev      INTEGER NOT NULL,
    body     BLOB    NOT NULL,
    seal_key INTEGER NOT NULL,
    seal     BLOB    NOT NULL
) STRICT, WITHOUT ROWID;
