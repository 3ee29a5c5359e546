// Texts: everything the pad says, in Chinese and English. Plain words: a
// first-time user of seventy reads them on a phone.
import type { Rule } from "./rules";
import type { Step } from "./flow";

export interface Texts {
  label: Record<Step, string>;
  passphraseLabel: Record<Step, string>;
  auto: string;
  newHelp: string;
  againHelp: string;
  oldHelp: string;
  step(number: number, count: number): string;
  entered(count: number): string;
  cleared: string;
  keypad: string;
  back: string;
  clear: string;
  show: string;
  hide: string;
  systemKeys: string;
  ownKeys: string;
  previous: string;
  done: string;
  doneHelp: Record<"new" | "change", string>;
  finish: Record<"new" | "change", string>;
  restart: string;
  submit: Record<"current" | "new" | "change", string>;
  sealing: string;
  sending: Record<"current" | "new" | "change", string>;
  slow: string;
  noAnswer: string;
  seeResult: string;
  offline: string;
  online: string;
  retry: string;
  differ: string;
  notSix: string;
  tooLong: string;
  length: string;
  passphraseHelp: string;
  fill: string;
  sealFailed: string;
  broken: string;
  reload: string;
  noCrypto: string;
  noCryptoNext: string;
  refused: Record<Rule, string>; // the server's own sentences; a test compares
  heading: Record<Rule, string>;
}

const zh: Texts = {
  label: {
    current: "请输入 6 位密码",
    old: "请输入现在的密码",
    new: "请设置 6 位新密码",
    again: "请再输入一次新密码",
  },
  passphraseLabel: {
    current: "密码",
    old: "现在的密码",
    new: "新密码",
    again: "再输入一次新密码",
  },
  auto: "输满 6 位后自动提交。",
  newHelp: "不要用生日、手机号、证件号里的数字，也不要用连号、重复号。",
  againHelp: "两次要输得一样。",
  oldHelp: "先核对现在的密码，再设置新密码。",
  step: (n, of) => `第 ${n} 步，共 ${of} 步`,
  entered: (n) => `已输入 ${n} 位，共 6 位`,
  cleared: "已清空",
  keypad: "数字键盘",
  back: "退格",
  clear: "清空",
  show: "看一眼",
  hide: "隐藏",
  systemKeys: "用手机键盘",
  ownKeys: "用本页键盘",
  previous: "返回上一步",
  done: "两次输入一致",
  doneHelp: {
    new: "请记牢这个密码。点下面的按钮完成设置。",
    change: "请记牢新密码。点下面的按钮完成修改。",
  },
  finish: { new: "完成设置", change: "完成修改" },
  restart: "重新输入",
  submit: { current: "提交", new: "完成设置", change: "完成修改" },
  sealing: "正在加密…",
  sending: { current: "正在核验，请稍候…", new: "正在设置，请稍候…", change: "正在修改，请稍候…" },
  slow: "网络有点慢，还在等回应，请不要离开。",
  noAnswer: "没有等到回应。请点下面的按钮看结果，不用再输密码。",
  seeResult: "看结果",
  offline: "手机现在没有网络，密码还没有发出去。请连上网络后点“重试”。",
  online: "网络恢复了，请点“重试”。",
  retry: "重试",
  differ: "两次输入的不一样，请重新设置。",
  notSix: "粘贴的内容不是 6 位数字，请重新输入。",
  tooLong: "密码太长了，请缩短一些。",
  length: "密码应为 6 位数字，或 8 到 64 个字符。",
  passphraseHelp: "6 位数字，或 8 到 64 个字符。",
  fill: "请先填写密码。",
  sealFailed: "加密没有成功，密码没有发出去。请再输入一次；还是不行，请刷新本页。",
  broken: "本页的数据不完整，不能输入密码。请刷新本页；还是不行，请拨打 12333。",
  reload: "刷新本页",
  noCrypto: "这个浏览器不能安全地加密密码，所以没有显示密码键盘。",
  noCryptoNext: "请升级手机系统或应用后再试，或换一部手机；也可以拨打 12333，或到经办机构办理。",
  refused: {
    repeat: "同一个数字用得太多了。请多用几个不同的数字，至少三个，也不要把一个数字连按四次。",
    steps: "这些数字是按顺序数出来的，很多人都这样选。请打乱顺序，不要往上数，也不要往下数。",
    pairs: "这是两个两个成对的数字，很容易被猜到。请不要成对地选，六个数字各选各的。",
    triples: "前三个和后三个是同一组，或者三个三个相同，很容易被猜到。请让后三个数字和前三个没有关系。",
    mirror: "后三个数字正好是前三个倒过来，很容易被猜到。请让后三个数字和前三个没有关系。",
    keypad: "这是在键盘上顺手按出来的形状（直线、斜线、转圈或四个角），很多人都这样选。请选不挨着、不成形状的数字。",
    common: "很多人都选过这个号码，坏人会先试它。请想一个只有您自己知道的号码，不要用日期和吉利数字。",
  },
  heading: {
    repeat: "一直输同一个数字会被拒绝，换个数字吧。",
    steps: "连着数下去会被拒绝，换个数字吧。",
    pairs: "成对重复会被拒绝，换个数字吧。",
    triples: "三位重复会被拒绝，换个数字吧。",
    mirror: "前后对称会被拒绝，换个数字吧。",
    keypad: "键盘上的一条线会被拒绝，换个数字吧。",
    common: "很多人用的密码会被拒绝，换个数字吧。",
  },
};

