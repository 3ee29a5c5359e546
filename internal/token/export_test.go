//go:build pkcs11

package token

// Hold uses all sessions of a token until it is released.
func Hold(t Token) (release func()) {
	d := t.(*device)
	var all []*session
	for range d.cfg.Sessions {
		all = append(all, <-d.pool)
	}
	return func() {
		for _, s := range all {
			d.pool <- s
		}
	}
}

// LoseSessions closes all sessions behind a token's back, and so logs out.
func LoseSessions(t Token) error {
	d := t.(*device)
	return d.ctx.CloseAllSessions(d.slot)
}
