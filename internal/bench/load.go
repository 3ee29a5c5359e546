package bench

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
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

	"github.com/liuma-pin/liuma/internal/door"
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
	cmd := exec.Command(binary, args...)
	cmd.Stderr = &said
	endWithUs(cmd)
	p, err := started(cmd)
	if err != nil {
		return nil, fmt.Errorf("%w %s", err, said.String())
	}
	return p, nil
}

// startLogging is start with a writer for the command's log, for floods: they end threads
// of this process (startLow), and what endWithUs says ends with the thread that started it.
func startLogging(log io.Writer, binary string, args ...string) (*child, error) {
	cmd := exec.Command(binary, args...)
	cmd.Stderr = log
	return started(cmd)
}

// started starts a server and reads its address from its first line.
func started(cmd *exec.Cmd) (*child, error) {
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
		return nil, fmt.Errorf("%s did not start: %w", cmd.Args[1], err)
	}
	return &child{cmd: cmd, base: strings.TrimSpace(line[at:])}, nil
}

func (p *child) stop() error {
	p.cmd.Process.Signal(syscall.SIGTERM)
	return p.cmd.Wait()
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
