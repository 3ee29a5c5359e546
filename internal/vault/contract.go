// Package vault holds the authority's own keys and does everything that needs
// one: sealing personal data, blind indexes, row MACs, PIN envelopes and
// receipts. It guarantees that a key is used for one purpose only, that a value
// sealed for one row does not open for another, and that a PIN leaves an
// envelope only as a pin.PIN. It trusts its key file. Everyone who has that
// file and the database can read the personal data, but still cannot test a PIN
// (docs/SECURITY.md, "What a thief gains").
//
// Start here: Vault, then seal.go.
package vault

// Index is a blind index: a keyed hash by which a row can be found without
// storing the plain value. It means nothing without the vault's key.
type Index [32]byte

// MAC authenticates a row against changes by anyone who can write to the
// database.
type MAC [32]byte
