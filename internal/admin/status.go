package admin

import (
	"context"
	"time"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/internal/authority"
	"github.com/liuma-pin/liuma/internal/edition"
	"github.com/liuma-pin/liuma/internal/keyring"
	"github.com/liuma-pin/liuma/internal/letter"
	"github.com/liuma-pin/liuma/internal/registry"
	"github.com/liuma-pin/liuma/internal/store"
)

// Status describes a data directory and its server. Nothing in it is secret or
// personal.
type Status struct {
	At      time.Time     `json:"at"`      // clock of the process that answered
	Serving *Serving      `json:"serving"` // null: no server is running
	Issuer  string        `json:"issuer"`
	Shape   string        `json:"shape"` // of the keepers, for example 2/3
	Keepers []KeeperState `json:"keepers"`
	// OpenIntents counts PINs that are being set and that not every keeper has yet.
	OpenIntents int64 `json:"open_intents"`
	Cards       int64 `json:"cards"`
	People      int64 `json:"people"` // in the registry
	// Children are the cards of people under 18.
	Children registry.Children `json:"childrens_cards"`
	// Corrections of ID numbers.
	Corrections Corrections  `json:"corrections"`
	SealKey     *SealKey     `json:"seal_key"` // the newest; null before the first start
	Texts       Texts        `json:"texts"`
	Letters     letter.Queue `json:"letters"` // notices on paper
	Record      RecordStatus `json:"record"`
	Retention   Retention    `json:"retention"`
	// Resealing is null if the vault has only one root key.
	Resealing *Resealing `json:"resealing"`
	// Policy is the policy in force or, without a server, the policy that a server would
	// start with now.
	Policy edition.State `json:"policy"`
	// Restart says that the running server signs with, or publishes, other keys than the
	// key file holds.
	Restart bool `json:"restart_for_keys"`
	// Staff is the state of the staff.
	Staff StaffStatus `json:"staff"`
	// Authorities are the authorities that work with the same database, by name; empty if
	// there can be only one.
	Authorities []AuthorityState `json:"authorities"`
	// Keyring is the state of the keys that all of them share; null if there can be only
	// one authority.
	Keyring *keyring.State `json:"keyring"`
}

// AuthorityState is one of several authorities on a database.
type AuthorityState struct {
	Name string `json:"name"`
	Here bool   `json:"here"` // the one that answers
	Host string `json:"host"`
	PID  int    `json:"process"`
	// Release is that of its program; empty: it is from before it said so.
	Release string       `json:"release,omitempty"`
	Since   time.Time    `json:"since"`
	Seen    time.Time    `json:"seen"`
	Gone    bool         `json:"gone"`   // its connection is
	Duties  []store.Duty `json:"duties"` // what it does for all
}

// authorities lists the authorities that work with the database.
func (a *Admin) authorities(ctx context.Context) ([]AuthorityState, error) {
	out := []AuthorityState{}
	self := a.c.Store.Self()
	if self.Name == "" {
		return out, nil
	}
	peers, err := a.c.Store.Peers(ctx)
	if err != nil {
		return nil, err
	}
	all, err := a.c.Store.Duties(ctx)
	if err != nil {
		return nil, err
	}
	for _, p := range peers {
		s := AuthorityState{Name: p.Name, Here: p.Process == self.Process, Host: p.Host, PID: p.PID, Release: p.Release, Since: p.Since, Seen: p.Seen, Gone: p.Absent, Duties: []store.Duty{}}
		for _, d := range all {
			if d.Process == p.Process {
				s.Duties = append(s.Duties, d.Name)
			}
		}
		out = append(out, s)
	}
	return out, nil
}

// Corrections counts corrections of ID numbers.
type Corrections struct {
	Waiting int64 `json:"waiting"` // received, waiting, or being carried out
	Stopped int64 `json:"stopped"` // an operator decides
	Untold  int64 `json:"untold"`  // of Stopped: nobody could be told
	Decided int64 `json:"decided"` // of Waiting: an operator let them go on although nobody could be told
}

