package window

import (
	"context"
	"fmt"
	"strings"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/internal/audit"
	"github.com/liuma-pin/liuma/internal/store"
)

// Store shows in the hub the authority's decisions (its audit entries) and the
// rows as they are stored. It changes nothing. For server.Options.BetweenStore.
func (h *Hub) Store(s store.Store) store.Store { return &watchedStore{Store: s, hub: h} }

type watchedStore struct {
	store.Store
	hub *Hub
}

// row is a row that a transaction wrote.
type row struct {
	title liuma.Text
	facts []Fact
}

func (s *watchedStore) Update(ctx context.Context, f func(store.Tx) (audit.Entry, error)) error {
	// f may run more than once; only the writes of its last run count.
	var entry audit.Entry
	var rows []row
	err := s.Store.Update(ctx, func(tx store.Tx) (audit.Entry, error) {
		seen := &watchedTx{Tx: tx}
		e, err := f(seen)
		entry, rows = e, seen.rows
		return e, err
	})
	if err != nil {
		return err
	}
	if title, ok := titleOf(entry.Event); ok {
		s.hub.Saw(Authority, "", title, entryFacts(entry)...)
	}
	for _, r := range rows {
		s.hub.Saw(Database, "", r.title, r.facts...)
	}
	return nil
}

// titleOf names an entry for a visitor; false for housekeeping.
func titleOf(e audit.Event) (liuma.Text, bool) {
	switch e {
	case audit.AssertionUsed:
		return text("核对渠道的签名断言，只收一次", "The channel's signed assertion checked, once"), true
	case audit.CeremonyPushed:
		return text("收下渠道推送的请求", "A channel's pushed request taken"), true
	case audit.CeremonyStepped:
		return text("流程走了一步", "The ceremony took a step"), true
	case audit.CeremonyEnded:
		return text("流程结束", "The ceremony ended"), true
	case audit.AttemptBegun:
		return text("信封已打开，开始核验", "Envelope opened, an attempt begun"), true
	case audit.AttemptDecided:
		return text("得出结论", "The verdict"), true
	case audit.AttemptUndecided:
		return text("没有结论", "No verdict"), true
	case audit.CardEnrolled:
		return text("发出电子社保卡", "An e-card enrolled"), true
	case audit.CardLinked:
		return text("卡关联到渠道", "A card linked to a channel"), true
	case audit.PINIntended:
		return text("信封已打开，密码合格，预定新版本", "Envelope opened, PIN accepted, a version reserved"), true
	case audit.PINProposed:
		return text("记下新密码的验证公钥", "The new PIN's verifier recorded"), true
	case audit.PINSet:
		return text("新密码生效", "The new PIN is current"), true
	case audit.PINSettled:
		return text("所有 keeper 都已确认", "Every keeper has acknowledged"), true
	case audit.PINAbandoned:
		return text("放弃设置", "The setting was given up"), true
	case audit.CodeRedeemed:
		return text("授权码换成 ID token（回执）", "The code became an ID token, the receipt"), true
	case audit.CodeReplayed:
		return text("授权码第二次出现，拒绝", "A code came a second time and was refused"), true
	case audit.ReceiptRedeemed:
		return text("回执兑付", "A receipt redeemed"), true
	case audit.CardFrozen:
		return text("卡被冻结", "A card frozen"), true
	case audit.CardUnfrozen:
		return text("卡已解冻", "A card unfrozen"), true
	case audit.PINReset:
		return text("密码已重置", "A PIN reset"), true
	case audit.PhoneChanged:
		return text("换绑手机", "Another phone bound"), true
	case audit.CardUnlinked:
		return text("渠道解除了关联", "A channel ended a link"), true
	case audit.FreezeTried:
		return text("没有冻结任何卡", "A freeze that stopped nothing"), true
	case audit.MessageSent:
		return text("短信交给网关", "A text handed to the gateway"), true
	case audit.CodeSent:
		return text("发出短信验证码", "A code sent to the phone"), true
	case audit.CodeRight:
		return text("验证码正确", "The code was right"), true
	case audit.CodeWrong:
		return text("验证码不对", "The code was wrong"), true
	case audit.CardAdopted:
		return text("只有 keeper 记得的卡：收回并冻结", "A card that only keepers knew: taken in, frozen"), true
	case audit.KeeperAlarm:
		return text("keeper 告警", "A keeper raised an alarm"), true
	}
	return liuma.Text{}, false
}

