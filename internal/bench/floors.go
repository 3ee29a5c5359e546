package bench

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"io"
	"math"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"time"

	"golang.org/x/crypto/argon2"
	"golang.org/x/crypto/bcrypt"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/internal/envelope"
	"github.com/liuma-pin/liuma/internal/ledger"
	ledgersqlite "github.com/liuma-pin/liuma/internal/ledger/sqlite"
	"github.com/liuma-pin/liuma/internal/split"
	"github.com/liuma-pin/liuma/internal/store"
)

// floors are what a verification is compared with, on the same machine in the same
// minutes: HTTP alone, cryptography alone, counting durably alone, and the password
// hashes that others use.
type floors struct {
	c      Config
	echo   *child
	asker  *asker // of echo
	crypto func(int) error
	ledger *ledger.Ledger
	dir    string
	cards  []store.Card // in the ledger
	spent  int
	hash   []byte // bcrypt's
}

// floored is one slice of the floors. Rates are a second, processor times microseconds.
type floored struct {
	echo, echoCPU, crypto, cryptoCPU, spends, bcrypt, argon2id float64
}

// beginFloors starts the echo server and makes the ledger that is counted in.
func beginFloors(ctx context.Context, c Config) (_ *floors, err error) {
	f := &floors{c: c}
	defer func() {
		if err != nil {
			err = errors.Join(err, f.close())
		}
	}()
	if f.dir, err = os.MkdirTemp("", "liuma-bench-"); err != nil {
		return nil, err
	}
	if f.crypto, err = cryptography(c.Remote); err != nil {
		return nil, err
	}
	if f.hash, err = bcrypt.GenerateFromPassword([]byte(secret), 10); err != nil {
		return nil, err
	}
	if err := f.beginLedger(ctx); err != nil {
		return nil, err
	}
	if f.echo, err = start(c.Binary, "bench", "echo"); err != nil {
		return nil, err
	}
	f.asker = newAsker(f.echo.base)
	return f, nil
}

func (f *floors) close() error {
	var errs []error
	if f.asker != nil {
		errs = append(errs, f.asker.close())
	}
	if f.echo != nil {
		errs = append(errs, f.echo.stop())
	}
	if f.ledger != nil {
		errs = append(errs, f.ledger.Close())
	}
	if f.dir != "" {
		errs = append(errs, os.RemoveAll(f.dir))
	}
	return errors.Join(errs...)
}

// slice measures each floor for a while, one after the other.
func (f *floors) slice(ctx context.Context, d time.Duration) (out floored, err error) {
	if out.echo, out.echoCPU, err = f.askEcho(ctx, d); err != nil {
		return out, err
	}
	before, err := processorTime(os.Getpid())
	if err != nil {
		return out, err
	}
	n, took, err := all(ctx, d, f.crypto)
	if err != nil {
		return out, err
	}
	after, err := processorTime(os.Getpid())
	if err != nil {
		return out, err
	}
	out.crypto, out.cryptoCPU = n/took.Seconds(), float64((after-before).Nanoseconds())/1000/n
	if out.spends, err = f.spend(ctx, d); err != nil {
		return out, err
	}
	if n, took, err = all(ctx, d, func(int) error { return bcrypt.CompareHashAndPassword(f.hash, []byte(secret)) }); err != nil {
		return out, err
	}
	out.bcrypt = n / took.Seconds()
	salt := make([]byte, 16)
	n, took, err = all(ctx, d, func(int) error { argon2.IDKey([]byte(secret), salt, 2, 19*1024, 1, 32); return nil })
	out.argon2id = n / took.Seconds()
	return out, err
}

// all runs do on all processors for a while.
func all(ctx context.Context, d time.Duration, do func(i int) error) (n float64, took time.Duration, err error) {
	took, times, err := ask(ctx, runtime.NumCPU(), d, math.MaxInt32, do)
	return float64(len(times)), took, err
}

// The sizes of a verification's request and answer, in bytes.
const (
	requestSize = 1000
	answerSize  = 1400
)

// askEcho has the same load generator ask a server that does nothing, and tells what that
// costs the server.
func (f *floors) askEcho(ctx context.Context, d time.Duration) (rate, cpu float64, err error) {
	if err := f.asker.hangUp(); err != nil {
		return 0, 0, err
	}
	request := f.asker.request("/", "token", make([]byte, requestSize))
	pid := f.echo.cmd.Process.Pid
	before, err := processorTime(pid)
	if err != nil {
		return 0, 0, err
	}
	took, times, err := ask(ctx, f.c.Clients, d, math.MaxInt32, func(int) error {
		return f.asker.ask(ctx, request, "echo")
	})
	if err != nil {
		return 0, 0, err
	}
	after, err := processorTime(pid)
	n := float64(len(times))
	return n / took.Seconds(), float64((after - before).Nanoseconds()) / 1000 / n, err
}