func countCorrections(r store.Reader) (c Corrections, err error) {
	for after, more := "", true; more; {
		page, err := r.Corrections(after, MaxCorrections)
		if err != nil {
			return c, err
		}
		for _, one := range page {
			switch after = one.ID; one.State {
			case store.CorrectionStopped:
				c.Stopped++
				if one.Why == store.WhyUntold {
					c.Untold++
				}
			case store.CorrectionCancelled:
			default:
				c.Waiting++
				if one.Decided {
					c.Decided++
				}
			}
		}
		more = len(page) == MaxCorrections
	}
	return c, nil
}

// Serving describes the running server.
type Serving struct {
	Since time.Time `json:"since"`
	Ready bool      `json:"ready"`         // verdicts can be given now
	Why   string    `json:"why,omitempty"` // why it is not ready
	Signs string    `json:"signs_with"`    // kid of its signing key
	Keys  []string  `json:"publishes"`     // kids, oldest first
	// Guesses at PINs since the start.
	Guesses Guesses `json:"guesses"`
	// Codes counts the one-time codes of each channel that had any sent within a day.
	Codes []ChannelCodes `json:"codes"`
	// Rations of clients.
	Rations Rations `json:"rations"`
	// Doors says how full each door is.
	Doors []DoorState `json:"doors"`
}

// ChannelCodes counts the one-time codes of a channel.
type ChannelCodes struct {
	Channel  liuma.ChannelID `json:"channel"`
	Hour     uint64          `json:"hour"` // sent in the last hour, of at most HourMost
	HourMost int             `json:"hour_most"`
	Day      uint64          `json:"day"` // sent in the last 24 hours, of at most DayMost
	DayMost  int             `json:"day_most"`
	Spent    bool            `json:"spent"` // there are no more for now
	// Judged counts the codes of the hour that ended ten minutes ago or, if those are too
	// few, of the day. Returned is how many of these were typed in, and Unreturned says
	// that they are so few that it is an alarm.
	Judged     uint64 `json:"judged"`
	Returned   uint64 `json:"returned"`
	Unreturned bool   `json:"unreturned"`
}

func codesOf(all []authority.ChannelCodes) []ChannelCodes {
	out := []ChannelCodes{}
	for _, c := range all {
		out = append(out, ChannelCodes{Channel: c.Channel, Hour: c.Hour, HourMost: c.Most.Hour, Day: c.Day, DayMost: c.Most.Day,
			Spent: c.Spent(), Judged: c.Judged, Returned: c.Returned, Unreturned: c.Unreturned()})
	}
	return out
}

// Guesses counts guesses at PINs, and says which alarms there were.
type Guesses struct {
	Decided uint64       `json:"decided"` // came to a verdict
	Wrong   uint64       `json:"wrong"`
	Slowed  uint64       `json:"slowed"` // were told to slow down, uncounted
	Alarms  []SprayAlarm `json:"alarms"` // the last one of each kind
}

// SprayAlarm says that guesses look like a spray. It names no address.
type SprayAlarm struct {
	Kind    string          `json:"kind"`
	At      time.Time       `json:"at"`
	Channel liuma.ChannelID `json:"channel"` // of the guess that raised it
	Wrong   uint64          `json:"wrong"`   // about how many wrong guesses it rests on
}

func guessesOf(s authority.Spraying) Guesses {
	g := Guesses{Decided: s.Guesses, Wrong: s.Wrong, Slowed: s.Slowed, Alarms: []SprayAlarm{}}
	for _, al := range s.Alarms {
		g.Alarms = append(g.Alarms, SprayAlarm{Kind: string(al.Kind), At: al.At.UTC(), Channel: al.Channel, Wrong: al.Guesses})
	}
	return g
}

// SealKey is the key that channels seal PINs to.
type SealKey struct {
	ID       string    `json:"id"`
	MadeAt   time.Time `json:"made_at"`
	RetireAt time.Time `json:"retire_at"` // not given out after this
}

// sealKeyAt is the newest key that is given out; the key after it may exist already.
func sealKeyAt(keys []store.SealKey, now time.Time) *SealKey {
	for _, k := range keys {
		if !now.Before(k.MadeAt) {
			return &SealKey{ID: k.ID, MadeAt: k.MadeAt.UTC(), RetireAt: k.RetireAt.UTC()}
		}
	}
	return nil
}

