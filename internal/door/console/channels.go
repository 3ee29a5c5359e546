package console

import (
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/internal/admin"
	"github.com/liuma-pin/liuma/internal/store"
)

// channelRoutes are the pages of registered clients: channels, registry clients, hotlines
// and evidence providers.
func (h *console) channelRoutes() []Route {
	return []Route{
		{Pattern: "GET /channels", Method: "Clients", do: clientsPage},
		{Pattern: "GET /channels/new", Method: "AddClient", do: newClientPage},
		{Pattern: "POST /channels/new", Method: "AddClient", do: addClient, again: newClientPage},
		{Pattern: "GET /channels/{kind}/{id}", Method: "Clients", do: clientPage},
		{Pattern: "POST /channels/{kind}/{id}/stop", Method: "StopClient", do: stopClient, again: clientPage},
		{Pattern: "POST /channels/{kind}/{id}/resume", Method: "ResumeClient", do: resumeClient, again: clientPage},
		{Pattern: "POST /channels/{kind}/{id}/key", Method: "AddClientKey", do: addKey, again: clientPage},
		{Pattern: "POST /channels/{kind}/{id}/remove-key", Method: "RemoveClientKey", do: removeKey, again: clientPage},
		{Pattern: "POST /channels/{kind}/{id}/audience", Method: "SetAudience", do: setAudience, again: clientPage},
	}
}

// kinds are the kinds of clients, in the order of the tabs.
func kinds() []store.ClientKind {
	return []store.ClientKind{store.ClientChannel, store.ClientRegistry, store.ClientHotline, store.ClientProvider}
}

// kind reads a kind from an address or a form; an unknown one counts as channel.
func kind(s string) store.ClientKind {
	if slices.Contains(kinds(), store.ClientKind(s)) {
		return store.ClientKind(s)
	}
	return store.ClientChannel
}

func (v *visit) clientState(c store.Client) cell {
	if c.Stopped {
		return cell{Text: v.t.Stopped(), Tag: "bad"}
	}
	return cell{Text: v.t.InUse(), Tag: "good"}
}

func clientsPage(v *visit) (*view, error) {
	of := kind(v.r.URL.Query().Get("kind"))
	all, err := v.admin().Clients(v.ctx(), of)
	if err != nil {
		return nil, err
	}
	page := &view{Title: v.t.NavChannels(), Lead: v.t.ChannelsLead()}
	var tabs []tab
	for _, k := range kinds() {
		tabs = append(tabs, tab{v.t.all.Word("clients", string(k)), "/channels?kind=" + string(k), k == of})
	}
	list := &table{Head: []string{v.t.ClientID(), v.t.RegisteredName(), v.t.State()}, None: v.t.ChannelsNone()}
	if of == store.ClientChannel {
		list.Head = append(list.Head, v.t.Regions(), v.t.Actions(), v.t.Parent())
	}
	list.Head = append(list.Head, v.t.Since())
	for _, c := range all {
		row := []cell{{Text: c.ID, Link: clientPath(c)}, text(v.t.of(c.Name)), v.clientState(c)}
		if of == store.ClientChannel {
			row = append(row, text(v.regions(c.Regions)), text(strconv.Itoa(len(c.Actions))), cell{Text: c.Parent, Class: "mono"})
		}
		list.Rows = append(list.Rows, append(row, cell{Text: v.moment(c.At), Class: "nowrap"}))
	}
	page.Blocks = []block{{Tabs: tabs, Table: list}}
	if v.may("AddClient") {
		page.Blocks = append(page.Blocks, block{Links: []link{{v.t.RegisterTitle(), "/channels/new?kind=" + string(of)}}})
	}
	return page, nil
}

func clientPath(c store.Client) string {
	return "/channels/" + string(c.Kind) + "/" + url.PathEscape(c.ID)
}

func (v *visit) regions(all []liuma.Region) string {
	names := make([]string, len(all))
	for i, r := range all {
		names[i] = v.t.region(r)
	}
	return v.t.list(names)
}

func (v *visit) actions(all []liuma.Action) string {
	names := make([]string, len(all))
	for i, a := range all {
		names[i] = v.t.all.Word("act", string(a))
	}
	return v.t.list(names)
}

// client is the client of the address.
func (v *visit) client() (store.Client, []store.Client, error) {
	all, err := v.admin().Clients(v.ctx(), kind(v.r.PathValue("kind")))
	if err != nil {
		return store.Client{}, nil, err
	}
	i := slices.IndexFunc(all, func(c store.Client) bool { return c.ID == v.r.PathValue("id") })
	if i < 0 {
		return store.Client{}, nil, admin.ErrUnknown
	}
	return all[i], all, nil
}