// Echo serves the requests of askEcho until ctx ends, and prints its address.
func Echo(ctx context.Context, out io.Writer) error {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	answer := append([]byte("echo"), make([]byte, answerSize-4)...)
	s := &http.Server{ReadHeaderTimeout: 5 * time.Second, Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		io.Copy(io.Discard, r.Body)
		w.Write(answer)
	})}
	context.AfterFunc(ctx, func() { s.Close() })
	io.WriteString(out, "Echo at http://"+ln.Addr().String()+"\n")
	if err := s.Serve(ln); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}

// cryptography is the computations of one verification, with nothing in
// between: open the envelope, blind, evaluate, finalize, prove the spend, check
// the proof, sign the receipt. The proof is a signature where keepers are processes of
// their own, and no computation where they are in this one (package pinkey).
func cryptography(signed bool) (func(int) error, error) {
	private, public, err := envelope.GenerateKey()
	if err != nil {
		return nil, err
	}
	opener, err := envelope.ParsePrivate(private)
	if err != nil {
		return nil, err
	}
	b := envelope.Binding{Channel: channelID, Action: liuma.ActionVerify, Role: liuma.RoleCurrent, Subject: envelope.Subject{Card: "abcdefghijklmnopqrstuvwxyz234567"},
		BusinessNo: "x", PurposeHash: envelope.PurposeHash(purpose), SealKeyID: "k", Challenge: "c"}
	sealed, err := envelope.Seal(public, b, []byte(secret))
	if err != nil {
		return nil, err
	}
	signer, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	share, shape := split.NewShareKey(), split.Shape{T: 1, N: 1}
	receipt := sha256.Sum256([]byte("receipt"))
	return func(int) error {
		pin, err := envelope.Open(opener, b, sealed)
		if err != nil {
			return err
		}
		guess, err := split.Blind(pin, rand.Reader)
		if err != nil {
			return err
		}
		k, err := split.Derive(share, split.Scope{KeySet: 1, Subset: 1, Card: liuma.CardID{1}, Version: 1})
		if err != nil {
			return err
		}
		e, err := k.Evaluate(guess.Blinded())
		if err != nil {
			return err
		}
		key, err := guess.Finalize(shape, []split.Share{e})
		if err != nil {
			return err
		}
		message := ledger.SettlementMessage(ledger.Settlement{Version: 1, KeySet: 1, Spends: []ledger.SettledSpend{{Keeper: "k1", S: 1}}})
		if !proves(key, message, signed) {
			return errors.New("proof does not verify")
		}
		_, err = ecdsa.SignASN1(rand.Reader, signer, receipt[:])
		return err
	}, nil
}

// spendable is how many cards the ledger of the floor has.
const spendable = 20_000

// beginLedger makes a ledger of its own, with cards that have a PIN.
func (f *floors) beginLedger(ctx context.Context) error {
	b, err := ledgersqlite.Open(ctx, filepath.Join(f.dir, "ledger.db"), ledgersqlite.Config{})
	if err != nil {
		return err
	}
	f.ledger, err = ledger.Open(ctx, ledger.Config{Keeper: "floor", Backend: b, Limits: ledger.NationalLimits()})
	if err != nil {
		return errors.Join(err, b.Close())
	}
	d := &deck{size: spendable, keySet: 1, at: time.Now(), seed: [16]byte{1}}
	for i := 0; i < spendable; i += 256 {
		part := d.part(i, min(i+256, spendable))
		if err := commitAll(ctx, f.ledger, part); err != nil {
			return err
		}
		f.cards = append(f.cards, part...)
	}
	return nil
}

// spend counts guesses durably and does nothing else. Each slice has its part of the
// guesses that the cards have before they lock; a fast machine ends it early.
func (f *floors) spend(ctx context.Context, d time.Duration) (float64, error) {
	first := f.spent
	took, times, err := ask(ctx, f.c.Clients, d, max(1, 6*len(f.cards)/f.c.Slices), func(i int) error {
		_, err := f.ledger.Spend(ctx, ledger.SpendRequest{Card: f.cards[(first+i)%len(f.cards)].ID, Version: 1, Sender: time.Now()})
		return err
	})
	f.spent += len(times)
	return float64(len(times)) / took.Seconds(), err
}
