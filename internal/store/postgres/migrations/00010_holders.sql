-- +goose Up
-- Which card is a holder's, or will be. Written before the card, in a transaction of its
-- own: two who enrol one holder insert the same card, and one of them is refused. A holder
-- without a row here may have a card from before.
CREATE TABLE holders (
    key      bytea   NOT NULL PRIMARY KEY,
    rev      bigint  NOT NULL,
    body     bytea   NOT NULL,
    seal_key bigint  NOT NULL,
    seal     bytea   NOT NULL
);

-- A program that does not know the claims would insert another card than the one that was
-- claimed, and whoever goes by the claim would not see it.
UPDATE serving SET schema = 10, serves_from = 10;
