// Package holder serves the pages of the hosted door that holders see. It guarantees that no GET
// changes anything, except the one that leads back to the channel (the channel's address of a
// finished ceremony leads to it too); that every post ends in a redirect, so that reload, back and
// a second press are harmless (a web view without cookies gets the page itself); that pages show
// personal data only as the authority masked it; that every page says what to do next; that no page
// has inline code or loads anything from another origin; and that the pad on a counter's desk shows
// nothing of a person between tickets. The authority keeps the state of a ceremony, so a
// page that was lost can be shown again. The door trusts the authority with every decision, and the
// browser only with its secret.
//
// Start here: routes, which names the handler of each address; ceremonyView, which turns the state
// of a ceremony into a page; and the templates in pages. "make gallery" draws all pages.
package holder

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/netip"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/internal/authority"
	"github.com/liuma-pin/liuma/internal/ceremony"
	"github.com/liuma-pin/liuma/internal/consent"
	"github.com/liuma-pin/liuma/internal/door"
	"github.com/liuma-pin/liuma/internal/envelope"
	"github.com/liuma-pin/liuma/internal/notify"
	"github.com/liuma-pin/liuma/internal/simulate"
	"github.com/liuma-pin/liuma/locale"
	"github.com/liuma-pin/liuma/web"
)

// Authority lists the methods of the authority that the pages call.
type Authority interface {
	LookAt(ctx context.Context, clientID, requestURI string, h ceremony.Hand) (ceremony.Page, error)
	Look(ctx context.Context, id string, h ceremony.Hand) (ceremony.Page, error)
	Begin(ctx context.Context, id string, h ceremony.Hand) (ceremony.Page, error)
	Agree(ctx context.Context, id string, h ceremony.Hand) (ceremony.Page, error)
	GivePIN(ctx context.Context, id string, h ceremony.Hand, g ceremony.Given) (ceremony.Page, error)
	CheckNew(ctx context.Context, id string, h ceremony.Hand, try int, sealed envelope.Envelope) (ceremony.Checked, error)
	Leave(ctx context.Context, id string, h ceremony.Hand) (ceremony.Page, error)
	Extend(ctx context.Context, id string, h ceremony.Hand) (ceremony.Page, error)
	SendCode(ctx context.Context, id string, h ceremony.Hand, by liuma.CodeWay) (ceremony.Page, error)
	GiveCode(ctx context.Context, id string, h ceremony.Hand, typed string) (ceremony.Page, error)
	GivePhone(ctx context.Context, id string, h ceremony.Hand, typed string) (ceremony.Page, error)
	GiveCardNo(ctx context.Context, id string, h ceremony.Hand, typed string) (ceremony.Page, error)
	Forgot(ctx context.Context, id string, h ceremony.Hand) (ceremony.Page, error)
	Remember(ctx context.Context, id string, h ceremony.Hand) (ceremony.Page, error)
	FreezeOwn(ctx context.Context, id string, h ceremony.Hand) (ceremony.Page, error)
	NoticeEveryUse(ctx context.Context, id string, h ceremony.Hand, on bool) (ceremony.Page, error)
	GiveTicket(ctx context.Context, id string, h ceremony.Hand, typed string) (ceremony.Page, error)
	BeginTicket(ctx context.Context, typed string, h ceremony.Hand) (ceremony.Page, error)
	BeginTicketOnPad(ctx context.Context, pad string, h ceremony.Hand) (ceremony.Page, error)
	NoPhone(ctx context.Context, id string, h ceremony.Hand) (ceremony.Page, error)
	NameContact(ctx context.Context, id string, h ceremony.Hand, typed string) (ceremony.Page, error)
	NameNobody(ctx context.Context, id string, h ceremony.Hand) (ceremony.Page, error)
	EndContact(ctx context.Context, id string, h ceremony.Hand) (ceremony.Page, error)
	FreezeByCode(ctx context.Context, source, typed string) (authority.FreezeView, error)
	WayBack(ctx context.Context, id string, h ceremony.Hand) (ceremony.Way, error)
}

