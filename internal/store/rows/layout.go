package rows

// A Layout says where the rows of a table lie in a database that is spread over machines.
// This is the one place where that is declared. A test compares it with the file of
// statements that spreads the tables on Citus (docs/nation.sql), another watches that no
// act of the hot path sends a statement that does not name where its rows are.
type Layout struct {
	// Column has the value by which a row is placed; empty: the table is whole on every
	// machine (Whole), or on one of them (neither).
	Column string
	// Group names the tables that have the rows of one value together: what is about one
	// card, or one process start, is on one machine. Empty: the table is by itself.
	Group string
	Whole bool
	// Unique are columns that one database keeps unique and several cannot, since Column is
	// not among them. Why is what there is in place of that.
	Unique []string
	Why    string
}

// Layouts has the layout of every table: of those of sealed rows, and of the others.
func Layouts() map[string]Layout {
	all := map[string]Layout{
		"goose_db_version": {}, // which migrations ran; nobody asks while it serves
		// Of one phone number or source: its marks and their counter.
		"rations": {Column: "key", Group: "ration"},
		"ticks":   {Column: "home", Group: "ration", Unique: []string{"key"}, Why: "a key begins with its home"},
		// By themselves.
		"persons": {Column: "key", Unique: []string{"card_no"}, Why: "an import compares, and one writes at a time"},
		// With the card that they are about, or will be: their tokens say which.
		"ceremonies": {Column: "home", Group: "card", Unique: []string{"key", "number", "request_uri", "code"},
			Why: "at least 128 random bits each; the number is taken by the ceremony's request"},
		"codes": {Column: "home", Group: "card", Unique: []string{"key"}, Why: "its key is its ceremony's"},
	}
	with := func(l Layout, names ...string) {
		for _, name := range names {
			all[name] = l
		}
	}
	with(Layout{Column: "key", Group: "card"}, "intents", "closings", "notice_contacts", "person_changes")
	with(Layout{Column: "stream", Group: "card"}, "audit", "undigested", "cuts", "digest_changes")
	all["cards"] = Layout{Column: "key", Group: "card", Unique: []string{"holder"}, Why: "the holder's row in holders is one, and names the only card that may be inserted"}
	all["starts"] = Layout{Column: "key", Group: "card", Unique: []string{"start"}, Why: "it counts process starts for whoever reads the record"}
	homed := func(name, why string) {
		all[name] = Layout{Column: "home", Group: "card", Unique: []string{"key"}, Why: why}
	}
	homed("requests", "the number's row in numbers is one, and says where its request is")
	homed("messages", "130 random bits")
	homed("freeze_codes", "54 random bits; of two codes that are the same a look-up finds one")
	homed("former_contacts", "a key begins with its home")
	// Claims, taken before the card's transaction, and what is found by its own key alone.
	with(Layout{Column: "key"}, "numbers", "claims", "holders", "evidence", "meters", "letters", "look_ups", "staff_sessions", "conflicts",
		"holds", "sums")
	all["pad_offers"] = Layout{Column: "key", Unique: []string{"pad"}, Why: "a device that offers itself twice waits under two numbers, and each is its own"}
	// Read by all, or by one process, and seldom written.
	with(Layout{Whole: true}, "clients", "seal_keys", "staff", "proposals", "editions", "shared", "agencies", "clock", "sweeps", "archives",
		"digests", "tallies", "resealing", "keepers_seen", "corrections", "tickets", "desk_pads",
		"authorities", "duties", "serving", "keyring")
	return all
}
