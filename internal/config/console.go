package config

import (
	"errors"
	"fmt"
	"net"
	"net/url"
)

// ConsoleAddress returns the address at which browsers reach the console; "" if there
// is no console.
func (c Config) ConsoleAddress() string {
	host, port, err := net.SplitHostPort(c.ConsoleDoor.Listen)
	switch {
	case c.Console != "":
		return c.Console
	case err != nil, port == "0", c.ConsoleDoor.BehindProxy, !loopback(host), c.ConsoleDoor.Certificate != "":
		return ""
	}
	return "http://localhost:" + port
}

// validateConsole checks the console's door and address. Passkeys belong to a host name, so
// a numeric address is refused.
func (c Config) validateConsole() error {
	if c.ConsoleDoor.Listen == "" {
		if c.ConsoleDoor != (Door{}) || c.Console != "" {
			return errors.New("console_door.listen is missing")
		}
		return nil
	}
	if err := c.ConsoleDoor.validate("console_door"); err != nil {
		return err
	}
	if _, port, _ := net.SplitHostPort(c.ConsoleDoor.Listen); c.Console == "" && port == "0" {
		return nil // a test, which learns its port later
	}
	address := c.ConsoleAddress()
	if address == "" {
		return errors.New("console: want the address that browsers open, https://host[:port]: only an address on the loopback without a certificate and a proxy goes without")
	}
	u, err := url.Parse(address)
	if err != nil || u.User != nil || u.Host == "" || u.Scheme+"://"+u.Host != address || net.ParseIP(u.Hostname()) != nil {
		return fmt.Errorf("console %q: want scheme://host[:port] with a host's name and nothing after it; passkeys belong to the name", address)
	}
	if u.Scheme != "https" && (u.Scheme != "http" || u.Hostname() != "localhost") {
		return fmt.Errorf("console %q: want https, or http://localhost", address)
	}
	return nil
}