// Config holds the parts and settings of the door. Authority, Assets, Origin,
// Now and Logger are required.
type Config struct {
	Authority Authority
	Assets    *web.Assets
	// Origin is the public address of the pages, such as
	// "https://pin.example.cn"; plain http only on loopback.
	Origin string
	Now    func() time.Time
	Logger *slog.Logger
	// Consent is the text that holders agree to; default: the built-in one.
	Consent consent.Text
	// DomainChecks is a directory whose .txt and .html files are served at the root, because
	// mini-program platforms ask for them. Empty for none.
	DomainChecks string
	// Words holds the sentences of the pages; nil means the program's own.
	Words *locale.Catalogue
	// Hotline is the number that pages name; empty means 12333.
	Hotline string
	// Rules are the policy layers for the page "how it works in your region"; nil: there is no such
	// page.
	Rules Rules
	// Genuine answers whether an app, a page or a text belongs to the service. Required.
	Genuine Genuine
	// SenderMark is the mark at the beginning of every text; default: the program's own.
	SenderMark liuma.Text
	// Agencies is the directory for the page "where to ask"; nil: there is no such page.
	Agencies Agencies
	// Counter and Challenges serve the pads on desks. Required.
	Counter    Counter
	Challenges Challenges
	// Zone is the time zone of times on pages; nil means China's.
	Zone *time.Location
	// Proxies are the addresses of the proxies in front of the door. X-Forwarded-For is believed
	// only from them; wrong freeze codes are counted by it.
	Proxies []netip.Prefix
	// InFlight limits the requests in work, together with the protocol's; nil: no limit.
	InFlight *door.InFlight
	// Ready reports whether verdicts can be given now, for the door's ReadyPath; nil: the door does
	// not answer that path.
	Ready func(context.Context) error
	// Settle is how long a second press of the same button waits for the result
	// of the first; zero means three seconds.
	Settle time.Duration
}

func (c Config) validate() error {
	var errs []error
	if c.Authority == nil {
		errs = append(errs, errors.New("no authority"))
	}
	if c.Assets == nil {
		errs = append(errs, errors.New("no assets"))
	}
	if c.Now == nil {
		errs = append(errs, errors.New("no clock"))
	}
	if c.Logger == nil {
		errs = append(errs, errors.New("no logger"))
	}
	if c.Counter == nil || c.Challenges == nil {
		errs = append(errs, errors.New("no counter"))
	}
	if c.Genuine == nil {
		errs = append(errs, errors.New("nothing says what is genuine"))
	}
	if c.Hotline != "" && strings.Trim(c.Hotline, "0123456789-+") != "" {
		errs = append(errs, errors.New("hotline is no telephone number"))
	}
	if c.Settle < 0 {
		errs = append(errs, errors.New("negative settle time"))
	}
	if err := errors.Join(errs...); err != nil {
		return fmt.Errorf("holder: %w", err)
	}
	return nil
}

// handler serves the pages. It is immutable after New.
type handler struct {
	authority  Authority
	door       *door.Pages
	cookies    door.Cookies
	now        func() time.Time
	log        *slog.Logger
	zone       *time.Location
	hotline    string
	rules      Rules    // nil: no page about regions
	agencies   Agencies // nil: no page about agencies
	simulator  *simulate.Simulator
	settle     time.Duration
	proxies    door.Proxies
	genuine    Genuine
	mark       liuma.Text // of texts to phones
	counter    Counter
	challenges Challenges
	consent    consent.Text
	ready      func(context.Context) error // nil: ReadyPath is not answered
	real       string                      // the origin of genuine pages
	pages      *pages
	checks     *os.Root // nil: no domain checks
}

// New builds the door. It fails only for a bad Config.
func New(c Config) (http.Handler, error) {
	if err := c.validate(); err != nil {
		return nil, err
	}
	h := &handler{authority: c.Authority, now: c.Now, log: c.Logger, zone: c.Zone, hotline: c.Hotline, rules: c.Rules, agencies: c.Agencies, genuine: c.Genuine, mark: c.SenderMark,
		counter: c.Counter, challenges: c.Challenges, settle: c.Settle, proxies: slices.Clone(c.Proxies), consent: c.Consent, ready: c.Ready}
	if h.zone == nil {
		h.zone = time.FixedZone("CST", 8*60*60)
	}
	if h.mark == (liuma.Text{}) {
		h.mark = notify.DefaultSenderMark()
	}
	if h.hotline == "" {
		h.hotline = locale.NationalHotline
	}
	if h.settle == 0 {
		h.settle = 3 * time.Second
	}
	var err error
	if h.simulator, err = simulate.New(); err != nil {
		return nil, fmt.Errorf("holder: %w", err)
	}
	if h.consent.Version == "" {
		if h.consent, err = consent.Builtin(); err != nil {
			return nil, fmt.Errorf("holder: %w", err)
		}
	}
	if c.Words == nil {
		c.Words = locale.Own()
	}
	if h.pages, err = newPages(c.Assets, c.Words, h.hotline); err != nil {
		return nil, fmt.Errorf("holder: %w", err)
	}
	h.door, err = door.NewPages(door.PagesConfig{Origin: c.Origin, Now: c.Now, Logger: c.Logger, Fault: h.fault, InFlight: c.InFlight, Words: c.Words,
		FromAnywhere: []string{postAuthorize}})
	if err != nil {
		return nil, fmt.Errorf("holder: %w", err)
	}
	h.cookies = h.door.Cookies()
	h.real = c.Origin + "/" // with the slash: other hosts may begin like ours
	if c.DomainChecks != "" {
		if h.checks, err = os.OpenRoot(c.DomainChecks); err != nil {
			return nil, fmt.Errorf("holder: domain checks: %w", err)
		}
		h.door.HandleFunc("GET /{file}", h.showDomainCheck)
	}
	h.routes(c.Assets)
	return h.door, nil
}

