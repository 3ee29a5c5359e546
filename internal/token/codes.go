//go:build pkcs11

package token

import (
	"errors"
	"fmt"

	"github.com/miekg/pkcs11"
)

// codeOf returns the code of the library's error; CKR_OK if err is not from the
// library.
func codeOf(err error) uint {
	if code, ok := errors.AsType[pkcs11.Error](err); ok {
		return uint(code)
	}
	return pkcs11.CKR_OK
}

func wrongPIN(code uint) bool {
	switch code {
	case pkcs11.CKR_PIN_INCORRECT, pkcs11.CKR_PIN_INVALID, pkcs11.CKR_PIN_LEN_RANGE, pkcs11.CKR_PIN_EXPIRED, pkcs11.CKR_PIN_LOCKED:
		return true
	}
	return false
}

// badParameters reports that the token knows the operation, but not in this
// form.
func badParameters(code uint) bool {
	switch code {
	case pkcs11.CKR_ARGUMENTS_BAD, pkcs11.CKR_MECHANISM_INVALID, pkcs11.CKR_MECHANISM_PARAM_INVALID:
		return true
	}
	return false
}

// translate returns the meaning of the library's error, and whether the connection
// must be made again. If the token refused a request that it understood, the
// connection is still usable; after any other error nothing is certain, not even
// whether key handles are still valid.
func translate(err error) (_ error, lost bool) {
	code := codeOf(err)
	if code == pkcs11.CKR_OK {
		return err, false // our own
	}
	switch code {
	case pkcs11.CKR_KEY_UNEXTRACTABLE:
		return fmt.Errorf("%w: %w", ErrUnextractable, err), false
	case pkcs11.CKR_DEVICE_MEMORY:
		return fmt.Errorf("%w: %w", ErrFull, err), false
	case pkcs11.CKR_FUNCTION_NOT_SUPPORTED, pkcs11.CKR_KEY_SIZE_RANGE, pkcs11.CKR_KEY_TYPE_INCONSISTENT, pkcs11.CKR_KEY_FUNCTION_NOT_PERMITTED,
		pkcs11.CKR_KEY_NOT_WRAPPABLE, pkcs11.CKR_ATTRIBUTE_READ_ONLY, pkcs11.CKR_ATTRIBUTE_SENSITIVE, pkcs11.CKR_ATTRIBUTE_TYPE_INVALID,
		pkcs11.CKR_ATTRIBUTE_VALUE_INVALID, pkcs11.CKR_TEMPLATE_INCOMPLETE, pkcs11.CKR_TEMPLATE_INCONSISTENT,
		pkcs11.CKR_DATA_INVALID, pkcs11.CKR_DATA_LEN_RANGE, pkcs11.CKR_ENCRYPTED_DATA_INVALID, pkcs11.CKR_ENCRYPTED_DATA_LEN_RANGE,
		pkcs11.CKR_WRAPPED_KEY_INVALID, pkcs11.CKR_WRAPPED_KEY_LEN_RANGE, pkcs11.CKR_UNWRAPPING_KEY_TYPE_INCONSISTENT, pkcs11.CKR_WRAPPING_KEY_TYPE_INCONSISTENT:
		return fmt.Errorf("%w: %w", ErrCannot, err), false
	}
	if badParameters(code) {
		return fmt.Errorf("%w: %w", ErrCannot, err), false
	}
	return fmt.Errorf("%w: %w", ErrAway, err), true
}