func clientPage(v *visit) (*view, error) {
	c, all, err := v.client()
	if err != nil {
		return nil, err
	}
	facts := []fact{{v.t.ClientID(), cell{Text: c.ID, Class: "mono"}}, {v.t.Kind(), text(v.t.all.Word("client", string(c.Kind)))}, {v.t.State(), v.clientState(c)},
		{v.t.RegisteredName(), text(v.t.Between(c.Name.ZH, c.Name.EN))}, {v.t.Since(), text(v.moment(c.At))}}
	if c.StandIn {
		facts = append(facts, fact{v.t.StandIn(), cell{Text: v.t.StandInText(), Tag: "warn"}})
	}
	page := &view{Title: v.t.of(c.Name)}
	if c.Kind == store.ClientChannel {
		facts = append(facts, fact{v.t.Regions(), text(v.regions(c.Regions))}, fact{v.t.Actions(), text(v.actions(c.Actions))})
		for _, u := range c.RedirectURIs {
			facts = append(facts, fact{v.t.BackAddress(), cell{Text: u, Class: "mono"}})
		}
		if c.Parent != "" {
			facts = append(facts, fact{v.t.Parent(), cell{Text: c.Parent, Link: "/channels/channel/" + url.PathEscape(c.Parent)}})
		}
	}
	page.Blocks = append(page.Blocks, block{Facts: facts})
	if under := v.under(c, all); under != nil {
		page.Blocks = append(page.Blocks, block{Table: under})
	}
	keys, err := v.keys(c)
	if err != nil {
		return nil, err
	}
	page.Blocks = append(append(page.Blocks, keys...), v.clientActs(c)...)
	return page, nil
}

// under lists the sub-channels of a channel; nil: there are none.
func (v *visit) under(c store.Client, all []store.Client) *table {
	list := &table{Caption: v.t.SubChannels(), Head: []string{v.t.ClientID(), v.t.RegisteredName(), v.t.State()}}
	for _, sub := range all {
		if c.Kind == store.ClientChannel && sub.Parent == c.ID {
			list.Rows = append(list.Rows, []cell{{Text: sub.ID, Link: clientPath(sub)}, text(v.t.of(sub.Name)), v.clientState(sub)})
		}
	}
	if len(list.Rows) == 0 {
		return nil
	}
	return list
}

// keys lists a client's keys by their names, each with a button that removes it, and the
// form for a new one.
func (v *visit) keys(c store.Client) ([]block, error) {
	kids, err := admin.KeyIDs(c)
	if err != nil {
		return nil, err
	}
	list := &table{Caption: v.t.Keys(), Head: []string{v.t.KeyName()}}
	for _, kid := range kids {
		row := []cell{{Text: kid, Class: "mono"}}
		if v.may("RemoveClientKey") && len(kids) > 1 {
			row = append(row, cell{Form: &form{Post: clientPath(c) + "/remove-key", Button: v.t.RemoveKey(), Kind: "danger", Fields: []field{{Type: "hidden", Name: "kid", Value: kid}}}})
		}
		list.Rows = append(list.Rows, row)
	}
	if len(kids) > 1 && v.may("RemoveClientKey") {
		list.Head = append(list.Head, v.t.Act())
	}
	blocks := []block{{Table: list}}
	if v.may("AddClientKey") {
		blocks = append(blocks, block{Title: v.t.RotateTitle(), Text: v.t.RotateText(), Folded: true,
			Form: &form{Post: clientPath(c) + "/key", Button: v.t.AddKey(), Fields: []field{v.keyField()}}})
	}
	return blocks, nil
}

// keyField is empty after a refusal: the pasted text may have been a private key.
func (v *visit) keyField() field {
	return field{Name: "key", Type: "area", Label: v.t.PublicKey(), Hint: v.t.PublicKeyHint(), Required: true}
}

// clientActs are the forms of the acts that the member may do with a client.
func (v *visit) clientActs(c store.Client) (out []block) {
	if c.Kind == store.ClientChannel && v.may("SetAudience") {
		say, to := v.t.AudienceAny(), "strict"
		if c.StrictAudience {
			say, to = v.t.AudienceStrict(), "any"
		}
		out = append(out, block{Title: v.t.AudienceTitle(), Text: say, Folded: true, Form: &form{Post: clientPath(c) + "/audience", Button: v.t.AudienceChange(), Kind: "plain",
			Fields: []field{{Type: "hidden", Name: "to", Value: to}}}})
	}
	switch {
	case c.Stopped && v.may("ResumeClient"):
		out = append(out, block{Title: v.t.ResumeClientTitle(), Text: v.t.ResumeClientText(), Folded: true, Form: &form{Post: clientPath(c) + "/resume", Button: v.t.ResumeClientButton(), Kind: "plain"}})
	case !c.Stopped && v.may("StopClient"):
		words := v.t.StopText()
		if c.Kind == store.ClientChannel && c.Parent == "" {
			words = v.t.StopChannelText()
		}
		out = append(out, block{Title: v.t.StopTitle(), Text: words, Folded: true, Form: &form{Post: clientPath(c) + "/stop", Button: v.t.StopButton(), Kind: "danger"}})
	}
	return out
}

