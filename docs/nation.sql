-- How the tables lie on Citus: docs/NATION.md. Written by a test from rows.Layouts; never run
-- on Citus by this project. For an empty database whose migrations have run.

-- Keys and unique indexes that do not have the column by which rows are placed.
ALTER TABLE codes DROP CONSTRAINT codes_key_fkey; -- comes again below, with the column
ALTER TABLE cards DROP CONSTRAINT cards_holder_key; -- the holder's row in holders is one, and names the only card that may be inserted
CREATE INDEX cards_holder_key ON cards (holder);
ALTER TABLE ceremonies DROP CONSTRAINT ceremonies_code_key; -- at least 128 random bits each; the number is taken by the ceremony's request
CREATE INDEX ceremonies_code_key ON ceremonies (code);
ALTER TABLE ceremonies DROP CONSTRAINT ceremonies_number_key; -- at least 128 random bits each; the number is taken by the ceremony's request
CREATE INDEX ceremonies_number_key ON ceremonies (number);
ALTER TABLE ceremonies DROP CONSTRAINT ceremonies_pkey; -- at least 128 random bits each; the number is taken by the ceremony's request
ALTER TABLE ceremonies ADD PRIMARY KEY (home, key);
ALTER TABLE ceremonies DROP CONSTRAINT ceremonies_request_uri_key; -- at least 128 random bits each; the number is taken by the ceremony's request
CREATE INDEX ceremonies_request_uri_key ON ceremonies (request_uri);
ALTER TABLE codes DROP CONSTRAINT codes_pkey; -- its key is its ceremony's
ALTER TABLE codes ADD PRIMARY KEY (home, key);
ALTER TABLE former_contacts DROP CONSTRAINT former_contacts_pkey; -- a key begins with its home
ALTER TABLE former_contacts ADD PRIMARY KEY (home, key);
ALTER TABLE freeze_codes DROP CONSTRAINT freeze_codes_pkey; -- 54 random bits; of two codes that are the same a look-up finds one
ALTER TABLE freeze_codes ADD PRIMARY KEY (home, key);
ALTER TABLE messages DROP CONSTRAINT messages_pkey; -- 130 random bits
ALTER TABLE messages ADD PRIMARY KEY (home, key);
ALTER TABLE pad_offers DROP CONSTRAINT pad_offers_pad_key; -- a device that offers itself twice waits under two numbers, and each is its own
CREATE INDEX pad_offers_pad_key ON pad_offers (pad);
ALTER TABLE persons DROP CONSTRAINT persons_card_no_key; -- an import compares, and one writes at a time
CREATE INDEX persons_card_no_key ON persons (card_no);
ALTER TABLE requests DROP CONSTRAINT requests_pkey; -- the number's row in numbers is one, and says where its request is
ALTER TABLE requests ADD PRIMARY KEY (home, key);
ALTER TABLE starts DROP CONSTRAINT starts_start_key; -- it counts process starts for whoever reads the record
CREATE INDEX starts_start_key ON starts (start);
ALTER TABLE ticks DROP CONSTRAINT ticks_pkey; -- a key begins with its home
ALTER TABLE ticks ADD PRIMARY KEY (home, key);
ALTER TABLE codes ADD CONSTRAINT codes_key_fkey FOREIGN KEY (home, key) REFERENCES ceremonies (home, key) ON DELETE CASCADE;

-- Whole on every machine.
SELECT create_reference_table('agencies');
SELECT create_reference_table('archives');
SELECT create_reference_table('authorities');
SELECT create_reference_table('clients');
SELECT create_reference_table('clock');
SELECT create_reference_table('corrections');
SELECT create_reference_table('desk_pads');
SELECT create_reference_table('digests');
SELECT create_reference_table('duties');
SELECT create_reference_table('editions');
SELECT create_reference_table('keepers_seen');
SELECT create_reference_table('keyring');
SELECT create_reference_table('proposals');
SELECT create_reference_table('resealing');
SELECT create_reference_table('seal_keys');
SELECT create_reference_table('serving');
SELECT create_reference_table('shared');
SELECT create_reference_table('staff');
SELECT create_reference_table('sweeps');
SELECT create_reference_table('tallies');
SELECT create_reference_table('tickets');

-- Spread by the value of a column; tables of one group have the rows of one value together.
SELECT create_distributed_table('audit', 'stream', colocate_with => 'none');
SELECT create_distributed_table('cards', 'key', colocate_with => 'audit');
SELECT create_distributed_table('ceremonies', 'home', colocate_with => 'audit');
SELECT create_distributed_table('claims', 'key', colocate_with => 'none');
SELECT create_distributed_table('closings', 'key', colocate_with => 'audit');
SELECT create_distributed_table('codes', 'home', colocate_with => 'audit');
SELECT create_distributed_table('conflicts', 'key', colocate_with => 'none');
SELECT create_distributed_table('cuts', 'stream', colocate_with => 'audit');
SELECT create_distributed_table('digest_changes', 'stream', colocate_with => 'audit');
SELECT create_distributed_table('evidence', 'key', colocate_with => 'none');
SELECT create_distributed_table('former_contacts', 'home', colocate_with => 'audit');
SELECT create_distributed_table('freeze_codes', 'home', colocate_with => 'audit');
SELECT create_distributed_table('holders', 'key', colocate_with => 'none');
SELECT create_distributed_table('holds', 'key', colocate_with => 'none');
SELECT create_distributed_table('intents', 'key', colocate_with => 'audit');
SELECT create_distributed_table('letters', 'key', colocate_with => 'none');
SELECT create_distributed_table('look_ups', 'key', colocate_with => 'none');
SELECT create_distributed_table('messages', 'home', colocate_with => 'audit');
SELECT create_distributed_table('meters', 'key', colocate_with => 'none');
SELECT create_distributed_table('notice_contacts', 'key', colocate_with => 'audit');
SELECT create_distributed_table('numbers', 'key', colocate_with => 'none');
SELECT create_distributed_table('pad_offers', 'key', colocate_with => 'none');
SELECT create_distributed_table('person_changes', 'key', colocate_with => 'audit');
SELECT create_distributed_table('persons', 'key', colocate_with => 'none');
SELECT create_distributed_table('rations', 'key', colocate_with => 'none');
SELECT create_distributed_table('requests', 'home', colocate_with => 'audit');
SELECT create_distributed_table('staff_sessions', 'key', colocate_with => 'none');
SELECT create_distributed_table('starts', 'key', colocate_with => 'audit');
SELECT create_distributed_table('sums', 'key', colocate_with => 'none');
SELECT create_distributed_table('ticks', 'home', colocate_with => 'rations');
SELECT create_distributed_table('undigested', 'stream', colocate_with => 'audit');