const en: Texts = {
  label: {
    current: "Enter your 6-digit PIN",
    old: "Enter your present PIN",
    new: "Choose a 6-digit PIN",
    again: "Enter the new PIN again",
  },
  passphraseLabel: {
    current: "PIN",
    old: "Present PIN",
    new: "New PIN",
    again: "New PIN again",
  },
  auto: "Sent by itself after the sixth digit.",
  newHelp: "No digits from your birthday, phone or ID number; no runs, no repeats.",
  againHelp: "Both entries must be the same.",
  oldHelp: "First your present PIN, then a new one.",
  step: (n, of) => `Step ${n} of ${of}`,
  entered: (n) => `${n} of 6 digits entered`,
  cleared: "Cleared",
  keypad: "Number keys",
  back: "Delete",
  clear: "Clear",
  show: "Peek",
  hide: "Hide",
  systemKeys: "Phone keyboard",
  ownKeys: "Keys on this page",
  previous: "Step back",
  done: "Both entries are the same",
  doneHelp: {
    new: "Remember this PIN. Press the button to set it.",
    change: "Remember the new PIN. Press the button to change it.",
  },
  finish: { new: "Set the PIN", change: "Change the PIN" },
  restart: "Enter it again",
  submit: { current: "Submit", new: "Set the PIN", change: "Change the PIN" },
  sealing: "Encrypting…",
  sending: { current: "Checking, please wait…", new: "Setting the PIN, please wait…", change: "Changing the PIN, please wait…" },
  slow: "The network is slow. Still waiting for an answer; please stay on this page.",
  noAnswer: "No answer came. Press the button to see the result. You need not enter the PIN again.",
  seeResult: "See the result",
  offline: "There is no network now, and the PIN has not been sent. Connect, then press “Try again”.",
  online: "The network is back. Press “Try again”.",
  retry: "Try again",
  differ: "The two entries differ. Please choose again.",
  notSix: "What was pasted is not six digits. Please enter the PIN again.",
  tooLong: "That is too long. Please shorten it.",
  length: "It must be 6 digits, or 8 to 64 characters.",
  passphraseHelp: "6 digits, or 8 to 64 characters.",
  fill: "Please fill in the PIN.",
  sealFailed: "Encrypting failed, and the PIN was not sent. Enter it again; if it still fails, reload this page.",
  broken: "This page is incomplete, so no PIN can be entered. Reload it; if that does not help, call 12333.",
  reload: "Reload this page",
  noCrypto: "This browser cannot encrypt a PIN safely, so no PIN can be entered here.",
  noCryptoNext: "Update your phone or this app, or use another phone. You can also call 12333 or visit an agency.",
  refused: {
    repeat: "This uses the same digit too often. Use at least three different digits, and none four times in a row.",
    steps: "These digits simply count up or down, as many people choose. Mix them, so that they follow no order.",
    pairs: "These digits come in pairs, which is easy to guess. Choose each of the six digits by itself.",
    triples: "The digits come in threes that repeat, which is easy to guess. Let the last three have nothing to do with the first three.",
    mirror: "The last three digits are the first three backwards, which is easy to guess. Let them have nothing to do with each other.",
    keypad: "This draws a simple shape on the keypad: a line, a path or the corners. Many people choose those; pick keys that make no shape.",
    common: "Many people have chosen this number, so thieves try it first. Think of one that only you know: no date, no lucky number.",
  },
  heading: {
    repeat: "The same digit all along would be refused. Try another digit.",
    steps: "Counting on would be refused. Try another digit.",
    pairs: "Repeated pairs would be refused. Try another digit.",
    triples: "Repeated threes would be refused. Try another digit.",
    mirror: "Mirrored halves would be refused. Try another digit.",
    keypad: "A line on the keypad would be refused. Try another digit.",
    common: "A PIN that many people use would be refused. Try another digit.",
  },
};

export function isEnglish(lang: string | undefined): boolean {
  return (lang || "").toLowerCase().startsWith("en");
}

/** The texts of a language; anything but English reads as Chinese. */
export function texts(lang: string | undefined): Texts {
  return isEnglish(lang) ? en : zh;
}
