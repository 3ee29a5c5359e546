package client_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"log"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/liuma-pin/liuma/client"
)

// A channel's server asks for a verification. The PIN is sealed on the
// holder's device, which gets a DeviceRequest and gives an Envelope back.
func Example() {
	authority := standIn() // the real one is at the address that the operator gave you
	defer authority.Close()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader) // its public half is registered with the operator
	if err != nil {
		log.Fatal(err)
	}
	c, err := client.New(client.Config{BaseURL: authority.URL, ID: "zj-hrss", KeyID: "2026-1", Key: key})
	if err != nil {
		log.Fatal(err)
	}
	ctx := context.Background()

	// On the server: the request, and the holder it is about.
	challenge, err := c.Challenge(ctx)
	if err != nil {
		log.Fatal(err)
	}
	ask := client.DeviceRequest{
		Channel: "zj-hrss", Action: client.Verify, BusinessNo: "ZJ20260401-000019", Purpose: "查询社保缴费年限",
		Subject: client.Subject{Card: "0123456789abcdef0123456789abcdef"}, Challenge: challenge,
	}
	toDevice, err := json.Marshal(ask)
	if err != nil {
		log.Fatal(err)
	}

	// On the device: the PIN goes in, and only its envelope comes out.
	sealed, err := device(toDevice)
	if err != nil {
		log.Fatal(err)
	}

	// On the server again.
	v, err := c.Verify(ctx, client.VerifyRequest{
		BusinessNo: ask.BusinessNo, Subject: ask.Subject, Purpose: ask.Purpose, Challenge: challenge.Value, PIN: sealed,
	})
	if _, lost := errors.AsType[*client.NoAnswerError](err); lost {
		v, err = c.Verification(ctx, ask.BusinessNo) // never a second attempt
	}
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println("verdict:", v.Verdict)

	receipt, err := c.CheckReceipt(ctx, v.Receipt, client.Want{
		BusinessNo: ask.BusinessNo, Card: ask.Subject.Card, Purpose: ask.Purpose, Action: client.Verify,
	})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println("proved by:", receipt.AMR)
	// Output:
	// verdict: right
	// proved by: [pin]
}

// A channel's server freezes the card of a holder who asks for it. No PIN is
// needed, and no channel can undo it.
func ExampleClient_Freeze() {
	authority := standIn()
	defer authority.Close()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		log.Fatal(err)
	}
	c, err := client.New(client.Config{BaseURL: authority.URL, ID: "zj-hrss", KeyID: "2026-1", Key: key})
	if err != nil {
		log.Fatal(err)
	}
	v, err := c.Freeze(context.Background(), client.FreezeRequest{
		BusinessNo: "ZJ20260401-000022", Subject: client.Subject{Card: "0123456789abcdef0123456789abcdef"},
	})
	if err != nil {
		log.Fatal(err) // not frozen, or not known to be: send the very same again
	}
	fmt.Println(v.Action, v.State)
	// Output: freeze decided
}

// A hotline's server freezes the card of a holder who called.
func ExampleClient_HotlineFreeze() {
	authority := standIn()
	defer authority.Close()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader) // registered by 'liuma hotline add'
	if err != nil {
		log.Fatal(err)
	}
	c, err := client.New(client.Config{BaseURL: authority.URL, ID: "h12333", KeyID: "2026-1", Key: key})
	if err != nil {
		log.Fatal(err)
	}
	for _, call := range []client.HotlineFreezeRequest{
		{BusinessNo: "HL-20260401-000031", IDNumber: "330501195003076129"},
		{BusinessNo: "HL-20260401-000032", IDNumber: "330501195003076110"}, // misheard
	} {
		done, err := c.HotlineFreeze(context.Background(), call)
		if _, lost := errors.AsType[*client.NoAnswerError](err); lost {
			done, err = c.HotlineFreeze(context.Background(), call) // the very same again freezes once
		}
		switch {
		case client.CodeOf(err) == "not_found":
			fmt.Println(call.BusinessNo, "nothing to freeze: ask for the ID number again")
		case err != nil:
			log.Fatal(err)
		default:
			fmt.Println(done.BusinessNo, "frozen")
		}
	}
	// Output:
	// HL-20260401-000031 frozen
	// HL-20260401-000032 nothing to freeze: ask for the ID number again
}

// channel is a channel's client, as in the example of the package.
func channel(baseURL string) *client.Client {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		log.Fatal(err)
	}
	c, err := client.New(client.Config{BaseURL: baseURL, ID: "zj-hrss", KeyID: "2026-1", Key: key})
	if err != nil {
		log.Fatal(err)
	}
	return c
}

