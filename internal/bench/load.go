package bench

import (
	"bufio"
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/internal/door"
	"github.com/liuma-pin/liuma/internal/envelope"
	"github.com/liuma-pin/liuma/internal/vault"
)

const purpose = "查询社保缴费年限"

// child is a server process that this program started.
type child struct {
	cmd  *exec.Cmd
	base string
}

// start runs the command and reads its address from its first line.
func start(binary string, args ...string) (*child, error) {
	var said bytes.Buffer
	p, err := startLogging(&said, binary, args...)
	if err != nil {
		return nil, fmt.Errorf("%w %s", err, said.String())
	}
	return p, nil
}

// startLogging is start with a writer for the command's log.
func startLogging(log io.Writer, binary string, args ...string) (*child, error) {
	cmd := exec.Command(binary, args...)
	cmd.Stderr = log
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	line, err := bufio.NewReader(out).ReadString('\n')
	at := strings.LastIndex(line, "http://")
	if err != nil || at < 0 {
		cmd.Process.Kill()
		cmd.Wait()
		return nil, fmt.Errorf("%s did not start: %w", args[0], err)
	}
	return &child{cmd: cmd, base: strings.TrimSpace(line[at:])}, nil
}

func (p *child) stop() error {
	p.cmd.Process.Signal(syscall.SIGTERM)
	return p.cmd.Wait()
}

// load seals requests, then lets all clients ask for the time that was set.
func load(ctx context.Context, c Config, f *filled) (r Result, err error) {
	if c.Cold {
		if err := evict(append(f.ledgers(), f.config.Database)...); err != nil {
			return Result{}, err
		}
	}
	server, err := start(c.Binary, "serve", "--data", c.Dir, "--listen", "127.0.0.1:0")
	if err != nil {
		return Result{}, err
	}
	stop := sync.OnceValue(server.stop)
	defer func() { err = errors.Join(err, stop()) }()
	token, err := f.token()
	if err != nil {
		return Result{}, err
	}
	client := httpClient(c.Clients)
	bodies, err := f.seal(ctx, c, client, server.base, token)
	if err != nil {
		return Result{}, err
	}
	give := func(ctx context.Context, base string, i int) error {
		return post(ctx, client, base+"/v1/verifications", token, bodies[i], `"verdict":"right"`)
	}
	r, err = f.measure(ctx, c, server, len(bodies)-2*counted, give)
	if err != nil || f.on == nil {
		return r, err
	}
	if err := stop(); err != nil {
		return r, err
	}
	last := len(bodies) - 2*counted
	return r, f.countTrips(ctx, c, func(ctx context.Context, base string, i int) error { return give(ctx, base, last+i) }, &r)
}

// measure asks for as long as Config says, and tells what it cost.
func (f *filled) measure(ctx context.Context, c Config, server *child, most int, give func(ctx context.Context, base string, i int) error) (Result, error) {
	pids := append([]int{server.cmd.Process.Pid}, f.keepers.pids()...)
	before, err := usages(pids)
	if err != nil {
		return Result{}, err
	}
	primary, standby, err := f.on.cpu()
	if err != nil {
		return Result{}, err
	}
	took, times, err := ask(ctx, c.Clients, c.For, most, func(i int) error { return give(ctx, server.base, i) })
	if err != nil {
		return Result{}, err
	}
	after, err := usages(pids)
	if err != nil {
		return Result{}, err
	}
	primaryNow, standbyNow, err := f.on.cpu()
	if err != nil {
		return Result{}, err
	}
	n := float64(len(times))
	each := func(d time.Duration) float64 { return float64(d.Microseconds()) / n }
	cost := make([]float64, len(pids))
	for i := range pids {
		cost[i] = each(after[i].cpu - before[i].cpu)
	}
	r := Result{
		Cards: c.Cards, Clients: c.Clients, Seconds: took.Seconds(), Processors: runtime.NumCPU(), Cold: c.Cold, Shape: c.Shape, Remote: c.Remote,
		Store: "sqlite", Standby: c.Standby, DatabaseCPU: each(primaryNow - primary), StandbyCPU: each(standbyNow - standby),
		Verifications: len(times), VerificationsPerSecond: n / took.Seconds(),
		P50: quantile(times, 0.50), P99: quantile(times, 0.99),
		CPU: cost[0], KeeperCPU: cost[1:],
		RSS: after[0].rssMiB, BytesPerCard: float64(f.bytes) / float64(c.Cards),
	}
	if c.Postgres {
		r.Store = "postgres"
	}
	return r, nil
}

// token signs the bearer token of all requests; the server checks its signature
// once and then remembers it, as with any channel.
func (f *filled) token() (string, error) {
	s, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.ES256, Key: jose.JSONWebKey{Key: f.channel.Key, KeyID: f.channel.KeyID}},
		(&jose.SignerOptions{}).WithType(door.NativeType))
	if err != nil {
		return "", err
	}
	now := time.Now()
	return jwt.Signed(s).Claims(jwt.Claims{Issuer: channelID, Subject: channelID, Audience: jwt.Audience{door.NativeAudience(f.config.Issuer)},
		IssuedAt: jwt.NewNumericDate(now), Expiry: jwt.NewNumericDate(now.Add(5 * time.Minute))}).Serialize()
}

func httpClient(n int) *http.Client {
	return &http.Client{Timeout: 30 * time.Second, Transport: &http.Transport{MaxIdleConns: n, MaxIdleConnsPerHost: n}}
}

