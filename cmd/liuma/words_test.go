package main

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"regexp"
	"strings"
	"syscall"
	"testing"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/internal/admin"
	admindoor "github.com/liuma-pin/liuma/internal/door/admin"
	"github.com/liuma-pin/liuma/internal/vault"
	"github.com/liuma-pin/liuma/locale"
)

var han = regexp.MustCompile(`\p{Han}`)

// TestKnownErrorsSayTheirText: in English the catalogue says what the error says,
// so that what a script saw stays as it was.
func TestKnownErrorsSayTheirText(t *testing.T) {
	zh, en := locale.In(locale.Chinese), locale.In(locale.English)
	for _, k := range known() {
		if got := k.say(en.Refused); got != k.err.Error() {
			t.Errorf("the catalogue says %q of %q", got, k.err)
		}
		if got := told(zh, k.err); got != k.say(zh.Refused) || !han.MatchString(got) {
			t.Errorf("%q is told as %q", k.err, got)
		}
	}
}

// TestErrorsAreTold: whatever wraps them, and in English nothing changes.
func TestErrorsAreTold(t *testing.T) {
	zh, en := locale.In(locale.Chinese), locale.In(locale.English)
	missing := &fs.PathError{Op: "open", Path: "a.csv", Err: syscall.ENOENT}
	for _, tt := range []struct {
		err  error
		want string
	}{
		{admin.ErrTaken, "标识已被使用"},
		{fmt.Errorf("x: %w", admin.ErrTaken), "x: 标识已被使用"},
		{errors.Join(admin.ErrTaken, missing), "标识已被使用\nopen a.csv: 没有这个文件或目录"},
		{fmt.Errorf("%w and %w", admin.ErrTaken, vault.ErrNoHeads), "标识已被使用 and 保险库：没有 heads 文件"},
		{&admindoor.Refusal{Code: admindoor.CodeTaken, Sentence: "ch-1: " + admin.ErrTaken.Error()}, "ch-1: 标识已被使用"},
		{refuseFor(missing, func(w *locale.Words, why string) string { return w.Refused.ImportFile(why) }), "登记文件：open a.csv: 没有这个文件或目录"},
		{wrongUse("liuma x <id>", func(w *locale.Words) string { return w.Refused.AuditTogether() }), "--keys 和 --reason 要一起用；用法见 liuma x --help"},
		{fmt.Errorf("x: %w", &liuma.Error{Code: liuma.CodeBadRequest, Field: "id_number"}), "x: 请求格式不正确（id_number）"},
		{errors.New("of nobody's"), "of nobody's"},
	} {
		if got := told(zh, tt.err); got != tt.want {
			t.Errorf("%q is told as %q, want %q", tt.err, got, tt.want)
		}
		if got := told(en, tt.err); got != tt.err.Error() {
			t.Errorf("%q is told as %q in English", tt.err, got)
		}
	}
}

// TestCauseIsTakenAtOnce: a named result that the refusal replaces does not make it
// name itself, for ever.
func TestCauseIsTakenAtOnce(t *testing.T) {
	fails := func() (err error) {
		err = admin.ErrTaken
		err = refuseFor(err, func(w *locale.Words, why string) string { return w.Refused.ClientTaken(why, "liuma channel") })
		return err
	}
	err := fails()
	if got := err.Error(); got != "identifier is taken; choose another, or see 'liuma channel list'" {
		t.Error(got)
	}
	if !errors.Is(err, admin.ErrTaken) {
		t.Error("the cause is lost")
	}
}

// TestParserIsUnderstood: what the parser says to people is said in Chinese too.
func TestParserIsUnderstood(t *testing.T) {
	english := regexp.MustCompile(`expected|unknown|unexpected|missing|must be|can't|did you mean`)
	for _, tt := range []struct{ line, want string }{
		{"foo", "参数 foo"}, {"channel lst", `是不是 "list"？`}, {"init --shap 1/1", `没有选项 --shap，是不是 "--shape"？`},
		{"init --shape 9/9", `--shape 应是其中之一："1/1","2/3","3/5"，而不是 "9/9"`}, {"init --nope", "没有选项 --nope"},
		{"demo --seconds x", `--seconds：应是数字，而不是 "x"`}, {"bench verify --for x", "--for：应是时长"}, {"bench flood --rate x", "--rate：应是数字"},
		{"audit show --card a --stream b", "--card 和 --stream 不能一起用"}, {"registry sample", "缺少选项：--people=N"},
		{"channel", `应写其中之一："add"`}, {"channel stop", `应写 "<id>"`}, {"init --issuer", "--issuer：没有写值"},
		{"demo --once=x", "--once：应是 true 或 false"}, {"keys vault drop x", "应是数字"},
	} {
		var out bytes.Buffer
		status := run(t.Context(), strings.Fields(tt.line), &terminal{out: &out, err: &out, lang: locale.Chinese})
		if status != exitUsage || !strings.Contains(out.String(), tt.want) || english.MatchString(out.String()) {
			t.Errorf("%s: status %d, %s", tt.line, status, out.String())
		}
	}
}

// TestValuesAreUnderstood: what the words of the domain say of a wrong value is said
// in Chinese too, wherever the command line lets it through.
func TestValuesAreUnderstood(t *testing.T) {
	_, region := liuma.ParseRegion("330")
	_, agency := liuma.ParseAgency("A_B")
	_, member := liuma.ParseStaffID("A_B")
	_, channel := liuma.ParseChannelID("A_B")
	_, role := liuma.ParseStaffRole("king")
	_, card := liuma.ParseCardID("abc")
	_, upper := liuma.ParseCardID(strings.Repeat("AB", 16))
	for want, err := range map[string]error{
		`地区 "330"：应写 GB/T 2260 代码，2、4 或 6 位`: region, `经办机构 "A_B"：应为 1 至 40 个`: agency, `工作人员 "A_B"：应为 1 至 40 个`: member,
		`渠道标识 "A_B"：应为`: channel, `角色 "king"：应为 clerk`: role, "卡的编号：有 3 个字符，应为 32 个": card, "卡的编号：应为小写": upper,
		"工作人员要有角色":                   liuma.CheckStaffRoles(nil),
		"角色 clerk 写了两次":              liuma.CheckStaffRoles([]liuma.StaffRole{liuma.RoleClerk, liuma.RoleClerk}),
		"officer 和 operator 不能由一人兼任": liuma.CheckStaffRoles([]liuma.StaffRole{liuma.RoleOfficer, liuma.RoleOperator}),
	} {
		if got := told(locale.In(locale.Chinese), err); !strings.Contains(got, want) {
			t.Errorf("%q is told as %q, want %q", err, got, want)
		}
	}
}