// verification is a request to verify the PIN that is typed, as it leaves the
// channel's server.
func verification(c *client.Client, businessNo, typed string) client.VerifyRequest {
	challenge, err := c.Challenge(context.Background())
	if err != nil {
		log.Fatal(err)
	}
	ask := client.DeviceRequest{
		Channel: "zj-hrss", Action: client.Verify, BusinessNo: businessNo, Purpose: "查询社保缴费年限",
		Subject: client.Subject{Card: "0123456789abcdef0123456789abcdef"}, Challenge: challenge,
	}
	sealed, err := ask.SealPIN([]byte(typed))
	if err != nil {
		log.Fatal(err)
	}
	return client.VerifyRequest{BusinessNo: ask.BusinessNo, Subject: ask.Subject, Purpose: ask.Purpose, Challenge: challenge.Value, PIN: sealed}
}

// A client mints its tokens itself and sends one with every request: a JWT,
// signed with the registered key, for this authority alone. Here the authority
// is a server that prints the token's claims.
func ExampleNew() {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		log.Fatal(err)
	}
	authority := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		token, err := jose.ParseSignedCompact(strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer "), []jose.SignatureAlgorithm{jose.ES256})
		if err != nil {
			log.Fatal(err)
		}
		payload, err := token.Verify(&key.PublicKey) // the half that the operator registered
		if err != nil {
			log.Fatal(err)
		}
		var claims struct {
			Iss, Sub, Aud string
			Iat, Exp      int64
		}
		if err := json.Unmarshal(payload, &claims); err != nil {
			log.Fatal(err)
		}
		fmt.Println("key:", token.Signatures[0].Protected.KeyID)
		fmt.Println("from:", claims.Iss, claims.Sub)
		fmt.Println("type:", token.Signatures[0].Protected.ExtraHeaders[jose.HeaderType])
		fmt.Println("for:", claims.Aud)
		fmt.Println("good for:", time.Duration(claims.Exp-claims.Iat)*time.Second)
		fmt.Fprint(w, `{"card":"0123456789abcdef0123456789abcdef","standing":"active"}`)
	}))
	defer authority.Close()
	c, err := client.New(client.Config{BaseURL: authority.URL, Issuer: "https://pin.example.cn", ID: "zj-hrss", KeyID: "2026-1", Key: key})
	if err != nil {
		log.Fatal(err)
	}
	card, err := c.Card(context.Background(), "0123456789abcdef0123456789abcdef")
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println("the card is", card.Standing)
	// Output:
	// key: 2026-1
	// from: zj-hrss zj-hrss
	// type: liuma-native+jwt
	// for: https://pin.example.cn/v1
	// good for: 4m0s
	// the card is active
}

// On the device: the channel's server sent a DeviceRequest, the holder types
// the PIN, and its envelope is all that goes back.
func ExampleDeviceRequest_SealPIN() {
	authority := standIn()
	defer authority.Close()
	challenge, err := channel(authority.URL).Challenge(context.Background()) // the channel's server asks for it
	if err != nil {
		log.Fatal(err)
	}
	ask := client.DeviceRequest{
		Channel: "zj-hrss", Action: client.Verify, BusinessNo: "ZJ20260401-000019", Purpose: "查询社保缴费年限",
		Subject: client.Subject{Card: "0123456789abcdef0123456789abcdef"}, Challenge: challenge,
	}
	typed := []byte("407193")
	sealed, err := ask.SealPIN(typed)
	clear(typed) // not needed any more
	if err != nil {
		log.Fatal(err)
	}
	again, err := ask.SealPIN([]byte("123456"))
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println("sealed to the key", sealed.KID)
	fmt.Println("no longer or shorter than that of another PIN:", len(sealed.CT) == len(again.CT))
	// Output:
	// sealed to the key k-1
	// no longer or shorter than that of another PIN: true
}

// A change has two PINs. Each is sealed for its own role: a PIN that is sealed as
// the new one is not accepted as the old one.
func ExampleDeviceRequest_SealChange() {
	authority := standIn()
	defer authority.Close()
	challenge, err := channel(authority.URL).Challenge(context.Background())
	if err != nil {
		log.Fatal(err)
	}
	ask := client.DeviceRequest{
		Channel: "zj-hrss", Action: client.Change, BusinessNo: "ZJ20260401-000020", Purpose: "修改密码",
		Subject: client.Subject{Card: "0123456789abcdef0123456789abcdef"}, Challenge: challenge,
	}
	old, fresh := []byte("407193"), []byte("850274")
	oldPIN, newPIN, err := ask.SealChange(old, fresh)
	clear(old)
	clear(fresh)
	if err != nil {
		log.Fatal(err)
	}
	request := client.ChangeRequest{BusinessNo: ask.BusinessNo, Subject: ask.Subject, Purpose: ask.Purpose,
		Challenge: challenge.Value, OldPIN: oldPIN, NewPIN: newPIN} // for Client.Change
	fmt.Println(request.OldPIN.KID, request.NewPIN.KID)
	// Output: k-1 k-1
}

