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
		{BusinessNo: "12333-20260401-000031", IDNumber: "330501195003076129"},
		{BusinessNo: "12333-20260401-000032", IDNumber: "330501195003076110"}, // misheard
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
	// 12333-20260401-000031 frozen
	// 12333-20260401-000032 nothing to freeze: ask for the ID number again
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
