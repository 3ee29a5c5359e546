-- +goose Up
-- Members of staff, by their identifiers. None is ever deleted: the record names them.
CREATE TABLE staff (
    key      BLOB    NOT NULL PRIMARY KEY,
    rev      INTEGER NOT NULL,
    body     BLOB    NOT NULL,
    seal_key INTEGER NOT NULL,
    seal     BLOB    NOT NULL
) STRICT, WITHOUT ROWID;

-- Their log-ins; the key is a hash of the secret, member whose it is, until when it
-- ends at the latest.
CREATE TABLE staff_sessions (
    key      BLOB    NOT NULL PRIMARY KEY,
    member   BLOB    NOT NULL,
    until    INTEGER NOT NULL,
    rev      INTEGER NOT NULL,
    body     BLOB    NOT NULL,
    seal_key INTEGER NOT NULL,
    seal     BLOB    NOT NULL
) STRICT, WITHOUT ROWID;

CREATE INDEX staff_sessions_member ON staff_sessions (member);
CREATE INDEX staff_sessions_until ON staff_sessions (until);

-- Acts that take two members of staff.
CREATE TABLE proposals (
    key      BLOB    NOT NULL PRIMARY KEY,
    rev      INTEGER NOT NULL,
    body     BLOB    NOT NULL,
    seal_key INTEGER NOT NULL,
    seal     BLOB    NOT NULL
) STRICT, WITHOUT ROWID;