// A wrong PIN is an answer, not an error: show how many tries are left, and ask
// again under a new business number.
func ExampleClient_Verify() {
	authority := standIn()
	defer authority.Close()
	c := channel(authority.URL)
	for n, typed := range []string{"407139", "407193"} {
		v, err := c.Verify(context.Background(), verification(c, fmt.Sprintf("ZJ20260401-%06d", n), typed))
		switch {
		case err != nil:
			log.Fatal(err) // no verdict: see NoAnswerError and Problem
		case v.Right():
			fmt.Println("right")
		case v.TriesLeft != nil:
			fmt.Printf("%s: %d tries left\n", v.Verdict, *v.TriesLeft)
		default:
			fmt.Println(v.Verdict, v.TitleEN, v.NextStepEN)
		}
	}
	// Output:
	// wrong: 5 tries left
	// right
}

// A server that has the receipt keys checks receipts without the authority. A
// receipt is good for one request: one card, one purpose.
func ExampleClient_CheckReceipt() {
	authority := standIn()
	c := channel(authority.URL)
	ctx := context.Background()
	if _, err := c.ReceiptKeys(ctx); err != nil { // once, when the server starts
		log.Fatal(err)
	}
	request := verification(c, "ZJ20260401-000019", "407193")
	v, err := c.Verify(ctx, request)
	if err != nil {
		log.Fatal(err)
	}
	authority.Close() // the authority cannot be reached from here on

	want := client.Want{BusinessNo: request.BusinessNo, Card: request.Subject.Card, Purpose: request.Purpose, Action: client.Verify}
	receipt, err := c.CheckReceipt(ctx, v.Receipt, want)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println("proved by", receipt.AMR, "and good for", receipt.Expires.Sub(receipt.IssuedAt))

	want.Purpose = "领取养老金"
	_, err = c.CheckReceipt(ctx, v.Receipt, want)
	fmt.Println("for another purpose:", errors.Is(err, client.ErrReceipt), err)
	// Output:
	// proved by [pin] and good for 1m5s
	// for another purpose: true client: receipt is not valid: about another purpose
}

// The authority refuses with a problem document: its error code is for the
// program, its sentences, in Chinese and English, are for people.
func ExampleProblem() {
	authority := standIn()
	defer authority.Close()
	_, err := channel(authority.URL).HotlineFreeze(context.Background(),
		client.HotlineFreezeRequest{BusinessNo: "HL-20260401-000032", IDNumber: "330501195003076110"})
	if problem, ok := errors.AsType[*client.Problem](err); ok {
		fmt.Println(problem.Status, problem.Code, problem.Field)
		fmt.Println(problem.DetailEN)
	}
	// Output:
	// 404 not_found id_number
	// No such record.
}

// The network lost the answer, so it is unknown whether the attempt was made. Ask
// the authority by the business number; asking makes no second attempt.
func ExampleNoAnswerError() {
	authority := standIn()
	defer authority.Close()
	var decided atomic.Value // the answer that got lost; handlers run beside each other
	network := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.Method + " " + r.URL.Path {
		case "POST /v1/verifications":
			answer := httptest.NewRecorder()
			authority.Config.Handler.ServeHTTP(answer, r)
			decided.Store(answer.Body.String())
			panic(http.ErrAbortHandler) // the connection breaks under the answer
		case "GET /v1/verifications/ZJ20260401-000019":
			fmt.Fprint(w, decided.Load())
		default:
			authority.Config.Handler.ServeHTTP(w, r)
		}
	}))
	defer network.Close()
	c := channel(network.URL)
	ctx := context.Background()

	v, err := c.Verify(ctx, verification(c, "ZJ20260401-000019", "407193"))
	if lost, ok := errors.AsType[*client.NoAnswerError](err); ok {
		fmt.Println("no answer to", lost.BusinessNo)
		v, err = c.Verification(ctx, lost.BusinessNo)
	}
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(v.State, v.Verdict)
	// Output:
	// no answer to ZJ20260401-000019
	// decided right
}

// device runs on the holder's phone.
func device(request []byte) (client.Envelope, error) {
	var ask client.DeviceRequest
	if err := json.Unmarshal(request, &ask); err != nil {
		return client.Envelope{}, err
	}
	typed := []byte("407193") // by the holder, beneath ask.Purpose and the channel's name
	defer clear(typed)
	return ask.SealPIN(typed)
}
