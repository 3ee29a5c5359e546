package pin

// Form says how the bytes of a card's PIN were spelt when it was set. A card keeps
// it, so that a passphrase from before NFKC stays right, and so that a page in an app
// that knows the card can begin with the field that its holder needs.
type Form uint8

// The forms. They are stored: none changes its meaning.
const (
	// FormEarlier: set before forms were kept. A passphrase is in NFC.
	FormEarlier Form = iota
	FormDigits
	FormPassphrase // NFKC
	// FormPassphraseNFC: FormEarlier, and by a right entry known to be a passphrase
	// whose NFKC is another.
	FormPassphraseNFC
	// FormUnknown: taken from the keepers after a restore. A passphrase is in NFKC.
	FormUnknown
)

// Passphrase reports whether a PIN of this form is known to be a passphrase.
func (f Form) Passphrase() bool { return f == FormPassphrase || f == FormPassphraseNFC }

// Form is that of p as the PIN that is set now.
func (p PIN) Form() Form {
	if p.Passphrase() {
		return FormPassphrase
	}
	return FormDigits
}

// UseAs is Use with the bytes of p as they were spelt under a form.
func (p PIN) UseAs(f Form, use func([]byte) error) error {
	if f != FormEarlier && f != FormPassphraseNFC {
		return p.Use(use)
	}
	return p.lend(func(c *cell) error {
		if c.m == 0 {
			return use(c.b[:c.n:c.n])
		}
		return use(c.earlier[:c.m:c.m])
	})
}

// Proved is the form of a card's PIN once p was right for it under f.
func (p PIN) Proved(f Form) Form {
	switch f {
	case FormEarlier:
		if p.spelt() {
			return FormPassphraseNFC
		}
		return p.Form()
	case FormUnknown:
		return p.Form()
	}
	return f
}

// spelt reports whether p has an earlier spelling of its own.
func (p PIN) spelt() bool { return p.cell != nil && p.cell().m > 0 }