// Status reads the status.
func (a *Admin) Status(ctx context.Context) (Status, error) {
	s, err := a.standing(ctx)
	if err != nil {
		return Status{}, err
	}
	err = a.c.Store.View(ctx, func(r store.Reader) (err error) {
		if s.Cards, err = r.CountCards(); err != nil {
			return err
		}
		s.People, err = r.CountPersons()
		return err
	})
	if err != nil {
		return Status{}, err
	}
	if s.Children, err = a.c.Registry.Children(ctx, s.At); err != nil {
		return Status{}, err
	}
	return s, nil
}

// standing is the status without the counts over all cards and people, which take longer
// the more there are.
func (a *Admin) standing(ctx context.Context) (Status, error) {
	s := Status{At: a.c.Clock.Now(), Issuer: a.c.Issuer, Shape: a.c.Shape}
	seen := map[string]uint64{}
	err := a.c.Store.View(ctx, func(r store.Reader) (err error) {
		if s.OpenIntents, err = countIntents(r); err != nil {
			return err
		}
		if s.Corrections, err = countCorrections(r); err != nil {
			return err
		}
		if seen, err = r.KeepersSeen(); err != nil {
			return err
		}
		keys, err := r.SealKeys() // newest first
		s.SealKey = sealKeyAt(keys, s.At)
		return err
	})
	if err != nil {
		return Status{}, err
	}
	if s.Texts, s.Letters, err = a.queues(ctx); err != nil {
		return Status{}, err
	}
	if s.Record, err = a.recordStatus(ctx); err != nil {
		return Status{}, err
	}
	if s.Retention, err = a.retention(ctx); err != nil {
		return Status{}, err
	}
	if s.Resealing, err = a.resealing(ctx); err != nil {
		return Status{}, err
	}
	if server := a.c.Server; server != nil {
		if s.Serving, err = a.serving(ctx, server); err != nil {
			return Status{}, err
		}
		if s.Restart, err = a.otherKeys(); err != nil {
			return Status{}, err
		}
		for id, sequence := range server.Quorum.Seen() {
			seen[string(id)] = max(seen[string(id)], sequence)
		}
	}
	if s.Policy, err = a.c.Policy.State(ctx); err != nil {
		return Status{}, err
	}
	if err := a.whoWorks(ctx, &s); err != nil {
		return Status{}, err
	}
	if s.Keepers, err = a.keepers(ctx, seen); err != nil {
		return Status{}, err
	}
	return s, nil
}

// whoWorks fills in the members of staff and the authorities.
func (a *Admin) whoWorks(ctx context.Context, s *Status) (err error) {
	if s.Staff, err = a.StaffStatus(ctx); err == nil {
		s.Authorities, err = a.authorities(ctx)
	}
	if err == nil {
		s.Keyring, err = a.c.Keyring.State(ctx)
	}
	return err
}

// countIntents counts the open intents, page by page.
func countIntents(r store.Reader) (n int64, err error) {
	const page = 500
	var after liuma.CardID
	for {
		list, err := r.Intents(after, page)
		if err != nil {
			return 0, err
		}
		n += int64(len(list))
		if len(list) < page {
			return n, nil
		}
		after = list[len(list)-1].Card
	}
}

func (a *Admin) serving(ctx context.Context, server *Server) (*Serving, error) {
	codes, err := server.Authority.ChannelCodes(ctx)
	if err != nil {
		return nil, err
	}
	out := &Serving{Since: server.Since.UTC(), Ready: true, Signs: a.c.Vault.SignsWith(), Keys: a.publishes(),
		Guesses: guessesOf(server.Authority.Spraying()), Codes: codesOf(codes)}
	if err := server.Authority.Ready(ctx); err != nil {
		out.Ready, out.Why = false, err.Error()
	}
	if server.Doors != nil {
		out.Doors = server.Doors.Doors()
	}
	out.Rations, err = rationsOf(ctx, server.Authority)
	return out, err
}

// queues returns the state of the queues of texts and letters.
func (a *Admin) queues(ctx context.Context) (texts Texts, letters letter.Queue, err error) {
	if texts, err = a.textsState(ctx); err == nil {
		letters, err = letter.Look(ctx, a.c.Store, a.c.Clock.Now())
	}
	return texts, letters, err
}
