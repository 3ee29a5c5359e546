-- The authority's tables on PostgreSQL. Those of one shape, which package rows
-- defines, have key, look-up columns, rev, body, and the seal over all of them with
-- the id of its key (I-13). NULL is none. Times are Unix milliseconds. Rows that
-- change often leave room on their pages, so that an update touches no index.

-- +goose Up

-- Raised where a row is not what a transaction goes by: it is run again.
-- +goose StatementBegin
CREATE FUNCTION liuma_conflict() RETURNS bigint LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'a row is not what it was when it was read' USING ERRCODE = 'LM001';
END $$;
-- +goose StatementEnd

-- Raised where another process has taken over.
-- +goose StatementBegin
CREATE FUNCTION liuma_lost() RETURNS bigint LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'another process has taken over' USING ERRCODE = 'LM002';
END $$;
-- +goose StatementEnd

-- Raised where a rule of the record or of a decided request would be broken.
-- +goose StatementBegin
CREATE FUNCTION liuma_forbid() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION '%', TG_ARGV[0] USING ERRCODE = 'LM003';
END $$;
-- +goose StatementEnd

-- Who works with this database: one row. Each taking raises epoch, and a write of a
-- process that was told another number is refused.
CREATE TABLE lease (
    one    boolean NOT NULL PRIMARY KEY DEFAULT true CHECK (one),
    epoch  bigint  NOT NULL,
    holder text    NOT NULL,
    since  bigint  NOT NULL
);
INSERT INTO lease (epoch, holder, since) VALUES (0, '', 0);

-- One counter for each kind and key of ration marks: who counts marks and adds one
-- raises it, so that of two at once one counts anew. n begins with the transaction's
-- number, so that a counter which was dropped never shows an earlier value again.
CREATE TABLE rations (
    key bytea  NOT NULL PRIMARY KEY,
    n   bigint NOT NULL,
    at  bigint NOT NULL
) WITH (fillfactor = 70);
CREATE INDEX rations_at ON rations (at);

-- A card with its contact, links, rations and the end of its stream.
CREATE TABLE cards (
    key      bytea   NOT NULL PRIMARY KEY,
    holder   bytea   NOT NULL UNIQUE, -- one card a holder (I-4)
    rev      bigint  NOT NULL,
    body     bytea   NOT NULL,
    seal_key bigint  NOT NULL,
    seal     bytea   NOT NULL
) WITH (fillfactor = 80);

-- The handles of links: each points to a card.
CREATE TABLE claims (
    key      bytea   NOT NULL PRIMARY KEY,
    rev      bigint  NOT NULL,
    body     bytea   NOT NULL,
    seal_key bigint  NOT NULL,
    seal     bytea   NOT NULL
);

CREATE TABLE requests (
    key      bytea   NOT NULL PRIMARY KEY, -- one business number, one request (I-11)
    phase    bigint  NOT NULL CHECK (phase IN (0, 1, 2)), -- undecided, decided, redeemed
    rev      bigint  NOT NULL,
    body     bytea   NOT NULL,
    seal_key bigint  NOT NULL,
    seal     bytea   NOT NULL
) WITH (fillfactor = 80);

CREATE TABLE intents (
    key      bytea   NOT NULL PRIMARY KEY, -- the card: at most one open intent each (I-7)
    rev      bigint  NOT NULL,
    body     bytea   NOT NULL,
    seal_key bigint  NOT NULL,
    seal     bytea   NOT NULL
);

CREATE TABLE persons (
    key      bytea   NOT NULL PRIMARY KEY,
    card_no  bytea   UNIQUE,
    rev      bigint  NOT NULL,
    body     bytea   NOT NULL,
    seal_key bigint  NOT NULL,
    seal     bytea   NOT NULL
);

