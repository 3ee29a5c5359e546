package config

import (
	"fmt"
	"os"
	"path/filepath"

	"github.com/goccy/go-yaml"
)

const header = `# The configuration of Liuma. It is read strictly, at the start of the server;
# 'liuma config check' says whether it is in order. Relative paths are relative to
# this file. docs/CONFIGURATION.md says more about every member.

`

// Write makes the configuration file in dir. It never replaces one: a second
// init must not change the configuration of a running authority.
func Write(dir string, c Config) error {
	b, err := text(c)
	if err != nil {
		return err
	}
	f, err := os.OpenFile(filepath.Join(dir, FileName), os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return fmt.Errorf("config: %w", err)
	}
	_, err = f.Write(b)
	if err == nil {
		err = f.Sync()
	}
	if cerr := f.Close(); err == nil {
		err = cerr
	}
	return err
}

// text is a configuration as Write writes it.
func text(c Config) ([]byte, error) {
	if err := c.Validate(); err != nil {
		return nil, fmt.Errorf("config: %w", err)
	}
	b, err := yaml.Marshal(c)
	if err != nil {
		return nil, fmt.Errorf("config: %w", err)
	}
	if b, err = commented(b); err != nil {
		return nil, err
	}
	return append([]byte(header), b...), nil
}
