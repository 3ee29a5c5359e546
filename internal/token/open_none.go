//go:build !pkcs11

package token

// Open fails: this program was built without PKCS#11.
func Open(Config) (Token, error) { return nil, ErrNotBuilt }
