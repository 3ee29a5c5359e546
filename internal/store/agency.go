package store

import (
	"time"

	"github.com/liuma-pin/liuma"
)

// AgencyKind tells an office where a holder is served from a number to call.
type AgencyKind string

// The kinds.
const (
	AgencyOffice  AgencyKind = "agency"
	AgencyHotline AgencyKind = "hotline"
)

// Said is what an agency says of something: yes, no or nothing.
type Said string

// What it may say.
const (
	SaidNothing Said = ""
	SaidYes     Said = "yes"
	SaidNo      Said = "no"
)

// Agency is an office or a hotline that holders are sent to, as an operator imported it.
// It is public, and sealed all the same: who changes a telephone number here sends people
// to a swindler (I-13). Its Code is what the staff of an office are bound to.
type Agency struct {
	Code      liuma.Agency
	Kind      AgencyKind
	Region    liuma.Region // that it serves; of a hotline perhaps the nation
	Name      liuma.Text   // English may be empty, here and below
	Address   liuma.Text
	Hours     liuma.Text
	Telephone string
	Documents liuma.Text // what to bring
	Languages liuma.Text
	Services  liuma.Text
	Agent     Said // whether somebody may come in a holder's place; the policy decides
	StepFree  Said
	Closed    bool // is there no more, and is shown to nobody
	Sample    bool // made up
	// Pinyin and Initials are how its name is typed.
	Pinyin, Initials string
	At               time.Time // of the last change
}

// AgencyReader reads the directory.
type AgencyReader interface {
	Agency(liuma.Agency) (Agency, error)
	// Agencies lists agencies by their codes, at most limit, after a code. A row that was
	// altered is passed over: its refusal is told.
	Agencies(after liuma.Agency, limit int) ([]Agency, error)
}

// AgencyWriter writes it. No row is deleted: an agency is closed.
type AgencyWriter interface {
	PutAgency(Agency) error
}