func newClientPage(v *visit) (*view, error) {
	of := kind(v.r.FormValue("kind"))
	fields := []field{
		{Type: "hidden", Name: "kind", Value: string(of)},
		{Name: "id", Label: v.t.ClientID(), Hint: v.t.ClientIDHint(), Value: v.typed("id"), Required: true, Most: 40, Class: "mono"},
		{Name: "name_zh", Label: v.t.NameChinese(), Hint: v.t.NameShown(), Value: v.typed("name_zh"), Required: true, Most: 40},
		{Name: "name_en", Label: v.t.NameEnglish(), Value: v.typed("name_en"), Required: true, Most: 40},
		v.keyField(),
	}
	if of == store.ClientChannel {
		fields = append(fields, v.channelFields()...)
	}
	return &view{Title: v.t.RegisterKind(v.t.all.Word("client", string(of))), Lead: v.t.RegisterLead(),
		Blocks: []block{{Form: &form{Post: "/channels/new", Button: v.t.RegisterButton(), Fields: fields}}}}, nil
}

// channelFields are the fields that only a channel has.
func (v *visit) channelFields() []field {
	where := field{Name: "nation", Type: "choices", Label: v.t.Regions(), Hint: v.t.RegionsHint(),
		Options: []option{{Value: "yes", Text: v.t.Nation(), On: v.typed("nation") == "yes"}}}
	acts := field{Name: "action", Type: "choices", Label: v.t.Actions()}
	for _, a := range liuma.Actions() {
		acts.Options = append(acts.Options, option{Value: string(a), Text: v.t.all.Word("act", string(a)), On: slices.Contains(v.r.PostForm["action"], string(a))})
	}
	return []field{where,
		{Name: "regions", Label: v.t.RegionCodes(), Hint: v.t.RegionCodesHint(), Value: v.typed("regions"), Class: "mono"},
		acts,
		{Name: "redirect", Type: "area", Label: v.t.BackAddress(), Hint: v.t.RedirectHint(), Value: v.typed("redirect")},
		{Name: "parent", Label: v.t.Parent(), Hint: v.t.ParentHint(), Value: v.typed("parent"), Most: 40, Class: "mono"},
	}
}

func addClient(v *visit) (*view, error) {
	c := admin.Client{ID: v.typed("id"), Kind: kind(v.typed("kind")), Name: liuma.Text{ZH: v.typed("name_zh"), EN: v.typed("name_en")}}
	var err error
	if c.Key, err = admin.ParseKey([]byte(v.typed("key"))); err != nil {
		return nil, err
	}
	if c.Kind == store.ClientChannel {
		if err := v.channel(&c); err != nil {
			return nil, err
		}
	}
	if err := v.admin().AddClient(v.ctx(), c); err != nil {
		return nil, err
	}
	return v.to(clientPath(store.Client{Kind: c.Kind, ID: c.ID}), "registered")
}

// channel reads the fields of a channel. Where it may serve is given either as the nation
// or as regions.
func (v *visit) channel(c *admin.Client) error {
	c.Parent = v.typed("parent")
	codes := strings.Fields(v.typed("regions"))
	if nation := v.typed("nation") == "yes"; nation == (len(codes) > 0) {
		return admin.ErrClient
	} else if nation {
		c.Regions = []liuma.Region{""}
	}
	for _, code := range codes {
		region, err := liuma.ParseRegion(code)
		if err != nil || region == "" {
			return admin.ErrClient
		}
		c.Regions = append(c.Regions, region)
	}
	for _, s := range v.r.PostForm["action"] {
		action, err := liuma.ParseAction(s)
		if err != nil {
			return admin.ErrClient
		}
		c.Actions = append(c.Actions, action)
	}
	for _, address := range strings.Fields(v.typed("redirect")) {
		if err := v.h.c.CheckRedirectURI(address); err != nil {
			return errRedirect
		}
		c.RedirectURIs = append(c.RedirectURIs, address)
	}
	return nil
}

// clientDone leads back to the page of the client of the address.
func (v *visit) clientDone(err error, said string) (*view, error) {
	if err != nil {
		return nil, err
	}
	return v.to("/channels/"+string(kind(v.r.PathValue("kind")))+"/"+url.PathEscape(v.r.PathValue("id")), said)
}

func stopClient(v *visit) (*view, error) {
	return v.clientDone(v.admin().StopClient(v.ctx(), kind(v.r.PathValue("kind")), v.r.PathValue("id")), "stopped")
}

func resumeClient(v *visit) (*view, error) {
	return v.clientDone(v.admin().ResumeClient(v.ctx(), kind(v.r.PathValue("kind")), v.r.PathValue("id")), "resumed")
}

func addKey(v *visit) (*view, error) {
	key, err := admin.ParseKey([]byte(v.typed("key")))
	if err != nil {
		return nil, err
	}
	return v.clientDone(v.admin().AddClientKey(v.ctx(), kind(v.r.PathValue("kind")), v.r.PathValue("id"), key), "key_added")
}

func removeKey(v *visit) (*view, error) {
	return v.clientDone(v.admin().RemoveClientKey(v.ctx(), kind(v.r.PathValue("kind")), v.r.PathValue("id"), v.typed("kid")), "key_removed")
}

func setAudience(v *visit) (*view, error) {
	return v.clientDone(v.admin().SetAudience(v.ctx(), v.r.PathValue("id"), v.typed("to") == "strict"), "audience")
}
