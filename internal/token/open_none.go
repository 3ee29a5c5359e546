//go:build !pkcs11

package token

// Open says that this program has no PKCS#11.
func Open(Config) (Token, error) { return nil, ErrNotBuilt }
