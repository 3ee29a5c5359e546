// Package samples holds five sample regions as layers of policy, one a file, for
// the demo and for who writes a layer of their own. It guarantees that the files are
// there; its test reads them as a server would. It trusts nothing.
//
// Start here: README.md beside it, which says what differs.
package samples

import "embed"

// Files are the layers, each in YAML.
//
//go:embed *.yaml
var Files embed.FS
