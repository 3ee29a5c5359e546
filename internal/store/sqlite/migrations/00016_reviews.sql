-- +goose Up
-- Where tickets stand in the lists of a counter: by time and then by key, so that a list
-- goes on where a page of it ended. review is that of the whole nation, the others of the
-- ticket's province, city and county, so that an officer of a small region finds the few
-- of theirs. No release has written a ticket: rows of builds in between are sealed over
-- other columns, and go.
DROP TABLE tickets;

CREATE TABLE tickets (
    key             BLOB    NOT NULL PRIMARY KEY,
    code            BLOB    UNIQUE,
    whose           BLOB,
    clerk           BLOB,
    asked           BLOB,
    due             INTEGER,
    stopped         BLOB,
    ended           INTEGER,
    review          BLOB,
    review_province BLOB,
    review_city     BLOB,
    review_county   BLOB,
    rev             INTEGER NOT NULL,
    body            BLOB    NOT NULL,
    seal_key        INTEGER NOT NULL,
    seal            BLOB    NOT NULL
) STRICT, WITHOUT ROWID;

CREATE INDEX tickets_whose ON tickets (whose);
CREATE INDEX tickets_clerk ON tickets (clerk);
CREATE INDEX tickets_asked ON tickets (asked);
CREATE INDEX tickets_due ON tickets (due) WHERE due IS NOT NULL;
CREATE INDEX tickets_stopped ON tickets (stopped) WHERE stopped IS NOT NULL;
CREATE INDEX tickets_ended ON tickets (ended) WHERE ended IS NOT NULL;
CREATE INDEX tickets_review ON tickets (review) WHERE review IS NOT NULL;
CREATE INDEX tickets_review_province ON tickets (review_province) WHERE review_province IS NOT NULL;
CREATE INDEX tickets_review_city ON tickets (review_city) WHERE review_city IS NOT NULL;
CREATE INDEX tickets_review_county ON tickets (review_county) WHERE review_county IS NOT NULL;

-- A device on a clerk's desk, by a hash of its key: one a clerk, from when the clerk typed
-- the number that it shows. Offers are kept in memory.
DROP TABLE desk_pads;

CREATE TABLE desk_pads (
    key      BLOB    NOT NULL PRIMARY KEY,
    clerk    BLOB    NOT NULL UNIQUE,
    until    INTEGER NOT NULL,
    rev      INTEGER NOT NULL,
    body     BLOB    NOT NULL,
    seal_key INTEGER NOT NULL,
    seal     BLOB    NOT NULL
) STRICT, WITHOUT ROWID;

CREATE INDEX desk_pads_until ON desk_pads (until);
