// The gallery: one static page for each thing that a holder can meet, in both
// languages, drawn with the markup contract of README.md. It exists to be
// looked at and to be checked by browser tests; nothing here is embedded.
// Everybody and every channel on it is invented.

const KEY = "BGsX0fLhLEJH-Lzm5WOkQPJ3A32BLeszoPShOUXYmMKWT-NC4v4af5uO5-tKfA-eFivOM1drMV7Oy7ZAaDe_UfU";
const AAD = "AAAAFGxpdW1hLzEvcGluLWVudmVsb3Bl";

const holder = { name: "王*奶", id: "3305**********1228", phone: "138****5678" };

/** All pages by file name. */
export function gallery(manifest, icon) {
  const out = {};
  for (const lang of ["zh-CN", "en"]) {
    const t = (zh, en) => (lang === "en" ? en : zh);
    const kit = { t, icon, lang };
    for (const [name, page] of Object.entries(pages)) {
      const { title, body } = page(kit);
      out[`${name}.${lang === "en" ? "en" : "zh"}.html`] = shell(kit, manifest, title, body);
    }
  }
  return out;
}

function shell({ t, icon, lang }, manifest, title, body) {
  return `<!doctype html>
<html lang="${lang}">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1, viewport-fit=cover">
<meta name="format-detection" content="telephone=no">
<meta name="color-scheme" content="light dark">
<title>${title} · ${t("电子社保卡", "e-Social Security Card")}</title>
<link rel="stylesheet" href="../dist/${manifest["page.css"]}">
<script src="../dist/${manifest["pad.js"]}" defer></script>
</head>
<body>
<a class="skip" href="#main">${t("跳到正文", "Skip to content")}</a>
<header class="top">
<p class="brand">${icon("brand")}${t("电子社保卡密码", "e-Card PIN")}</p>
<form class="toggles" method="post" action="/preferences">
<button class="toggle" name="care" value="1" aria-pressed="false">${t("关怀版", "Large")}</button>
<button class="toggle" name="lang" value="${t("en", "zh-CN")}" lang="${t("en", "zh-CN")}">${t("English", "中文")}</button>
</form>
</header>
<main class="main" id="main" tabindex="-1">
${body.trim()}
</main>
<footer class="foot">
<p>${t("咨询电话", "Help line")} <a href="tel:12333">12333</a></p>
<p class="extra">${t("工作人员不会向您要密码。", "No member of staff will ever ask for your PIN.")}</p>
</footer>
</body>
</html>
`;
}

// The other language stands small beneath the title, for whoever helps.
const title = (t, zh, en) => `<div class="title">
<h1>${t(zh, en)}</h1>
<p class="sub" lang="${t("en", "zh-CN")}">${t(en, zh)}</p>
</div>`;

const asker = ({ t }) => `<section class="asker" aria-label="${t("谁在请求", "Who is asking")}">
<span class="asker-mark" aria-hidden="true">浙</span>
<div class="asker-text">
<p class="asker-name" id="asker">${t("浙里社保（虚构）", "Zheli Social Security (invented)")}</p>
<p class="asker-note">${t("已登记的渠道", "Registered channel")}</p>
</div>
</section>`;

const cells = (rows, label = "") => `<dl class="cells"${label ? ` aria-label="${label}"` : ""}>
${rows.map(([key, value, attributes = ""]) => `<div class="cell"><dt>${key}</dt><dd${attributes}>${value}</dd></div>`).join("\n")}
</dl>`;

const steps = ({ t }, current) => `<ol class="steps">
${[t("核对身份", "Identity"), t("设置密码", "PIN"), t("完成", "Done")]
  .map((name, i) => `<li${i < current ? ' class="step-done"' : i === current ? ' aria-current="step"' : ""}>${name}</li>`)
  .join("\n")}
</ol>`;