CREATE TABLE clients (
    key      bytea   NOT NULL PRIMARY KEY,
    rev      bigint  NOT NULL,
    body     bytea   NOT NULL,
    seal_key bigint  NOT NULL,
    seal     bytea   NOT NULL
);

CREATE TABLE evidence (
    key      bytea   NOT NULL PRIMARY KEY, -- used once
    until    bigint  NOT NULL,
    rev      bigint  NOT NULL,
    body     bytea   NOT NULL,
    seal_key bigint  NOT NULL,
    seal     bytea   NOT NULL
);

CREATE INDEX evidence_until ON evidence (until);

CREATE TABLE seal_keys (
    key      bytea   NOT NULL PRIMARY KEY,
    rev      bigint  NOT NULL,
    body     bytea   NOT NULL,
    seal_key bigint  NOT NULL,
    seal     bytea   NOT NULL
);

-- One row, which lists clients and seal keys with their seals. Its rev is kept
-- outside of the database too.
CREATE TABLE shared (
    key      bytea   NOT NULL PRIMARY KEY,
    rev      bigint  NOT NULL,
    body     bytea   NOT NULL,
    seal_key bigint  NOT NULL,
    seal     bytea   NOT NULL
) WITH (fillfactor = 80);

-- One row: how far the rows are sealed anew under the root key that seals.
CREATE TABLE resealing (
    key      bytea   NOT NULL PRIMARY KEY,
    rev      bigint  NOT NULL,
    body     bytea   NOT NULL,
    seal_key bigint  NOT NULL,
    seal     bytea   NOT NULL
);

-- Ceremonies: number is the channel's business number, open_card the card and
-- due the expiry of one that has not ended.
CREATE TABLE ceremonies (
    key         bytea   NOT NULL PRIMARY KEY,
    number      bytea   NOT NULL UNIQUE,
    request_uri bytea   UNIQUE,
    code        bytea   UNIQUE,
    open_card   bytea,
    due         bigint,
    ended       bigint,
    rev         bigint  NOT NULL,
    body        bytea   NOT NULL,
    seal_key    bigint  NOT NULL,
    seal        bytea   NOT NULL
) WITH (fillfactor = 80);

CREATE INDEX ceremonies_open_card ON ceremonies (open_card) WHERE open_card IS NOT NULL;

CREATE INDEX ceremonies_due ON ceremonies (due) WHERE due IS NOT NULL;

CREATE INDEX ceremonies_ended ON ceremonies (ended) WHERE ended IS NOT NULL;

CREATE TABLE codes (
    key      bytea   NOT NULL PRIMARY KEY REFERENCES ceremonies (key) ON DELETE CASCADE, -- one live code each
    card     bytea,
    rev      bigint  NOT NULL,
    body     bytea   NOT NULL,
    seal_key bigint  NOT NULL,
    seal     bytea   NOT NULL
);

CREATE INDEX codes_card ON codes (card) WHERE card IS NOT NULL;

-- Ration marks of numbers and sources; their keys begin with kind, key and time.
CREATE TABLE ticks (
    key      bytea   NOT NULL PRIMARY KEY,
    at       bigint  NOT NULL,
    rev      bigint  NOT NULL,
    body     bytea   NOT NULL,
    seal_key bigint  NOT NULL,
    seal     bytea   NOT NULL
);

CREATE INDEX ticks_at ON ticks (at);

CREATE TABLE freeze_codes (
    key      bytea   NOT NULL PRIMARY KEY,
    expires  bigint  NOT NULL,
    rev      bigint  NOT NULL,
    body     bytea   NOT NULL,
    seal_key bigint  NOT NULL,
    seal     bytea   NOT NULL
);

CREATE INDEX freeze_codes_expires ON freeze_codes (expires);

-- The outbox: due is the kind and time of a message that waits, ref the
-- gateway's reference and the message's time, done when one was done.
CREATE TABLE messages (
    key      bytea   NOT NULL PRIMARY KEY,
    due      bytea,
    state    bytea   NOT NULL,
    ref      bytea,
    done     bigint,
    rev      bigint  NOT NULL,
    body     bytea   NOT NULL,
    seal_key bigint  NOT NULL,
    seal     bytea   NOT NULL
);

