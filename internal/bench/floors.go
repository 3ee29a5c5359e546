package bench

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"io"
	"net"
	"net/http"
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
)

// floors measures, one after the other, the floors that the verification rate
// is compared with.
func floors(ctx context.Context, c Config, f *filled, r *Result) (err error) {
	if r.Echo, err = echoFloor(ctx, c); err != nil {
		return err
	}
	if r.Crypto, err = cryptoFloor(ctx); err != nil {
		return err
	}
	if r.Spends, err = spendFloor(ctx, c, f); err != nil {
		return err
	}
	hash, err := bcrypt.GenerateFromPassword([]byte(secret), 10)
	if err != nil {
		return err
	}
	if r.Bcrypt, err = rate(ctx, func(int) error { return bcrypt.CompareHashAndPassword(hash, []byte(secret)) }); err != nil {
		return err
	}
	salt := make([]byte, 16)
	r.Argon2id, err = rate(ctx, func(int) error { argon2.IDKey([]byte(secret), salt, 2, 19*1024, 1, 32); return nil })
	return err
}

// rate runs do on all processors for a while.
func rate(ctx context.Context, do func(i int) error) (float64, error) {
	took, times, err := ask(ctx, runtime.NumCPU(), floorTime, 1<<31, do)
	return float64(len(times)) / took.Seconds(), err
}

// The sizes of a verification's request and answer, in bytes.
const (
	requestSize = 1000
	answerSize  = 1400
)

// echoFloor has the same load generator ask a server that does nothing.
func echoFloor(ctx context.Context, c Config) (_ float64, err error) {
	server, err := start(c.Binary, "bench", "echo")
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, server.stop()) }()
	client := httpClient(c.Clients)
	body := make([]byte, requestSize)
	took, times, err := ask(ctx, c.Clients, floorTime, 1<<31, func(int) error {
		return post(ctx, client, server.base+"/", "token", body, "echo")
	})
	return float64(len(times)) / took.Seconds(), err
}

// Echo serves the requests of echoFloor until ctx ends, and prints its address.
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

// cryptoFloor does the computations of one verification, with nothing in
// between: open the envelope, blind, evaluate, finalize, prove the spend, check
// the proof, sign the receipt.
func cryptoFloor(ctx context.Context) (float64, error) {
	private, public, err := envelope.GenerateKey()
	if err != nil {
		return 0, err
	}
	opener, err := envelope.ParsePrivate(private)
	if err != nil {
		return 0, err
	}
	b := envelope.Binding{Channel: channelID, Action: liuma.ActionVerify, Role: liuma.RoleCurrent, Subject: envelope.Subject{Card: "abcdefghijklmnopqrstuvwxyz234567"},
		BusinessNo: "x", PurposeHash: envelope.PurposeHash(purpose), SealKeyID: "k", Challenge: "c"}
	sealed, err := envelope.Seal(public, b, []byte(secret))
	if err != nil {
		return 0, err
	}
	signer, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return 0, err
	}
	share, shape := split.NewShareKey(), split.Shape{T: 1, N: 1}
	receipt := sha256.Sum256([]byte("receipt"))
	return rate(ctx, func(int) error {
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
		proof := key.Sign(message)
		if !verifies(key.Verifier(), message, proof[:]) {
			return errors.New("proof does not verify")
		}
		_, err = ecdsa.SignASN1(rand.Reader, signer, receipt[:])
		return err
	})
}

// spendFloor counts guesses durably and does nothing else, on a ledger of its
// own.
func spendFloor(ctx context.Context, c Config, f *filled) (_ float64, err error) {
	b, err := ledgersqlite.Open(ctx, filepath.Join(c.Dir, "floor.db"), ledgersqlite.Config{})
	if err != nil {
		return 0, err
	}
	l, err := ledger.Open(ctx, ledger.Config{Keeper: "floor", Backend: b, Limits: ledger.NationalLimits()})
	if err != nil {
		return 0, errors.Join(err, b.Close())
	}
	defer func() { err = errors.Join(err, l.Close()) }()
	cards := f.asked[:min(len(f.asked), 20000)]
	for i := 0; i < len(cards); i += 256 {
		if err := commitAll(ctx, l, cards[i:min(i+256, len(cards))]); err != nil {
			return 0, err
		}
	}
	took, times, err := ask(ctx, c.Clients, floorTime, 6*len(cards), func(i int) error {
		_, err := l.Spend(ctx, ledger.SpendRequest{Card: cards[i%len(cards)].ID, Version: 1, Sender: time.Now()})
		return err
	})
	return float64(len(times)) / took.Seconds(), err
}
