-- +goose Up
-- Whose ledger this is (empty until the first write of a release that knows), and
-- whether its repair was begun and has not ended: then rows may be missing.
ALTER TABLE meta ADD COLUMN owner     BLOB    NOT NULL DEFAULT x'' CHECK (length(owner) IN (0, 32));
ALTER TABLE meta ADD COLUMN repairing INTEGER NOT NULL DEFAULT 0 CHECK (repairing IN (0, 1));

-- +goose Down
ALTER TABLE meta DROP COLUMN repairing;
ALTER TABLE meta DROP COLUMN owner;
