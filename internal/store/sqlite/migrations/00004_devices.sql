-- Known devices that were not seen for long are dropped, found by when they
-- were seen.

-- +goose Up
CREATE INDEX devices_seen ON devices (seen);
