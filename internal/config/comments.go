package config

import (
	"fmt"
	"maps"
	"reflect"
	"strings"
)

// comments describes each member of the file, with its default, in one line. A
// test compares it with Config.
func comments() map[string]string {
	out := map[string]string{
		"issuer":                             "The authority's own name: an absolute URL; with a hosted door its public address. Clients have it in their settings. Default http://127.0.0.1:8600",
		"api":                                "Public address of the channel door, which clients are told. Default: where it listens",
		"channel_door":                       "The door of channels, registry clients and hotlines.",
		"hosted_door":                        "The door of holders' browsers and of pushed requests. Default: none",
		"gateway_door":                       "The door where the gateway of texts reports deliveries, at /receipts. Default: none",
		"console_door":                       "The door of the staff console, for browsers of members of staff. Default: none",
		"console":                            "Public address of the staff console, which passkeys belong to: https://host[:port]. Default: http://localhost and the door's port, on the loopback",
		"texts":                              "How one-time codes and notices get to phones.",
		"texts.driver":                       "none, webhook, kannel, or inbox (only shows them; with allow_stand_in_evidence). Default none",
		"texts.signature_zh":                 "What a Chinese text opens with. Default 【电子社保卡】",
		"texts.signature_en":                 `What an English text opens with. Default "[Electronic card] "`,
		"texts.wordings":                     "YAML file of regions' own wordings. Default: none",
		"texts.codes":                        "The share of the gateway that one-time codes may use.",
		"texts.notices":                      "The share of the gateway that notices may use.",
		"texts.webhook":                      "Of driver webhook.",
		"texts.webhook.url":                  "Where texts are posted: https, or http to loopback. Default: none",
		"texts.webhook.secret_file":          "File of one line, mode 0600: the secret that texts and reports are signed with. Default: none",
		"texts.webhook.voice":                "The adapter also places calls that read out a code. Default false",
		"texts.webhook.previous_secret_file": "The secret before it, still good for reports. Default: none",
		"texts.kannel":                       "Of driver kannel.",
		"texts.kannel.url":                   "sendsms of smsbox: https, or http to loopback. Default: none",
		"texts.kannel.username":              "The user of smsbox's group sendsms-user. Default: none",
		"texts.kannel.password_file":         "File of one line, mode 0600, with its password. Default: none",
		"texts.senders":                      "Numbers that texts come from, for the page on which holders ask whether a text is genuine. Default: none",
		"texts.kannel.from":                  "The sender's number or name. Default: smsbox's own",
		"texts.kannel.receipt_url":           "The gateway door as smsbox reaches it, with /receipts. Default: none",
		"consent":                            "File with the text that holders agree to. Default: the built-in text",
		"native_consent":                     "Whether an enrolment at the native door must name the version of that text. Default: false",
		"domain_checks":                      "Directory whose .txt and .html files the hosted door serves at its root. Default: none",
		"proxies":                            "Addresses or networks of the proxies in front of the hosted door. Default: loopback, if it is behind_proxy",
		"hotline":                            "The phone number that pages, notices and the sentences of errors name. Default 12333",
		"vault":                              "Key file of the authority. Default vault.key",
		"database":                           "The authority's SQLite file, or postgres://USER@HOST/DATABASE (docs/POSTGRES.md). Default liuma.db",
		"database_password_file":             "File of one line, mode 0600, with the password for a PostgreSQL server. Default: none, PGPASSFILE",
		"digests":                            `Directory of the signed digests of the audit record, to be shipped off; "" for none. Default digests`,
		"keepers":                            "The keepers, which count guesses.",
		"keepers.shape":                      "How many make a quorum, of how many: 1/1, 2/3 or 3/5. Fixed when the directory was made. Default 1/1",
		"keepers.directories":                "One directory a keeper in this process, in order. Default keepers/k1 and so on, where there is no key",
		"keepers.remote":                     "Keepers on machines of their own: id, address (host:port) and admission (file) of each, which 'liuma keeper add' writes. Default: none",
		"keepers.key":                        "PEM file of the key by which they know this authority; 'liuma keeper request' makes it. Default: none, the keepers are in this process",
		"keepers.key_set":                    "Which key set of theirs new PINs are made with. Default: the highest that all who can be reached hold alike",
		"policy":                             "Directory with the rules of regions and channels, one layer a file. Default: none, the national rule everywhere",
		"allow_stand_in_evidence":            "Accept evidence of stand-in providers, which proves nothing. For demos and tests only. Default false",
		"log":                                "How much is logged: debug, info, warn or error. Default info",
		"drain":                              "How long a stopping server lets requests finish, up to 5m. Default 10s",
	}
	addDoors(out)
	for _, queue := range []string{"texts.codes", "texts.notices"} {
		out[queue+".per_second"] = "Sent a second, 0.1 to 10000. Default 50"
		out[queue+".concurrent"] = "On their way at once, 1 to 256. Default 16"
	}
	maps.Copy(out, restComments())
	return out
}

