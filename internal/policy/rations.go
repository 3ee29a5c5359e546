package policy

import (
	"errors"
	"fmt"
)

// Ration is how often one client may do something: in any hour, and in any 24 hours.
// Layers may lower both numbers, to 1. Day is not less than Hour.
type Ration struct{ Hour, Day int }

// Rations bound the acts of each client, so that a stolen key can do only so much
// before somebody notices: the first refusal raises an alarm. Each ration is for one
// client. An organisation that needs more registers a client for each of its centres,
// with its own key.
type Rations struct {
	// Of a channel. Verifications are native requests and pushes about a PIN, of every action but
	// link, which has Links. Pushes count all pushes, including those that continue a ceremony,
	// and refused ones. These, Links and Challenges are enough for a channel of the whole nation:
	// they bound what a stolen key can make the service do, in addition to the limits of each
	// card. National: 4,000,000 an hour and 30,000,000 a day; Links 300,000 and 3,000,000;
	// Challenges 8,000,000 and 60,000,000.
	Verifications, Links, Pushes, Challenges Ration
	// Redemptions are a channel's codes and tokens that the hosted door refused to
	// redeem; each leaves an entry in the record. National: 400,000 and 3,000,000.
	Redemptions Ration
	// Freezes and Unlinks are a channel's freezes, and the links that it ended. Only
	// the holder can undo them. National: 300 and 2,000, 1,000 and 10,000.
	Freezes, Unlinks Ration

	// HotlineFreezes are a hotline's requests for a freeze, whether or not there is a
	// card: they need an ID number and no secret. One call takes minutes: 300 an hour
	// are thirty agents who do nothing else. National: 300 and 2,000.
	HotlineFreezes Ration

	// Of a registry client: reports of lost and found cards, of replaced cards, and of
	// cancelled cards. A cancelled card is useless until another replaces it, so that
	// ration is small, and bulk cancellation goes through the operator's import.
	// National: 2,000 and 10,000; 5,000 and 30,000; 50 and 200.
	Losses, Replacements, Cancellations Ration
	// Corrections of ID numbers, of a registry client. Each moves a card to another
	// number after 72 hours; many at once go through the operator's import. National:
	// 100 and 500.
	Corrections Ration

	// Evidence is how much evidence is accepted from one evidence provider. National:
	// 50,000 and 500,000.
	Evidence Ration
}

func nationalRations() Rations {
	return Rations{
		Verifications:  Ration{4_000_000, 30_000_000},
		Links:          Ration{300_000, 3_000_000},
		Pushes:         Ration{4_000_000, 30_000_000},
		Challenges:     Ration{8_000_000, 60_000_000},
		Redemptions:    Ration{400_000, 3_000_000},
		Freezes:        Ration{300, 2000},
		Unlinks:        Ration{1000, 10_000},
		HotlineFreezes: Ration{300, 2000},
		Losses:         Ration{2000, 10_000},
		Replacements:   Ration{5000, 30_000},
		Cancellations:  Ration{50, 200},
		Corrections:    Ration{100, 500},
		Evidence:       Ration{50_000, 500_000},
	}
}

// namedRation is a ration with its name in snake case.
type namedRation struct {
	name string
	is   *Ration
}

// named lists the rations in the order of the fields.
func (r *Rations) named() []namedRation {
	return []namedRation{
		{"rations.verifications", &r.Verifications}, {"rations.links", &r.Links},
		{"rations.pushes", &r.Pushes}, {"rations.challenges", &r.Challenges},
		{"rations.redemptions", &r.Redemptions},
		{"rations.freezes", &r.Freezes}, {"rations.unlinks", &r.Unlinks},
		{"rations.hotline_freezes", &r.HotlineFreezes},
		{"rations.losses", &r.Losses}, {"rations.replacements", &r.Replacements}, {"rations.cancellations", &r.Cancellations},
		{"rations.corrections", &r.Corrections},
		{"rations.evidence", &r.Evidence},
	}
}

func (r *Rations) validate() error {
	national := nationalRations()
	top := national.named()
	var errs []error
	for i, n := range r.named() {
		for _, v := range []struct {
			period  string
			is, top int
		}{{"hour", n.is.Hour, top[i].is.Hour}, {"day", n.is.Day, top[i].is.Day}} {
			if v.is < 1 || v.is > v.top {
				errs = append(errs, fmt.Errorf("%s.%s: %d, want 1 to %d", n.name, v.period, v.is, v.top))
			}
		}
		if n.is.Day < n.is.Hour {
			errs = append(errs, errors.New(n.name+".day: less than in an hour"))
		}
	}
	return errors.Join(errs...)
}