CREATE INDEX messages_due ON messages (due) WHERE due IS NOT NULL;

CREATE INDEX messages_state ON messages (state);

CREATE INDEX messages_ref ON messages (ref) WHERE ref IS NOT NULL;

CREATE INDEX messages_done ON messages (done) WHERE done IS NOT NULL;

-- The time that this database goes by: one row.
CREATE TABLE clock (
    key      bytea   NOT NULL PRIMARY KEY,
    rev      bigint  NOT NULL,
    body     bytea   NOT NULL,
    seal_key bigint  NOT NULL,
    seal     bytea   NOT NULL
) WITH (fillfactor = 80);

CREATE TABLE keepers_seen (
    keeper   text    NOT NULL PRIMARY KEY,
    sequence bigint  NOT NULL
);

-- The audit record is a chain of entries for each stream: kind 1 is a card's
-- (stream is the card's id), kind 2 a process start's. previous is the hash of
-- the entry before in the stream, and hash that of the entry itself, so that the
-- database can compare the two. The first entry of a process start has in
-- previous the hash of the last entry of an earlier start, which after_stream
-- and after_number name. The count and last hash of a stream stand in the sealed
-- row of its card or start.
CREATE TABLE audit (
    kind         bigint  NOT NULL,
    stream       bytea   NOT NULL CHECK (length(stream) = 16),
    number       bigint  NOT NULL,
    id           bytea   NOT NULL CHECK (length(id) = 16),
    previous     bytea,
    after_stream bytea,
    after_number bigint  NOT NULL,
    at           bigint  NOT NULL,
    actor        text    NOT NULL,
    event        text    NOT NULL,
    business_no  text    NOT NULL,
    outcome      text    NOT NULL,
    note         text    NOT NULL,
    hash         bytea   NOT NULL CHECK (length(hash) = 32),
    PRIMARY KEY (kind, stream, number)
);

-- The streams of process starts. start counts them, so that each finds the one
-- before it; rev is the number of the stream's last entry.
CREATE TABLE starts (
    key      bytea   NOT NULL PRIMARY KEY,
    start    bigint  NOT NULL UNIQUE,
    rev      bigint  NOT NULL,
    body     bytea   NOT NULL,
    seal_key bigint  NOT NULL,
    seal     bytea   NOT NULL
) WITH (fillfactor = 80);

-- Streams that have entries which no digest covers yet (I-16). It only saves
-- looking through all streams: a row that is missing here delays a digest's
-- mention of the stream and hides nothing from 'liuma audit verify'.
CREATE TABLE undigested (
    kind   bigint  NOT NULL,
    stream bytea   NOT NULL,
    PRIMARY KEY (kind, stream)
);

-- The signed digests, and the heads of the streams that grew before each.
CREATE TABLE digests (
    number bigint  NOT NULL PRIMARY KEY,
    token  text    NOT NULL
);

CREATE TABLE digest_changes (
    kind   bigint  NOT NULL,
    stream bytea   NOT NULL,
    digest bigint  NOT NULL REFERENCES digests (number),
    number bigint  NOT NULL,
    hash   bytea   NOT NULL CHECK (length(hash) = 32),
    PRIMARY KEY (kind, stream, digest)
);

CREATE INDEX digest_changes_digest ON digest_changes (digest, kind, stream, number, hash);

-- Counts of events by kind and key, for rations that are too large for a row of
-- ticks each. hour is the hour of the last event, by which what nobody counts at
-- any more is found.
CREATE TABLE meters (
    key      bytea   NOT NULL PRIMARY KEY,
    hour     bigint  NOT NULL,
    rev      bigint  NOT NULL,
    body     bytea   NOT NULL,
    seal_key bigint  NOT NULL,
    seal     bytea   NOT NULL
) WITH (fillfactor = 80);

CREATE INDEX meters_hour ON meters (hour);

-- How far the walk through old requests has come: one row.
CREATE TABLE sweeps (
    key      bytea   NOT NULL PRIMARY KEY,
    rev      bigint  NOT NULL,
    body     bytea   NOT NULL,
    seal_key bigint  NOT NULL,
    seal     bytea   NOT NULL
);

-- The archives of the record, by number; digest is the last digest that each holds.
CREATE TABLE archives (
    key      bytea   NOT NULL PRIMARY KEY,
    digest   bigint  NOT NULL UNIQUE,
    rev      bigint  NOT NULL,
    body     bytea   NOT NULL,
    seal_key bigint  NOT NULL,
    seal     bytea   NOT NULL
);

-- The cut of each stream that has archived entries: the last of them, as a digest
-- listed it. The sum of all cuts is in that digest's signature.
CREATE TABLE cuts (
    kind   bigint  NOT NULL,
    stream bytea   NOT NULL CHECK (length(stream) = 16),
    number bigint  NOT NULL,
    hash   bytea   NOT NULL CHECK (length(hash) = 32),
    PRIMARY KEY (kind, stream)
);

-- Rows of an import that are about another person than the one registered under
-- their number, until an operator decides; holder is the number's blind index.
CREATE TABLE conflicts (
    key      bytea   NOT NULL PRIMARY KEY,
    holder   bytea   NOT NULL,
    rev      bigint  NOT NULL,
    body     bytea   NOT NULL,
    seal_key bigint  NOT NULL,
    seal     bytea   NOT NULL
);

CREATE INDEX conflicts_holder ON conflicts (holder);

-- What the registry changed about a card's holder, until the holder was told; the
-- key is the card.
CREATE TABLE person_changes (
    key      bytea   NOT NULL PRIMARY KEY,
    rev      bigint  NOT NULL,
    body     bytea   NOT NULL,
    seal_key bigint  NOT NULL,
    seal     bytea   NOT NULL
);

-- Corrections of ID numbers that wait, are carried through, or were stopped or
-- cancelled; former and number are blind indexes of the numbers.
CREATE TABLE corrections (
    key      bytea   NOT NULL PRIMARY KEY,
    former   bytea   NOT NULL UNIQUE,
    number   bytea   UNIQUE,
    rev      bigint  NOT NULL,
    body     bytea   NOT NULL,
    seal_key bigint  NOT NULL,
    seal     bytea   NOT NULL
);

-- Members of staff, by their identifiers. None is ever deleted: the record names them.
CREATE TABLE staff (
    key      bytea   NOT NULL PRIMARY KEY,
    rev      bigint  NOT NULL,
    body     bytea   NOT NULL,
    seal_key bigint  NOT NULL,
    seal     bytea   NOT NULL
);

-- Their log-ins; the key is a hash of the secret, member whose it is, until when it
-- ends at the latest.
CREATE TABLE staff_sessions (
    key      bytea   NOT NULL PRIMARY KEY,
    member   bytea   NOT NULL,
    until    bigint  NOT NULL,
    rev      bigint  NOT NULL,
    body     bytea   NOT NULL,
    seal_key bigint  NOT NULL,
    seal     bytea   NOT NULL
);

CREATE INDEX staff_sessions_member ON staff_sessions (member);
CREATE INDEX staff_sessions_until ON staff_sessions (until);

-- Acts that take two members of staff.
CREATE TABLE proposals (
    key      bytea   NOT NULL PRIMARY KEY,
    rev      bigint  NOT NULL,
    body     bytea   NOT NULL,
    seal_key bigint  NOT NULL,
    seal     bytea   NOT NULL
);

-- Policies that two members of staff approved, by their numbers. None is ever deleted.
CREATE TABLE editions (
    key      bytea   NOT NULL PRIMARY KEY,
    rev      bigint  NOT NULL,
    body     bytea   NOT NULL,
    seal_key bigint  NOT NULL,
    seal     bytea   NOT NULL
);

-- What each hour of the record came to, by channel and region: a row an hour, for 32
-- days. hour is its number since 1970.
CREATE TABLE tallies (
    key      bytea   NOT NULL PRIMARY KEY,
    hour     bigint  NOT NULL,
    rev      bigint  NOT NULL,
    body     bytea   NOT NULL,
    seal_key bigint  NOT NULL,
    seal     bytea   NOT NULL
);

CREATE INDEX tallies_hour ON tallies (hour);

-- Each look of a clerk at a person, for its half hour.
CREATE TABLE look_ups (
    key      bytea   NOT NULL PRIMARY KEY,
    until    bigint  NOT NULL,
    rev      bigint  NOT NULL,
    body     bytea   NOT NULL,
    seal_key bigint  NOT NULL,
    seal     bytea   NOT NULL
);

CREATE INDEX look_ups_until ON look_ups (until);

-- Numbers that are told of a card beside the bound phone; the key is card and number,
-- until is when that ends.
CREATE TABLE former_contacts (
    key      bytea   NOT NULL PRIMARY KEY,
    until    bigint,
    rev      bigint  NOT NULL,
    body     bytea   NOT NULL,
    seal_key bigint  NOT NULL,
    seal     bytea   NOT NULL
);

CREATE INDEX former_contacts_until ON former_contacts (until);

-- When to look after the closing of a card at a counter; the key is the card.
CREATE TABLE closings (
    key      bytea   NOT NULL PRIMARY KEY,
    due      bigint  NOT NULL,
    rev      bigint  NOT NULL,
    body     bytea   NOT NULL,
    seal_key bigint  NOT NULL,
    seal     bytea   NOT NULL
);

CREATE INDEX closings_due ON closings (due);

-- Notices that go on paper. waits is since when one is to be printed, ended when it was
-- posted or came back.
CREATE TABLE letters (
    key      bytea   NOT NULL PRIMARY KEY,
    card     bytea,
    state    bytea   NOT NULL,
    batch    bytea,
    waits    bigint,
    ended    bigint,
    rev      bigint  NOT NULL,
    body     bytea   NOT NULL,
    seal_key bigint  NOT NULL,
    seal     bytea   NOT NULL
);

CREATE INDEX letters_card ON letters (card);
CREATE INDEX letters_state ON letters (state);
CREATE INDEX letters_batch ON letters (batch) WHERE batch IS NOT NULL;
CREATE INDEX letters_waits ON letters (waits) WHERE waits IS NOT NULL;
CREATE INDEX letters_ended ON letters (ended) WHERE ended IS NOT NULL;

-- Where tickets stand in the lists of a counter: by time and then by key, so that a list
-- goes on where a page of it ended. review is that of the whole nation, the others of the
-- ticket's province, city and county, so that an officer of a small region finds the few
-- of theirs.
CREATE TABLE tickets (
    key             bytea   NOT NULL PRIMARY KEY,
    code            bytea   UNIQUE,
    whose           bytea,
    clerk           bytea,
    asked           bytea,
    due             bigint,
    stopped         bytea,
    ended           bigint,
    review          bytea,
    review_province bytea,
    review_city     bytea,
    review_county   bytea,
    rev             bigint  NOT NULL,
    body            bytea   NOT NULL,
    seal_key        bigint  NOT NULL,
    seal            bytea   NOT NULL
);

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
CREATE TABLE desk_pads (
    key      bytea   NOT NULL PRIMARY KEY,
    clerk    bytea   NOT NULL UNIQUE,
    until    bigint  NOT NULL,
    rev      bigint  NOT NULL,
    body     bytea   NOT NULL,
    seal_key bigint  NOT NULL,
    seal     bytea   NOT NULL
);

CREATE INDEX desk_pads_until ON desk_pads (until);

-- Offices and hotlines that holders are sent to, by their codes. None is ever deleted.
CREATE TABLE agencies (
    key      bytea   NOT NULL PRIMARY KEY,
    rev      bigint  NOT NULL,
    body     bytea   NOT NULL,
    seal_key bigint  NOT NULL,
    seal     bytea   NOT NULL
);

-- Numbers that notices alone go to, of holders without a phone; the key is the card.
CREATE TABLE notice_contacts (
    key      bytea   NOT NULL PRIMARY KEY,
    rev      bigint  NOT NULL,
    body     bytea   NOT NULL,
    seal_key bigint  NOT NULL,
    seal     bytea   NOT NULL
);

-- Triggers keep the Go code from a fault. Against whoever can write to the database
-- they do not help: that is what seals, the chain, the signed digests and the signed
-- archives are for (I-13, I-16).

-- A request is decided once and redeemed once (I-11). Its seal alone may change,
-- under another key.
CREATE TRIGGER requests_decided BEFORE UPDATE ON requests FOR EACH ROW
WHEN (OLD.phase > 0 AND NEW.phase <= OLD.phase
    AND NOT (NEW.key = OLD.key AND NEW.phase = OLD.phase AND NEW.rev = OLD.rev AND NEW.body = OLD.body))
EXECUTE FUNCTION liuma_forbid('a decided request does not change');

-- The record is append-only, chained and without gaps (I-8). A stream goes on after
-- its last entry or, where that was archived and left, after its cut.
-- +goose StatementBegin
CREATE FUNCTION audit_append() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NEW.number < 1 OR NEW.number > 1
        AND NOT EXISTS (SELECT 1 FROM audit WHERE kind = NEW.kind AND stream = NEW.stream
            AND number = NEW.number - 1 AND hash = NEW.previous)
        AND NOT EXISTS (SELECT 1 FROM cuts WHERE kind = NEW.kind AND stream = NEW.stream
            AND number = NEW.number - 1 AND hash = NEW.previous) THEN
        RAISE EXCEPTION 'audit entries follow one another' USING ERRCODE = 'LM003';
    END IF;
    -- A digest that takes the stream off the list at this moment is waited for.
    PERFORM 1 FROM undigested WHERE kind = NEW.kind AND stream = NEW.stream FOR KEY SHARE;
    IF NOT FOUND THEN
        INSERT INTO undigested (kind, stream) VALUES (NEW.kind, NEW.stream) ON CONFLICT DO NOTHING;
    END IF;
    RETURN NEW;
END $$;
-- +goose StatementEnd
CREATE TRIGGER audit_append BEFORE INSERT ON audit FOR EACH ROW EXECUTE FUNCTION audit_append();

CREATE TRIGGER audit_no_update BEFORE UPDATE ON audit FOR EACH ROW
EXECUTE FUNCTION liuma_forbid('audit entries do not change');

-- +goose StatementBegin
CREATE FUNCTION audit_leaves() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NOT EXISTS (SELECT 1 FROM cuts WHERE kind = OLD.kind AND stream = OLD.stream AND number >= OLD.number) THEN
        RAISE EXCEPTION 'the record is not deleted before it is archived' USING ERRCODE = 'LM003';
    END IF;
    RETURN OLD;
END $$;
-- +goose StatementEnd
CREATE TRIGGER audit_leaves BEFORE DELETE ON audit FOR EACH ROW EXECUTE FUNCTION audit_leaves();

CREATE TRIGGER digest_changes_no_update BEFORE UPDATE ON digest_changes FOR EACH ROW
EXECUTE FUNCTION liuma_forbid('digests do not change');

CREATE TRIGGER digest_changes_leave BEFORE DELETE ON digest_changes FOR EACH ROW EXECUTE FUNCTION audit_leaves();

-- +goose StatementBegin
CREATE FUNCTION digests_append() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NEW.number <> coalesce((SELECT max(number) FROM digests), 0) + 1 THEN
        RAISE EXCEPTION 'digests follow one another' USING ERRCODE = 'LM003';
    END IF;
    RETURN NEW;
END $$;
-- +goose StatementEnd
CREATE TRIGGER digests_append BEFORE INSERT ON digests FOR EACH ROW EXECUTE FUNCTION digests_append();

CREATE TRIGGER digests_no_update BEFORE UPDATE ON digests FOR EACH ROW
EXECUTE FUNCTION liuma_forbid('digests do not change');

-- The digest at the end of an archive stays: those after it rest on it.
-- +goose StatementBegin
CREATE FUNCTION digests_leave() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NOT EXISTS (SELECT 1 FROM archives WHERE digest > OLD.number)
        OR EXISTS (SELECT 1 FROM digest_changes WHERE digest = OLD.number) THEN
        RAISE EXCEPTION 'digests are not deleted before they are archived' USING ERRCODE = 'LM003';
    END IF;
    RETURN OLD;
END $$;
-- +goose StatementEnd
CREATE TRIGGER digests_leave BEFORE DELETE ON digests FOR EACH ROW EXECUTE FUNCTION digests_leave();

-- +goose StatementBegin
CREATE FUNCTION starts_follow() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'UPDATE' AND NEW.key = OLD.key AND NEW.start = OLD.start AND NEW.rev = OLD.rev AND NEW.body = OLD.body THEN
        RETURN NEW; -- its seal alone changes, under another key
    END IF;
    IF TG_OP = 'INSERT' AND NEW.rev <> 1
        OR TG_OP = 'UPDATE' AND (NEW.key <> OLD.key OR NEW.start <> OLD.start OR NEW.rev <> OLD.rev + 1)
        OR NOT EXISTS (SELECT 1 FROM audit WHERE kind = 2 AND stream = NEW.key AND number = NEW.rev) THEN
        RAISE EXCEPTION 'the head of a stream is its last entry' USING ERRCODE = 'LM003';
    END IF;
    RETURN NEW;
END $$;
-- +goose StatementEnd
CREATE TRIGGER starts_follow BEFORE INSERT OR UPDATE ON starts FOR EACH ROW EXECUTE FUNCTION starts_follow();

CREATE TRIGGER starts_no_delete BEFORE DELETE ON starts FOR EACH ROW
EXECUTE FUNCTION liuma_forbid('streams are not deleted');

CREATE TRIGGER archives_no_delete BEFORE DELETE ON archives FOR EACH ROW
EXECUTE FUNCTION liuma_forbid('archives are not forgotten');

-- +goose StatementBegin
CREATE FUNCTION cuts_go_on() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'UPDATE' AND (NEW.kind <> OLD.kind OR NEW.stream <> OLD.stream OR NEW.number < OLD.number)
        OR TG_OP = 'INSERT' AND NOT EXISTS (SELECT 1 FROM digest_changes AS c
            WHERE c.kind = NEW.kind AND c.stream = NEW.stream AND c.number = NEW.number AND c.hash = NEW.hash
            AND EXISTS (SELECT 1 FROM archives WHERE digest >= c.digest)) THEN
        RAISE EXCEPTION 'a stream is cut where an archive ends' USING ERRCODE = 'LM003';
    END IF;
    RETURN NEW;
END $$;
-- +goose StatementEnd
CREATE TRIGGER cuts_go_on BEFORE INSERT OR UPDATE ON cuts FOR EACH ROW EXECUTE FUNCTION cuts_go_on();

CREATE TRIGGER cuts_no_delete BEFORE DELETE ON cuts FOR EACH ROW
EXECUTE FUNCTION liuma_forbid('cuts are not deleted');
