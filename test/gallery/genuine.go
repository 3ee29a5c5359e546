package gallery

import (
	"context"

	"github.com/liuma-pin/liuma"
	"github.com/liuma-pin/liuma/internal/genuine"
)

// Genuine answers with the kind of answer that is asked for by its name.
type Genuine struct{}

// Ask answers.
func (Genuine) Ask(_ context.Context, typed string) genuine.Answer {
	app := genuine.Listed{Name: text("浙里社保（虚构）", "Zheli Social Security (invented)"), Regions: []liuma.Region{"33"}, Origins: []string{"https://app.example.cn"}}
	below := genuine.Listed{Name: text("湖州社保（虚构）", "Huzhou Social Security (invented)"), Under: app.Name, Regions: []liuma.Region{"3305"}, Stopped: true}
	a := genuine.Answer{Kind: genuine.Kind(typed)}
	switch a.Kind {
	case genuine.App, genuine.AppPage:
		a.Apps = []genuine.Listed{app}
	case genuine.Stopped:
		a.Apps = []genuine.Listed{below}
	case genuine.Similar:
		a.Apps, a.More = []genuine.Listed{app, below}, true
	}
	return a
}

// addGenuine puts in each answer to whether something is genuine.
func (c *collection) addGenuine() {
	says := map[genuine.Kind]liuma.Text{
		genuine.Own: text("是本服务的官方网址", "our official address"), genuine.App: text("是官方应用", "An official app"),
		genuine.Similar: text("还有更多", "There are more"), genuine.NoApp: text("差一个字也可能是假的", "may be false"),
		genuine.AppPage: text("是官方应用的网址", "the address of an official app"), genuine.Stopped: text("已经停用", "was stopped"),
		genuine.NoPage: text("不要在那里输入密码", "Enter no PIN"), genuine.Plain: text("https:// 开头", "begin with https://"),
		genuine.Sender: text("号码也能冒充", "can be faked"), genuine.Line: text("这是官方电话", "official number to call"),
		genuine.NoSender: text("不要回复", "Do not answer"), genuine.NoList: text("没有登记发短信的号码", "No numbers are registered"),
		genuine.Code: text("像是密码或验证码", "looks like a PIN"), genuine.Short: text("至少写两个字", "At least two"), genuine.Away: text("现在查不了", "cannot be looked up now"),
	}
	for _, kind := range genuine.Kinds() {
		c.scenes = append(c.scenes, Scene{Name: "genuine-" + string(kind), Path: "/genuine?q=" + string(kind), Says: []liuma.Text{says[kind]}})
	}
}