func entryFacts(e audit.Entry) []Fact {
	facts := []Fact{{"audit", string(e.Event)}}
	for _, f := range []Fact{{"actor", e.Actor}, {"business_no", string(e.BusinessNo)}, {"outcome", e.Outcome}, {"note", e.Note}} {
		if f.Value != "" {
			facts = append(facts, f)
		}
	}
	if !e.Card.IsZero() {
		facts = append(facts, cardFact(e.Card))
	}
	return facts
}

// watchedTx notes the rows that tell something. It is used by one goroutine,
// as every Tx.
type watchedTx struct {
	store.Tx
	rows []row
}

// note keeps a row that was written.
func (t *watchedTx) note(err error, title liuma.Text, facts ...Fact) error {
	if err == nil {
		t.rows = append(t.rows, row{title: title, facts: facts})
	}
	return err
}

func cardRow(c store.Card) []Fact {
	facts := []Fact{
		cardFact(c.ID), {"holder (blind index)", bytesOf(c.Holder[:])},
		versionFact(c.Version), {"verifier", "–"},
		{"tally", fmt.Sprintf("spent %d, cleared %d", c.Tally.Spent, max(c.Tally.Cleared[0], c.Tally.Cleared[1]))},
	}
	if !c.Verifier.IsZero() {
		facts[3].Value = bytesOf(c.Verifier[:])
	}
	return facts
}

func (t *watchedTx) InsertCard(c store.Card) error {
	return t.note(t.Tx.InsertCard(c), text("卡：新的一行", "A card's row, new"), cardRow(c)...)
}

func (t *watchedTx) UpdateCard(c store.Card) error {
	return t.note(t.Tx.UpdateCard(c), text("卡：这一行现在是", "A card's row, as it is now"), cardRow(c)...)
}

func (t *watchedTx) PutLink(l store.Link) error {
	return t.note(t.Tx.PutLink(l), text("关联：一个账号的代称，和经它输错的次数", "A link: one account's handle, and the wrong PINs through it"),
		Fact{"channel", string(l.Channel)}, cardFact(l.Card), Fact{"handle", cut(string(l.Handle))}, Fact{"wrong", fmt.Sprint(l.Wrong)})
}

func (t *watchedTx) DeleteLink(ch liuma.ChannelID, h store.Handle) error {
	return t.note(t.Tx.DeleteLink(ch, h), text("关联解除", "A link ended"), Fact{"channel", string(ch)}, Fact{"handle", cut(string(h))})
}

func requestRow(r store.Request) []Fact {
	facts := []Fact{{"channel", string(r.Channel)}, {"business_no", string(r.BusinessNo)}, {"action", string(r.Action)}, {"purpose (hash)", bytesOf(r.Purpose[:])}}
	verdict := "–"
	if r.Decided {
		verdict = strings.TrimSpace(string(r.Verdict) + " " + string(r.Code))
	}
	facts = append(facts, Fact{"verdict", verdict})
	if r.Verdict == liuma.Wrong || r.Verdict == liuma.Locked {
		facts = append(facts, Fact{"tries left", fmt.Sprint(r.TriesLeft)})
	}
	return facts
}

func (t *watchedTx) InsertRequest(r store.Request) error {
	return t.note(t.Tx.InsertRequest(r), text("业务流水号占用", "A business number taken"), requestRow(r)...)
}

func (t *watchedTx) UpdateRequest(r store.Request) error {
	return t.note(t.Tx.UpdateRequest(r), text("业务流水号的结论", "What the business number came to"), requestRow(r)...)
}

func (t *watchedTx) InsertCeremony(c store.Ceremony) error {
	return t.note(t.Tx.InsertCeremony(c), text("流程：内容全部密封", "A ceremony: all that is in it is sealed"),
		Fact{"channel", string(c.Channel)}, Fact{"step", c.Step}, Fact{"request_uri (hash)", bytesOf(c.RequestURI[:])}, Fact{"details (sealed)", bytesOf(c.Sealed)})
}