const pad = ({ t, lang }, mode, more = "") => {
  const roles = { current: ["current"], new: ["new"], change: ["old", "new"] }[mode];
  const aad = roles.map((role) => ` data-aad-${role}="${AAD}"`).join("");
  return `<form method="post" action="/ceremony">
<input type="hidden" name="ceremony" value="sample">
<div class="pad" data-pad data-mode="${mode}" data-kid="sample-1" data-key="${KEY}" data-info="liuma/1/pin-envelope"${aad} data-lang="${lang}"${more}>
<noscript><div class="notice notice-refuse"><p class="notice-title">${t("请打开 JavaScript", "Please turn JavaScript on")}</p><p>${t(
    "密码要在您的手机上加密后才能发送，所以这一页需要 JavaScript。请在浏览器设置里打开，或换一个应用；也可以拨打 12333。",
    "The PIN is encrypted on your phone before it is sent, and this page needs JavaScript for that. Turn it on in the browser's settings, use another app, or call 12333.",
  )}</p></div></noscript>
<p class="pad-wait" data-pad-wait>${t("密码键盘正在打开…", "Opening the number keys…")}<br><a href="">${t("一直没有出现？请点这里刷新", "Nothing appears? Reload")}</a></p>
</div>
</form>`;
};

const padLinks = ({ t }) => `<p class="links"><a href="/recover">${t("忘记密码", "Forgot the PIN")}</a> <a href="/cancel">${t("不办了，返回", "Cancel and go back")}</a></p>`;

const cancelLink = ({ t }) => `<p class="links"><a href="/cancel">${t("不办了，返回", "Cancel and go back")}</a></p>`;

const result = ({ t, icon }, kind, name, zh, en, text) => `<div class="result result-${kind}">
<span class="result-icon">${icon(name)}</span>
<h1 tabindex="-1" data-focus>${t(zh, en)}</h1>
<p class="sub" lang="${t("en", "zh-CN")}">${t(en, zh)}</p>
<p class="result-text">${text}</p>
</div>`;

const primary = (href, text) => `<a class="btn btn-primary" href="${href}">${text}</a>`;
const plain = (href, text) => `<a class="btn btn-plain" href="${href}">${text}</a>`;

const verifyCells = ({ t }) => cells([
  [t("持卡人", "Holder"), `${holder.name}`],
  [t("用来办理", "For"), t("查询社保缴费年限", "Looking up years of contribution"), ' id="purpose"'],
]);
const businessNo = ({ t }) => `<p class="fine extra">${t("业务流水号", "Business number")} <span class="nb">ZL20260506-000187</span></p>`;

const card = ({ t, icon }) => `<section class="card-face" aria-label="${t("电子社保卡", "e-Social Security Card")}">
<div>
<p class="card-face-name">${t("电子社保卡", "e-Social Security Card")}</p>
<p class="card-face-region">${t("浙江省湖州市 · 示例", "Huzhou, Zhejiang · sample")}</p>
</div>
<span class="card-face-dots">${icon("dots")}</span>
<div class="card-face-person">
<p class="card-face-holder">${holder.name}</p>
<p class="card-face-number">${holder.id}</p>
<p class="card-face-note">${t("2026 年 5 月 6 日申领", "Issued 6 May 2026")}</p>
</div>
</section>`;

const lockedUntil = ({ t }) =>
  `<time datetime="2026-05-07T09:12:00+08:00" data-until="2026-05-07T09:12:00+08:00" data-now="2026-05-06T20:44:00+08:00">${t("5 月 7 日 09:12", "7 May, 09:12")}</time>`;