func (h *handler) routes(assets *web.Assets) {
	h.door.HandleFunc("GET /authorize", h.showAuthorize)
	h.door.HandleFunc(postAuthorize, h.leadToAuthorize)
	h.door.HandleFunc("GET /c/{id}", h.showCeremony)
	h.door.HandleFunc("POST /c/{id}", h.showCeremony) // where cookies are blocked
	h.door.HandleFunc("GET /c/{id}"+numberNow, h.stillWaits)
	h.door.HandleFunc("POST /c/{id}/begin", h.begin)
	h.door.HandleFunc("POST /c/{id}/agree", h.post(h.agree))
	h.door.HandleFunc("POST /c/{id}/pin", h.post(h.givePIN))
	h.door.HandleFunc("POST /c/{id}/new-pin", h.checkNew)
	h.door.HandleFunc("POST /c/{id}/leave", h.post(simple(h.authority.Leave)))
	h.door.HandleFunc("POST /c/{id}/extend", h.extend)
	h.door.HandleFunc("POST /c/{id}/send-code", h.post(h.sendCode))
	h.door.HandleFunc("POST /c/{id}/code", h.post(typed("code", h.authority.GiveCode)))
	h.door.HandleFunc("POST /c/{id}/phone", h.post(typed("phone", h.authority.GivePhone)))
	h.door.HandleFunc("POST /c/{id}/card-number", h.post(typed("card_no", h.authority.GiveCardNo)))
	h.door.HandleFunc("POST /c/{id}/ticket", h.post(typed("ticket", h.authority.GiveTicket)))
	h.door.HandleFunc("POST /c/{id}/no-phone", h.post(simple(h.authority.NoPhone)))
	h.door.HandleFunc("POST /c/{id}/notices", h.post(typed("phone", h.authority.NameContact)))
	h.door.HandleFunc("POST /c/{id}/no-notices", h.post(simple(h.authority.NameNobody)))
	h.door.HandleFunc("POST /c/{id}/end-notices", h.post(simple(h.authority.EndContact)))
	h.door.HandleFunc("POST /c/{id}/forgot", h.post(h.forgot))
	h.door.HandleFunc("POST /c/{id}/remember", h.post(simple(h.authority.Remember)))
	h.door.HandleFunc("POST /c/{id}/freeze", h.post(simple(h.authority.FreezeOwn)))
	h.door.HandleFunc("POST /c/{id}/every-use", h.post(h.setEveryUse))
	h.door.HandleFunc("GET /c/{id}/return", h.returnToChannel)
	h.door.HandleFunc("POST /c/{id}/return", h.returnToChannel) // where cookies are blocked
	h.door.HandleFunc("GET /{$}", h.showOfficial)
	h.door.HandleFunc("GET "+consentPath, h.showConsent)
	if h.rules != nil {
		h.door.HandleFunc("GET "+regionPath, h.showRegion)
	}
	h.door.HandleFunc("GET "+guidePath, h.showGuide)
	h.door.HandleFunc("GET "+genuinePath, h.showGenuine)
	if h.agencies != nil {
		h.door.HandleFunc("GET "+wherePath, h.showWhere)
	}
	h.door.HandleFunc("GET /freeze", h.showFreeze)
	h.door.HandleFunc("POST /freeze", h.freezeByCode)
	h.door.HandleFunc("GET /freeze/done", h.showFrozen)
	h.door.HandleFunc("GET "+counterPath, h.showCounter)
	h.door.HandleFunc("POST "+counterPath, h.takeTicket)
	h.door.HandleFunc("GET "+deskPath, h.showDesk)
	h.door.HandleFunc("POST "+deskAskPath, h.askDesk)
	h.door.HandleFunc("POST "+deskBeginPath, h.beginOnDesk)
	h.door.HandleFunc("POST "+deskClearPath, h.clearDesk)
	h.door.HandleFunc("GET "+door.HealthPath, door.Alive)
	if h.ready != nil {
		h.door.HandleFunc("GET "+door.ReadyPath, door.ReadyOrNot(h.ready))
	}
	h.door.HandleFunc("GET /favicon.ico", h.showNothing)
	h.door.Handle("GET /assets/", assets)
}
