package rehearsal

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/url"
	"slices"
	"strings"
)

// Description says how a browser drives a channel: a JSON file that its developer
// writes. Members of requests are addresses below Origin.
type Description struct {
	Origin      string    `json:"origin"` // scheme://host[:port]
	ClientID    string    `json:"client_id"`
	Key         string    `json:"key"` // file of the public key, beside the description
	RedirectURI string    `json:"redirect_uri"`
	Regions     []string  `json:"regions"` // none: the nation
	Accounts    []Account `json:"accounts"`
	LogIn       Request   `json:"log_in"`
	Link        Request   `json:"link"`   // begins a link for whoever is logged in
	Verify      Request   `json:"verify"` // begins a verification
	Behind      Behind    `json:"behind"`
	// The other acts, each optional: without it the cases about it are not played.
	Enroll   *Request `json:"enroll,omitempty"` // begins an application
	Change   *Request `json:"change,omitempty"`
	Reset    *Request `json:"reset,omitempty"`
	Rebind   *Request `json:"rebind,omitempty"`
	Unfreeze *Request `json:"unfreeze,omitempty"`
	Freeze   *Request `json:"freeze,omitempty"` // freezes the card: the last press of it
	// Newcomer is a third log-in, whose person has no card yet.
	Newcomer *Account `json:"newcomer,omitempty"`
	// Evidence is the form to press on the channel's page that comes before an
	// identity check: the end of its form's address. Empty: there is no such page.
	Evidence string   `json:"evidence,omitempty"`
	Ask      *Request `json:"ask,omitempty"` // fetches the result of the last request; optional
}

// Account is a log-in of the channel, and its person. Two are needed.
type Account struct {
	Name     string `json:"name"` // stands for {account} in requests
	IDNumber string `json:"id_number"`
	Holder   string `json:"holder"` // the person's name
	Phone    string `json:"phone"`
}

// Request is an act of a person in the app: open an address, and then press the form
// whose address ends in Press, with the values of Form filled in; or Post them to an
// address that no page offers. {account} stands for the account.
type Request struct {
	Open  string            `json:"open,omitempty"`
	Press string            `json:"press,omitempty"`
	Post  string            `json:"post,omitempty"`
	Form  map[string]string `json:"form,omitempty"`
}

// Behind is the page behind the PIN. It is open if it is shown at its own address,
// with status 200 and with the words of Says.
type Behind struct {
	Open string `json:"open"`
	Says string `json:"says,omitempty"`
}

// ParseDescription reads a description.
func ParseDescription(raw []byte) (Description, error) {
	var d Description
	in := json.NewDecoder(bytes.NewReader(raw))
	in.DisallowUnknownFields()
	if err := in.Decode(&d); err != nil {
		return d, fmt.Errorf("description: %w", err)
	}
	if _, err := in.Token(); !errors.Is(err, io.EOF) {
		return d, errors.New("description: more than one JSON object")
	}
	return d, d.check()
}

func (d Description) check() error {
	u, err := url.Parse(d.Origin)
	if err != nil || u.Host == "" || u.Scheme+"://"+u.Host != d.Origin {
		return fmt.Errorf("description: origin %q: want scheme://host[:port]", d.Origin)
	}
	if d.ClientID == "" || d.RedirectURI == "" || d.Behind.Open == "" {
		return errors.New("description: client_id, redirect_uri and behind are required")
	}
	if len(d.Accounts) < 2 {
		return errors.New("description: two accounts are needed, each with a person of its own")
	}
	seen := map[string]bool{}
	for _, a := range d.people() {
		if a.Name == "" || a.Holder == "" || len(a.IDNumber) != 18 || a.Phone == "" || seen[a.Name] || seen[a.IDNumber] {
			return fmt.Errorf("description: account %q: name, id_number of its own, holder and phone are required", a.Name)
		}
		seen[a.Name], seen[a.IDNumber] = true, true
	}
	for what, r := range d.requests() {
		if (r.Open == "") == (r.Post == "") || r.Post != "" && r.Press != "" {
			return fmt.Errorf("description: %s: want open, perhaps with press, or post", what)
		}
	}
	return nil
}

// registry is the import file of the accounts' people.
func (d Description) registry() string {
	var b strings.Builder
	b.WriteString("id_number,name,phone,card_no,region,status\n")
	for i, a := range d.people() {
		fmt.Fprintf(&b, "%s,%s,%s,%s,%s,normal\n", a.IDNumber, a.Holder, a.Phone, cardNo(i), a.IDNumber[:6])
	}
	return b.String()
}

// cardNo is the number of the physical card of one of the people.
func cardNo(i int) string { return fmt.Sprintf("A%08d", 70417300+i*37) }

// people are the accounts, and the newcomer after them.
func (d Description) people() []Account {
	all := slices.Clone(d.Accounts)
	if d.Newcomer != nil {
		all = append(all, *d.Newcomer)
	}
	return all
}

// requests are all requests of the description, by their member.
func (d Description) requests() map[string]Request {
	all := map[string]Request{"log_in": d.LogIn, "link": d.Link, "verify": d.Verify}
	for what, r := range map[string]*Request{"enroll": d.Enroll, "change": d.Change, "reset": d.Reset, "rebind": d.Rebind, "unfreeze": d.Unfreeze, "freeze": d.Freeze} {
		if r != nil {
			all[what] = *r
		}
	}
	return all
}
