package bench

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/rand"
	"crypto/x509"
	"errors"
	"fmt"
	"net/http"
	"os"
	"sync"
	"time"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/client"
	"github.com/liuma-pin/liuma/internal/audit"
	"github.com/liuma-pin/liuma/internal/config"
	"github.com/liuma-pin/liuma/internal/evidence"
	"github.com/liuma-pin/liuma/internal/registry"
	"github.com/liuma-pin/liuma/internal/server"
	"github.com/liuma-pin/liuma/internal/store"
	"github.com/liuma-pin/liuma/internal/testkit/world"
	"github.com/liuma-pin/liuma/internal/vault"
)

// The clients of the stage. The normal load comes through one channel; floods come
// with the stolen keys of the others. So the measurement shows what a flood through
// other channels does to a channel.
const (
	calmID     = "bench"
	stolenID   = "stolen"
	registryID = "registry"
	hotlineID  = "hotline"
	providerID = "camera"

	redirectURI = "https://bench.example/back"
)

// linked is how long ago the links of the stage were made, and their PINs
// right: long enough to be known ones.
const linked = 10 * 24 * time.Hour

// party is a client with its private key.
type party struct {
	ID    string `json:"id"`
	KeyID string `json:"kid"`
	Key   []byte `json:"key"` // SEC 1
}

func (p party) private() (*ecdsa.PrivateKey, error) { return x509.ParseECPrivateKey(p.Key) }

// holder is somebody with a card.
type holder struct {
	Calm     string `json:"calm"`   // handle in the channel of the normal load
	Stolen   string `json:"stolen"` // handle in the channel whose key was stolen
	IDNumber string `json:"id_number"`
	Name     string `json:"name"`
	CardNo   string `json:"card_no"`
	Phone    string `json:"phone"`
	PIN      string `json:"pin"`
}

// stage is a data directory with people, cards, links and clients, and where
// its server's doors are. Its exported members go to the flooder, over a pipe.
type stage struct {
	Issuer  string           `json:"issuer"` // and the hosted door's address
	Native  string           `json:"native"`
	Gateway string           `json:"gateway"` // host:port
	Secret  []byte           `json:"secret"`  // that the gateway signs reports with
	Parties map[string]party `json:"parties"`
	Calm    []holder         `json:"calm"`    // of the normal load
	Targets []holder         `json:"targets"` // of the floods
	Spare   []holder         `json:"-"`       // of the resets

	config     config.Config
	dir        string
	secretFile string
	log        serverLog
}

// newStage fills the directory.
func newStage(ctx context.Context, c FloodConfig, phones string) (_ *stage, err error) {
	s := &stage{dir: c.Dir, secretFile: c.Dir + ".secret", Secret: []byte(rand.Text() + rand.Text()), Parties: map[string]party{}}
	if err := writeSecret(s.secretFile, s.Secret); err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, os.Remove(s.secretFile))
		}
	}()
	w, err := world.New(ctx, world.Config{Dir: c.Dir, Clock: world.Running(0), Configure: func(conf *config.Config) error { return s.configure(conf, phones) }})
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, w.Close()) }()
	s.config = w.System.Config
	s.Issuer, s.Native, s.Gateway = w.Issuer(), "http://"+s.config.Channel.Listen, s.config.Gateway.Listen
	if err := s.register(ctx, w); err != nil {
		return nil, err
	}
	people, err := peopleOf(ctx, w, c.Cards+calmCards+spareCards)
	if err != nil {
		return nil, err
	}
	cards, err := s.cards(ctx, c, w.System, people)
	if err != nil {
		return nil, err
	}
	// The ledger's rows go past its keeper, which is closed for it.
	if err := w.Close(); err != nil {
		return nil, err
	}
	filled := &filled{config: s.config}
	return s, writeLedger(ctx, Config{Out: c.Out, Terminal: c.Terminal}, filled.ledgers()[0], hand(cards))
}

// writeSecret makes a file that only its owner can read, and replaces none.
func writeSecret(path string, secret []byte) error {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(secret)
	return errors.Join(err, f.Close())
}

// configure opens all doors, on free ports, and sends texts to phones.
func (s *stage) configure(conf *config.Config, phones string) error {
	for _, door := range []*config.Door{&conf.Channel, &conf.Hosted, &conf.Gateway} {
		ln, err := world.Loopback()
		if err != nil {
			return err
		}
		door.Listen = ln.Addr().String()
		if err := ln.Close(); err != nil {
			return err
		}
	}
	conf.Issuer = "http://" + conf.Hosted.Listen
	conf.Texts.Driver = config.DriverWebhook
	conf.Texts.Webhook = config.Webhook{URL: phones, SecretFile: s.secretFile}
	return nil
}

// register registers the clients.
func (s *stage) register(ctx context.Context, w *world.World) error {
	calm, stolen := world.NationalChannel(calmID, redirectURI), world.NationalChannel(stolenID, redirectURI)
	for _, c := range []store.Client{calm, stolen, {ID: registryID, Kind: store.ClientRegistry},
		{ID: hotlineID, Kind: store.ClientHotline}, {ID: providerID, Kind: store.ClientProvider, StandIn: true}} {
		p, err := w.Register(ctx, c)
		if err != nil {
			return err
		}
		key, err := x509.MarshalECPrivateKey(p.Key)
		if err != nil {
			return err
		}
		s.Parties[c.ID] = party{ID: p.ID, KeyID: p.KeyID, Key: key}
	}
	return nil
}

