-- Where a ceremony may send its holder back to. A channel that was registered
-- before there was a hosted door has none, and so may not use it.

-- +goose Up
ALTER TABLE clients ADD COLUMN redirect_uris TEXT NOT NULL DEFAULT 'null'; -- JSON array
