-- +goose Up
-- What clerks opened for holders at a counter. code is a blind index while the ticket
-- is live, whose its card or person, clerk who opened it and when, asked the supervisor
-- whom it waits for, due when a live one ends by itself, stopped when it was stopped,
-- review by when a security officer is to look, ended when it ended.
CREATE TABLE tickets (
    key      BLOB    NOT NULL PRIMARY KEY,
    code     BLOB    UNIQUE,
    whose    BLOB,
    clerk    BLOB,
    asked    BLOB,
    due      INTEGER,
    stopped  INTEGER,
    review   INTEGER,
    ended    INTEGER,
    rev      INTEGER NOT NULL,
    body     BLOB    NOT NULL,
    seal_key INTEGER NOT NULL,
    seal     BLOB    NOT NULL
) STRICT, WITHOUT ROWID;

CREATE INDEX tickets_whose ON tickets (whose);
CREATE INDEX tickets_clerk ON tickets (clerk);
CREATE INDEX tickets_asked ON tickets (asked);
CREATE INDEX tickets_due ON tickets (due) WHERE due IS NOT NULL;
CREATE INDEX tickets_stopped ON tickets (stopped) WHERE stopped IS NOT NULL;
CREATE INDEX tickets_review ON tickets (review) WHERE review IS NOT NULL;
CREATE INDEX tickets_ended ON tickets (ended) WHERE ended IS NOT NULL;

-- Each look of a clerk at a person, for its half hour.
CREATE TABLE look_ups (
    key      BLOB    NOT NULL PRIMARY KEY,
    until    INTEGER NOT NULL,
    rev      INTEGER NOT NULL,
    body     BLOB    NOT NULL,
    seal_key INTEGER NOT NULL,
    seal     BLOB    NOT NULL
) STRICT, WITHOUT ROWID;

CREATE INDEX look_ups_until ON look_ups (until);

-- Devices on desks, by a hash of their key. number is the blind index of the pairing
-- number while one is offered, clerk whose desk it stands on.
CREATE TABLE desk_pads (
    key      BLOB    NOT NULL PRIMARY KEY,
    number   BLOB    UNIQUE,
    clerk    BLOB,
    until    INTEGER NOT NULL,
    rev      INTEGER NOT NULL,
    body     BLOB    NOT NULL,
    seal_key INTEGER NOT NULL,
    seal     BLOB    NOT NULL
) STRICT, WITHOUT ROWID;

CREATE INDEX desk_pads_clerk ON desk_pads (clerk);
CREATE INDEX desk_pads_until ON desk_pads (until);
