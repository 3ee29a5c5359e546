// Package upgrade tries this release on the data of the ones before it. Each
// testdata/vX.tar.gz is a data directory that such a release wrote itself, and
// expected.json in it says what is in it; the script beside it says how it was made. It
// guarantees that what a release kept is what the next one goes by: PINs, links, guesses,
// locks, verdicts, the record. It trusts the releases' own clocks.
//
// Start here: TestData.
package upgrade
