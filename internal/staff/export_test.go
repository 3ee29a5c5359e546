package staff

// HashForTest is under which a session is kept.
func HashForTest(t Token) [32]byte { return tokenHash(t) }