// seal prepares the requests, as devices would have done before they send.
func (f *filled) seal(ctx context.Context, c Config, client *http.Client, base, token string) ([][]byte, error) {
	ch, err := challenge(ctx, client, base, token)
	if err != nil {
		return nil, err
	}
	public, err := base64.RawURLEncoding.DecodeString(ch.SealKey.Public)
	if err != nil {
		return nil, err
	}
	v, err := vault.Open(f.config.Vault)
	if err != nil {
		return nil, err
	}
	defer v.Close()
	bodies := make([][]byte, int(c.For.Seconds()*expected)+2*counted)
	bar := c.bar("sealing requests", len(bodies))
	defer bar.Done()
	err = parallel(len(bodies), func(i int) error {
		card := f.asked[i%len(f.asked)]
		b := envelope.Binding{Channel: channelID, Action: liuma.ActionVerify, Role: liuma.RoleCurrent,
			Subject:    envelope.Subject{Card: v.Handle(channelID, card.ID)},
			BusinessNo: liuma.BusinessNo(fmt.Sprintf("bench-%08d", i)), PurposeHash: envelope.PurposeHash(purpose),
			SealKeyID: ch.SealKey.ID, Challenge: ch.Value}
		e, err := envelope.Seal(public, b, secretOf(card.ID))
		if err != nil {
			return err
		}
		bodies[i], err = json.Marshal(map[string]any{"business_no": b.BusinessNo, "subject": map[string]string{"card": b.Subject.Card},
			"purpose": purpose, "challenge": ch.Value, "pin": e})
		bar.Add(1)
		return err
	})
	return bodies, err
}

type challengeAnswer struct {
	Value   string `json:"challenge"`
	SealKey struct {
		ID     string `json:"kid"`
		Public string `json:"public"`
	} `json:"seal_key"`
}

func challenge(ctx context.Context, client *http.Client, base, token string) (ch challengeAnswer, err error) {
	resp, err := send(ctx, client, base+"/v1/challenges", token, []byte("{}"))
	if err != nil {
		return ch, err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return ch, fmt.Errorf("challenge: status %d", resp.StatusCode)
	}
	return ch, json.NewDecoder(resp.Body).Decode(&ch)
}

func send(ctx context.Context, client *http.Client, url, token string, body []byte) (*http.Response, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, url, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	req.Header.Set("Authorization", "Bearer "+token)
	req.Header.Set("Content-Type", "application/json")
	return client.Do(req)
}

// post sends a request and fails unless the answer has the wanted content.
func post(ctx context.Context, client *http.Client, url, token string, body []byte, want string) error {
	resp, err := send(ctx, client, url, token, body)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(io.LimitReader(resp.Body, 64<<10))
	if err != nil {
		return err
	}
	if resp.StatusCode != http.StatusOK || !bytes.Contains(answer, []byte(want)) {
		return fmt.Errorf("status %d: %s", resp.StatusCode, answer)
	}
	return nil
}

// ask runs do(0), do(1), … from n goroutines until the time or the work is
// over, and returns how long each took.
func ask(ctx context.Context, n int, d time.Duration, most int, do func(i int) error) (time.Duration, []time.Duration, error) {
	ctx, cancel := context.WithTimeout(ctx, d)
	defer cancel()
	var next atomic.Int64
	times := make([][]time.Duration, n)
	errs := make([]error, n)
	begun := time.Now()
	var wg sync.WaitGroup
	for w := range n {
		wg.Go(func() {
			for ctx.Err() == nil {
				i := int(next.Add(1)) - 1
				if i >= most {
					return
				}
				t := time.Now()
				if errs[w] = do(i); errs[w] != nil {
					return
				}
				times[w] = append(times[w], time.Since(t))
			}
		})
	}
	wg.Wait()
	took := time.Since(begun)
	all := slices.Concat(times...)
	slices.Sort(all)
	if len(all) == 0 {
		errs = append(errs, errors.New("nothing was answered"))
	}
	return took, all, errors.Join(errs...)
}

func quantile(sorted []time.Duration, q float64) float64 {
	return float64(sorted[min(len(sorted)-1, int(q*float64(len(sorted))))].Microseconds()) / 1000
}

// parallel runs do(0) … do(n-1) on all processors.
func parallel(n int, do func(i int) error) error {
	var next atomic.Int64
	errs := make([]error, runtime.NumCPU())
	var wg sync.WaitGroup
	for w := range errs {
		wg.Go(func() {
			for i := int(next.Add(1)) - 1; i < n && errs[w] == nil; i = int(next.Add(1)) - 1 {
				errs[w] = do(i)
			}
		})
	}
	wg.Wait()
	return errors.Join(errs...)
}

// used is the processor time and memory that a process has used so far.
type used struct {
	cpu    time.Duration
	rssMiB float64 // the most so far
	nowMiB float64
}

// clockTick is the kernel's unit for processor time, 100 a second on Linux.
const clockTick = 10 * time.Millisecond

// usages are those of several processes.
func usages(pids []int) ([]used, error) {
	out := make([]used, len(pids))
	for i, pid := range pids {
		var err error
		if out[i], err = usage(pid); err != nil {
			return nil, err
		}
	}
	return out, nil
}

func usage(pid int) (u used, err error) {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return u, err
	}
	fields := strings.Fields(string(stat[bytes.LastIndexByte(stat, ')')+1:]))
	var user, system int64
	if _, err := fmt.Sscan(fields[11]+" "+fields[12], &user, &system); err != nil {
		return u, err
	}
	u.cpu = time.Duration(user+system) * clockTick
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return u, err
	}
	for line := range strings.Lines(string(status)) {
		name, rest, _ := strings.Cut(line, ":")
		into := map[string]*float64{"VmHWM": &u.rssMiB, "VmRSS": &u.nowMiB}[name]
		if into == nil {
			continue
		}
		if _, err := fmt.Sscan(rest, into); err != nil {
			return u, err
		}
		*into /= 1024
	}
	return u, nil
}