// restComments has the comments about letters, and about how long data is kept.
func restComments() map[string]string {
	return map[string]string{
		"hsm":                     "The hardware security module that the vault's key file is sealed to (docs/HSM.md).",
		"hsm.module":              "The vendor's PKCS#11 library, an absolute path; the program must be built with -tags pkcs11. Default: none",
		"hsm.token":               "Label of the token. Default: none",
		"hsm.pin_file":            "File of one line, mode 0600, with the PIN of the token's user. Default: none",
		"metrics":                 "Where a collector reads the process's numbers, at /metrics, and where /healthz and /readyz are asked (docs/OPERATIONS.md).",
		"metrics.listen":          "host:port; beyond loopback it needs a certificate, or beyond_loopback. Default: no such listener",
		"metrics.certificate":     "PEM file of the certificate chain, together with key. Default: none",
		"metrics.key":             "PEM file of its key, mode 0640 or stricter. Default: none",
		"metrics.beyond_loopback": "Listen beyond the loopback without a certificate, on a network of the collectors' own. Default false",
		"letters":                 "What stands on letters to people without a phone.",
		"letters.sender_zh":       "Who writes, in Chinese: at most 40 characters. Default: the name of the service",
		"letters.sender_en":       "The same in English. Default: the name of the service",
		"letters.return_to":       "A line above the address: where the post brings back what it cannot deliver, at most 60 characters. Default: the sender",
		"retention":               "How long the database keeps what it need not keep for ever, in days (180d) or years (1y).",
		"retention.requests":      "Requests after their last change, with their business numbers: 30d or longer. Default 180d",
		"retention.ceremonies":    "Ceremonies after their end: 1d or longer, no longer than requests. Default 7d",
		"retention.letters":       "Letters after they were posted or came back: 30d or longer. Default 90d",
		"retention.record":        "The audit record, which leaves only after 'liuma audit archive': 183d or longer. Default 3y",
	}
}

// Members lists the members of the file by their paths, each group before its
// members, in the order of Config.
func Members() []string { return membersOf(reflect.TypeFor[Config](), "") }

func membersOf(t reflect.Type, under string) (out []string) {
	for f := range t.Fields() {
		name, options, _ := strings.Cut(f.Tag.Get("yaml"), ",")
		if options == "inline" {
			out = append(out, membersOf(f.Type, under)...)
			continue
		}
		path := name
		if under != "" {
			path = under + "." + name
		}
		out = append(out, path)
		if f.Type.Kind() == reflect.Struct {
			out = append(out, membersOf(f.Type, path)...)
		}
	}
	return out
}

// commented adds the comments to a configuration file, each above its member.
// Members that are not written, because their default is not a single value,
// are added as comments, so that the file shows every member.
func commented(plain []byte) ([]byte, error) {
	said := comments()
	written := map[string]bool{}
	var out strings.Builder
	var path []string
	flush := func(depth int) { // members of the groups that end here
		for len(path) > depth {
			group := strings.Join(path, ".")
			for _, m := range Members() {
				if rest, ok := strings.CutPrefix(m, group+"."); ok && !strings.Contains(rest, ".") && !written[m] {
					indent := strings.Repeat("  ", len(path))
					fmt.Fprintf(&out, "%s# %s\n%s# %s:\n", indent, said[m], indent, rest)
					written[m] = true
				}
			}
			path = path[:len(path)-1]
		}
	}
	item := -1 // indentation of the entries of the current list
	for line := range strings.Lines(string(plain)) {
		bare := strings.TrimLeft(line, " ")
		if entry := strings.HasPrefix(bare, "-"); entry || len(line)-len(bare) <= item {
			item = -1
			if entry {
				item = len(line) - len(bare)
			}
		}
		if name, _, ok := strings.Cut(bare, ":"); ok && item < 0 {
			depth := (len(line) - len(bare)) / 2
			flush(depth)
			path = append(path[:depth], name)
			member := strings.Join(path, ".")
			comment, ok := said[member]
			if !ok {
				return nil, fmt.Errorf("config: no comment for the member %s", member)
			}
			written[member] = true
			fmt.Fprintf(&out, "%s# %s\n", strings.Repeat("  ", depth), comment)
		}
		out.WriteString(line)
	}
	flush(0)
	for _, m := range Members() {
		if !written[m] && !strings.Contains(m, ".") {
			fmt.Fprintf(&out, "# %s\n# %s:\n", said[m], m)
		}
	}
	return []byte(out.String()), nil
}

// addDoors adds the comments on the settings that all doors have.
func addDoors(out map[string]string) {
	listens := map[string]string{"channel_door": "127.0.0.1:8600", "hosted_door": "no such door", "gateway_door": "no such door", "console_door": "no such door"}
	for door, listen := range listens {
		out[door+".listen"] = "host:port; beyond loopback it needs a certificate, or behind_proxy. Default: " + listen
		out[door+".certificate"] = "PEM file of the certificate chain, together with key. Default: none"
		out[door+".key"] = "PEM file of its key, mode 0640 or stricter. Default: none"
		out[door+".behind_proxy"] = "A proxy ends TLS in front of this door. Default false"
		out[door+".max_connections"] = "Open connections at once. Default: a share of the files that the process may open"
		out[door+".max_connections_per_source"] = "Of them from one address. Default: a half; a quarter at the hosted door"
		out[door+".max_requests"] = "Requests at once. Default: 2048 (channel), 4096 (hosted), 256 (gateway, console)"
		out[door+".max_requests_per_source"] = "Of them from one address before the client is known. Default 128; 512 at the hosted door"
		out[door+".max_requests_per_client"] = "Of them from one client. Default 256; 128 at the gateway door, 32 at the console"
	}
}
