package keys

import (
	"crypto/sha256"
	"testing"
)

// TestDigits: the digits of a desk as it comes take 262,144 steps; computed elsewhere.
func TestDigits(t *testing.T) {
	t.Parallel()
	const want = "0575 5333 8807 3452 7393 6556 6090 5678 1345 5966"
	if got := (Desk{}).digitsOf(sha256.Sum256([]byte("liuma"))); got != want {
		t.Errorf("%s, want %s", got, want)
	}
}
