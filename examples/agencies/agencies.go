// Package agencies is a sample of the directory of agencies: made-up offices, marked as
// such, beside the hotlines that everybody may call. It is a file to begin one's own from,
// and what the demo shows.
//
// Start here: File.
package agencies

import _ "embed" // agencies.csv

// File is what "liuma agency import" reads.
//
//go:embed agencies.csv
var File []byte