const pages = {
  confirm: (k) => ({
    title: k.t("申领电子社保卡", "Apply for the e-Card"),
    body: `${asker(k)}
${title(k.t, "申领电子社保卡", "Apply for the e-Card")}
${steps(k, 0)}
<h2 class="cells-title">${k.t("请核对，这是您本人吗？", "Is this you? Please check.")}</h2>
${cells([
  [k.t("姓名", "Name"), holder.name],
  [k.t("身份证号", "ID number"), holder.id, ' class="number"'],
  [k.t("手机号", "Phone"), holder.phone, ' class="number"'],
  [k.t("参保地", "Region"), k.t("浙江省湖州市", "Huzhou, Zhejiang")],
])}
<div class="notice"><p class="notice-title">${k.t("接下来做什么", "What comes next")}</p><p>${k.t(
      "设置一个 6 位数字密码。以后办社保业务时，用它证明是您本人。",
      "You choose a 6-digit PIN. From then on it proves that it is you.",
    )}</p></div>
<form method="post" action="/ceremony" data-once>
<button class="btn btn-primary" name="answer" value="yes">${k.t("是我本人，继续", "It is me, continue")}</button>
<button class="btn btn-plain" name="answer" value="no">${k.t("不是我，返回", "Not me, go back")}</button>
</form>`,
  }),
  "new-pin": (k) => ({
    title: k.t("设置密码", "Set the PIN"),
    body: `${asker(k)}
${title(k.t, "设置电子社保卡密码", "Set the e-Card's PIN")}
${steps(k, 1)}
${pad(k, "new")}
${cancelLink(k)}`,
  }),
  verify: (k) => ({
    title: k.t("输入密码", "Enter the PIN"),
    body: `${asker(k)}
${title(k.t, "验证电子社保卡密码", "Check the e-Card's PIN")}
${verifyCells(k)}
${pad(k, "current", ` data-describedby="asker purpose" data-note="${k.t("还可试 5 次。", "5 tries left.")}"`)}
${businessNo(k)}
${padLinks(k)}`,
  }),
  wrong: (k) => ({
    title: k.t("密码不正确", "Wrong PIN"),
    body: `${asker(k)}
<div class="notice notice-refuse" tabindex="-1" data-focus id="refusal"><h1 class="notice-title">${k.t('密码不正确，<span class="nb">还可试 4 次</span>', 'Wrong PIN: <span class="nb">4 tries left</span>')}</h1>
<p>${k.t("请再输一次。再错 4 次，密码会锁定 24 小时。", "Try again. After 4 more wrong PINs it locks for 24 hours.")}</p></div>
${verifyCells(k)}
${pad(k, "current", ' data-describedby="refusal asker purpose"')}
${businessNo(k)}
${padLinks(k)}`,
  }),
  locked: (k) => ({
    title: k.t("密码已锁定", "The PIN is locked"),
    body: `${asker(k)}
${result(k, "warn", "locked", "密码已锁定", "The PIN is locked",
      k.t("24 小时内输错了 6 次。为了您的安全，密码暂时不能用。", "Six wrong PINs within 24 hours. To protect you, the PIN cannot be used for now."))}
<div class="notice notice-warn"><p class="notice-title">${k.t("什么时候能再试", "When to try again")}</p>
<p><span data-until-over>${lockedUntil(k)}</span><span data-when-over hidden>${k.t("现在可以再试了。", "You can try again now.")}</span></p></div>
${cells([
  [k.t("实体社保卡", "Physical card"), k.t("不受影响，照常使用", "Not affected")],
  [k.t("其他渠道", "Other channels"), k.t("同样锁定", "Locked as well")],
])}
<a class="btn btn-primary" href="/ceremony" data-when-over hidden>${k.t("再试一次", "Try again")}</a>
${primary("/recover", k.t("找回密码，马上解锁", "Recover the PIN and unlock now"))}
${plain("/cancel", k.t("返回浙里社保", "Back to the channel"))}`,
  }),
  blocked: (k) => ({
    title: k.t("密码已停用", "The PIN is blocked"),
    body: `${asker(k)}
${result(k, "refuse", "blocked", "密码已停用", "The PIN is blocked",
      k.t("累计输错次数过多。等待不能恢复，需要重新设置密码。", "Too many wrong PINs in all. Waiting does not help: the PIN must be set anew."))}
${primary("/recover", k.t("找回密码", "Recover the PIN"))}
${plain("/agencies", k.t("查找附近的经办机构", "Find an agency"))}
${plain("/cancel", k.t("返回浙里社保", "Back to the channel"))}`,
  }),
  frozen: (k) => ({
    title: k.t("电子社保卡已冻结", "The e-Card is frozen"),
    body: `${asker(k)}
${result(k, "info", "frozen", "电子社保卡已冻结", "The e-Card is frozen",
      k.t("这张卡在所有渠道都不能使用。您的密码没有改变。", "It cannot be used in any channel. Your PIN has not changed."))}
<div class="notice"><p class="notice-title">${k.t("怎样恢复", "How to use it again")}</p><p>${k.t(
      "由您本人办理解冻；不是您自己冻结的，请拨打 12333。",
      "Unfreeze it yourself. If it was not you who froze it, call 12333.",
    )}</p></div>
${primary("/unfreeze", k.t("办理解冻", "Unfreeze"))}
<a class="btn btn-plain" href="tel:12333">${k.t("拨打 12333", "Call 12333")}</a>
${plain("/cancel", k.t("返回浙里社保", "Back to the channel"))}`,
  }),
  suspended: (k) => ({
    title: k.t("还需要实人认证", "An identity check is needed"),
    body: `${asker(k)}
${result(k, "warn", "evidence", "还需要实人认证", "An identity check is needed",
      k.t("您的实体社保卡已挂失。这段时间，除了密码，还要证明是您本人。", "Your physical card is reported lost. Until it is found, the PIN alone is not enough."))}
<ol class="cells">
<li class="cell"><span>${k.t("1. 做一次实人认证", "1. Do the identity check")}</span></li>
<li class="cell"><span>${k.t("2. 回到这里输入密码", "2. Come back and enter the PIN")}</span></li>
</ol>
<form method="post" action="/ceremony" data-once><button class="btn btn-primary" name="answer" value="evidence">${k.t("去做实人认证", "Do the identity check")}</button></form>
${plain("/agencies", k.t("不方便刷脸？换一种方式", "Cannot show your face? Another way"))}
${plain("/cancel", k.t("返回浙里社保", "Back to the channel"))}`,
  }),
  change: (k) => ({
    title: k.t("修改密码", "Change the PIN"),
    body: `${asker(k)}
${title(k.t, "修改电子社保卡密码", "Change the e-Card's PIN")}
<p class="sub after-title">${k.t("改好后，所有渠道都用新密码。", "The new PIN will count in every channel.")}</p>
${pad(k, "change")}
${padLinks(k)}`,
  }),
  passphrase: (k) => ({
    title: k.t("设置密码", "Set the PIN"),
    body: `${asker(k)}
${title(k.t, "设置电子社保卡密码", "Set the e-Card's PIN")}
${pad(k, "new", ' data-passphrase="true"')}
${cancelLink(k)}`,
  }),
  done: (k) => ({
    title: k.t("申领成功", "Your e-Card is ready"),
    body: `${asker(k)}
${steps(k, 3)}
${result(k, "ok", "ok", "申领成功，密码已设好", "Your e-Card is ready",
      k.t("请记牢密码，不要告诉任何人。", "Remember the PIN, and tell it to nobody."))}
${card(k)}
<form method="post" action="/ceremony" data-once><button class="btn btn-primary">${k.t("返回浙里社保", "Back to the channel")}</button></form>`,
  }),
  expired: (k) => ({
    title: k.t("请求已过期", "The request has expired"),
    body: `${result(k, "info", "expired", "这次请求已过期", "This request has expired",
      k.t("页面打开太久了，什么都没有改变，也没有扣减次数。", "The page was open too long. Nothing changed, and no try was used."))}
${primary("/cancel", k.t("返回原来的应用，重新办理", "Go back to the app and start again"))}
<a class="btn btn-plain" href="tel:12333">${k.t("拨打 12333", "Call 12333")}</a>`,
  }),
  unavailable: (k) => ({
    title: k.t("暂时不能核验", "No answer right now"),
    body: `${asker(k)}
${result(k, "warn", "unavailable", "暂时不能核验密码", "The PIN cannot be checked now",
      k.t("密码服务暂时不可用。您的密码没有改变，请过几分钟再试。", "The PIN service is not available. Your PIN has not changed; try again in a few minutes."))}
<a class="btn btn-primary" href="">${k.t("再试一次", "Try again")}</a>
${plain("/cancel", k.t("返回浙里社保", "Back to the channel"))}
<a class="btn btn-plain" href="tel:12333">${k.t("拨打 12333", "Call 12333")}</a>`,
  }),
  "no-webcrypto": (k) => ({
    title: k.t("输入密码", "Enter the PIN"),
    body: `${asker(k)}
${title(k.t, "验证电子社保卡密码", "Check the e-Card's PIN")}
${verifyCells(k)}
<div class="pad pad-ready pad-none"><div class="notice notice-refuse" role="alert"><p class="notice-title">${k.t(
      "这个浏览器不能安全地加密密码，所以没有显示密码键盘。",
      "This browser cannot encrypt a PIN safely, so no PIN can be entered here.",
    )}</p><p>${k.t(
      "请升级手机系统或应用后再试，或换一部手机；也可以拨打 12333，或到经办机构办理。",
      "Update your phone or this app, or use another phone. You can also call 12333 or visit an agency.",
    )}</p></div></div>
<a class="btn btn-primary" href="tel:12333">${k.t("拨打 12333", "Call 12333")}</a>
${plain("/cancel", k.t("返回浙里社保", "Back to the channel"))}`,
  }),
  code: (k) => ({
    title: k.t("请输入短信验证码", "Enter the code from the text message"),
    body: `${asker(k)}
${title(k.t, "请输入短信验证码", "Enter the code from the text message")}
${cells([[k.t("绑定的手机", "Bound phone"), holder.phone, ' class="number"']])}
<form method="post" action="/ceremony" data-once>
<div class="field">
<label class="field-label" for="code">${k.t("验证码（6 位数字）", "Code (six digits)")}</label>
<p class="field-hint" id="code-hint">${k.t("20:43 已发送，10 分钟内有效。", "Sent at 20:43, good for 10 minutes.")}</p>
<input class="field-input field-code" id="code" name="code" type="text" inputmode="numeric" autocomplete="one-time-code" maxlength="20" aria-describedby="code-hint">
</div>
<button class="btn btn-primary">${k.t("下一步", "Next")}</button>
</form>
<form method="post" action="/ceremony" data-once><button class="btn btn-plain">${k.t("重新获取验证码", "Send a new code")}</button></form>
<details class="fold"><summary>${k.t("收不到验证码？", "No code arriving?")}</summary>
<p class="fold-text">${k.t("先看看手机有没有信号，短信有没有被拦截。", "Check the signal, and whether the message was filtered out.")}</p></details>
<div class="asides"><a class="btn btn-aside" href="/freeze">${k.t("不是您本人在办？冻结这张卡", "Not you? Freeze the e-Card")}</a></div>`,
  }),
  settings: (k) => ({
    title: k.t("验证通过", "The PIN is right"),
    body: `${asker(k)}
${result(k, "ok", "ok", "验证通过", "The PIN is right", k.t("可以继续办理了。", "You can go on."))}
${primary("/return", k.t("返回浙里社保", "Back to the channel"))}
<section class="settings" aria-labelledby="settings"><h2 class="cells-title" id="settings">${k.t("还可以设置", "You may also set")}</h2>
<form method="post" action="/ceremony" data-once><button class="switch" name="on" value="0" role="switch" aria-checked="true"><span class="switch-text">${k.t(
      "每次用密码，都发短信告诉我", "Text me after every use of the PIN",
    )}<span class="switch-word">${k.t("已开启", "On")}</span></span><span class="switch-knob" aria-hidden="true"></span></button></form>
<p class="fold fold-known">${k.t("这里是您的常用设备", "This is a known device of yours")}</p>
</section>`,
  }),
  sms: (k) => ({
    title: k.t("短信", "Messages"),
    body: `${title(k.t, "短信收件箱（演示）", "Text messages (demo)")}
<section class="sms"><p class="sms-from">${k.t("电子社保卡 · 刚刚", "e-Card · just now")}</p><p class="sms-text">${k.t(
      "您的电子社保卡密码已于 5 月 6 日 09:12 设置。不是您本人操作，请拨打 12333。",
      "The PIN of your e-Card was set on 6 May at 09:12. If this was not you, call 12333.",
    )}</p></section>
<h2 class="cells-title">${k.t("您可能还想", "You may also want to")}</h2>
<nav class="cells" aria-label="${k.t("更多", "More")}">
<a class="cell" href="/change"><span class="cell-text">${k.t("修改密码", "Change the PIN")}<span class="cell-note extra">${k.t("上次设置：今天", "Last set: today")}</span></span></a>
<a class="cell" href="/agencies"><span class="cell-text">${k.t("查找经办机构", "Find an agency")}</span></a>
</nav>
<form method="post" action="/freeze"><button class="btn btn-danger">${k.t("冻结电子社保卡", "Freeze the e-Card")}</button></form>`,
  }),
};