// peopleOf imports a registry with n people whose physical card is in use.
func peopleOf(ctx context.Context, w *world.World, n int) ([]registry.Facts, error) {
	file, people, err := world.Sample(n+n/4+50, 1)
	if err != nil {
		return nil, err
	}
	if len(people) < n {
		return nil, fmt.Errorf("the sample has %d people, not %d", len(people), n)
	}
	_, err = w.Import(ctx, bytes.NewReader(file), nil)
	return people[:n], err
}

// cards makes and writes a card for each person. The first are those of the
// normal load and have PINs; the others' verifiers are random, so that every
// guess at them is wrong.
func (s *stage) cards(ctx context.Context, c FloodConfig, sys *server.System, people []registry.Facts) ([]store.Card, error) {
	now := time.Now().UTC().Truncate(time.Millisecond)
	cards := make([]store.Card, len(people))
	for i, p := range people {
		cards[i] = store.Card{ID: liuma.NewCardID(), Holder: sys.Vault.Index(vault.IndexIDNumber, p.IDNumber), Region: p.Region,
			Version: 1, KeySet: sys.Quorum.KeySet(), Reserved: 1, PINSetAt: now.Add(-linked), CreatedAt: now.Add(-linked), Physical: liuma.PhysicalNormal}
		rand.Read(cards[i].Verifier[:])
	}
	progress := Config{Out: c.Out, Terminal: c.Terminal}
	if err := setPINs(ctx, progress, sys, cards[:calmCards]); err != nil {
		return nil, err
	}
	bar := progress.bar("writing cards", len(cards))
	defer bar.Done()
	for from := 0; from < len(cards); from += chunk {
		to := min(from+chunk, len(cards))
		err := sys.Store.Update(ctx, func(tx store.Tx) (audit.Entry, error) {
			for i := from; i < to; i++ {
				if err := putHolder(tx, sys, cards[i], people[i]); err != nil {
					return audit.Entry{}, err
				}
			}
			return audit.Entry{At: now, Actor: "operator", Event: audit.CardEnrolled, Outcome: "ok", Note: "bench"}, nil
		})
		if err != nil {
			return nil, err
		}
		bar.Add(int64(to - from))
	}
	for i, p := range people {
		h := holder{Calm: sys.Vault.Handle(calmID, cards[i].ID), Stolen: sys.Vault.Handle(stolenID, cards[i].ID),
			IDNumber: p.IDNumber, Name: p.Name, CardNo: p.CardNo, Phone: p.Phone, PIN: string(secretOf(cards[i].ID))}
		switch {
		case i < calmCards:
			s.Calm = append(s.Calm, h)
		case i < calmCards+spareCards:
			s.Spare = append(s.Spare, h)
		default:
			s.Targets = append(s.Targets, h)
		}
	}
	return cards, nil
}

// putHolder writes what enrolment and linking in both channels would have
// written of a card.
func putHolder(tx store.Tx, sys *server.System, card store.Card, f registry.Facts) error {
	if err := tx.InsertCard(card); err != nil {
		return err
	}
	for _, ch := range []liuma.ChannelID{calmID, stolenID} {
		err := tx.PutLink(store.Link{Channel: ch, Card: card.ID, Handle: store.Handle(sys.Vault.Handle(ch, card.ID)),
			At: card.CreatedAt, Proved: 1, ProvedAt: card.CreatedAt})
		if err != nil {
			return err
		}
	}
	if f.Phone == "" {
		return nil
	}
	return sys.Authority.WriteContact(tx, store.Contact{Card: card.ID, Language: "zh-CN", BoundAt: card.CreatedAt, ConfirmedAt: card.CreatedAt}, f.Phone)
}

// serve starts the server's process.
func (s *stage) serve(binary string) (*child, error) {
	s.log.restart()
	p, err := startLogging(&s.log, binary, "serve", "--data", s.dir)
	if err != nil {
		return nil, fmt.Errorf("%w %s", err, s.log.last())
	}
	return p, nil
}

// stop stops it. An error says what the server said last.
func (s *stage) stop(server *child) error {
	if err := server.stop(); err != nil {
		return fmt.Errorf("server: %w: %s", err, s.log.last())
	}
	return nil
}

// serverLog counts what a server logs and keeps the end of it.
type serverLog struct {
	mu    sync.Mutex
	bytes int64  // guarded by mu
	tail  []byte // guarded by mu
}

const tailLength = 2000

func (l *serverLog) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.bytes += int64(len(p))
	l.tail = append(l.tail, p...)
	l.tail = append(l.tail[:0], l.tail[max(0, len(l.tail)-tailLength):]...)
	return len(p), nil
}

func (l *serverLog) restart() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.bytes, l.tail = 0, nil
}

func (l *serverLog) size() int64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.bytes
}

func (l *serverLog) last() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return string(l.tail)
}

// connect makes the client of the native door for a party.
func (s *stage) connect(id string, h *http.Client) (*client.Client, error) {
	p := s.Parties[id]
	key, err := p.private()
	if err != nil {
		return nil, err
	}
	return client.New(client.Config{BaseURL: s.Native, Issuer: s.Issuer, ID: p.ID, KeyID: p.KeyID, Key: key, HTTP: h})
}

// evidence is the provider's word about a holder for a challenge.
func (s *stage) evidence(h holder, challenge string) (string, error) {
	p := s.Parties[providerID]
	key, err := p.private()
	if err != nil {
		return "", err
	}
	signer, err := evidence.NewSigner(p.ID, key, p.KeyID)
	if err != nil {
		return "", err
	}
	now := time.Now()
	return signer.Sign(evidence.Statement{Audience: s.Issuer, Challenge: challenge, IDNumber: h.IDNumber, Name: h.Name,
		Method: evidence.MethodStandIn, IssuedAt: now, Expires: now.Add(4 * time.Minute)})
}
