package pin

// Form says how the bytes of a card's PIN were spelt when it was set. A card keeps it
// for two reasons: a passphrase from before NFKC must stay right, and a page in an
// app that knows the card can begin with the field that its holder needs.
type Form uint8

// The forms. They are stored, so their meanings never change.
const (
	// FormEarlier: set before forms were kept. A passphrase is in NFC.
	FormEarlier Form = iota
	FormDigits
	FormPassphrase // NFKC
	// FormPassphraseNFC: like FormEarlier, but a right entry has shown that it is a
	// passphrase whose NFKC differs.
	FormPassphraseNFC
	// FormUnknown: taken from the keepers after a restore. A passphrase is in NFKC.
	FormUnknown
)

// Passphrase reports whether a PIN of this form is known to be a passphrase.
func (f Form) Passphrase() bool { return f == FormPassphrase || f == FormPassphraseNFC }

// Form is the form of p as a PIN that is set now.
func (p PIN) Form() Form {
	if p.Passphrase() {
		return FormPassphrase
	}
	return FormDigits
}

// UseAs is Use with the bytes of p in the spelling of a given form.
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

// Proved is the form of a card's PIN after p was right for it under f.
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

// spelt reports whether p has an earlier spelling that differs.
func (p PIN) spelt() bool { return p.cell != nil && p.cell().m > 0 }
