// An SMPP centre as small as can be: it takes short messages from a gateway,
// puts the parts of long ones together, writes each to standard output as a
// line of JSON, and reports what became of it: DELIVRD, or UNDELIV for the
// numbers that are given on the command line. With port 0 the system chooses
// one; the first line says which.
"use strict";

const smpp = require("smpp");

const [port, ...unreachable] = process.argv.slice(2);
const write = (line) => process.stdout.write(JSON.stringify(line) + "\n");

// parts of long messages, by sender's reference and number
const parts = new Map();
let count = 0;

// raw is the text as it came, before the library decodes it: hexadecimal.
function raw(pdu) {
  return Buffer.from(pdu.short_message.message, "utf16le").swap16().toString("hex");
}

// whole returns the message once its last part is there, or nothing.
function whole(pdu) {
  const udh = pdu.short_message.udh;
  if (!udh || !udh.length) return { parts: 1, hex: raw(pdu) };
  // One information element: 00 03 reference total number.
  const ie = udh[0].length === 6 ? udh[0].subarray(1) : udh[0];
  if (ie[0] !== 0 || ie[1] !== 3) throw new Error("unknown header " + ie.toString("hex"));
  const key = pdu.destination_addr + "/" + ie[2];
  const got = parts.get(key) || [];
  got[ie[4] - 1] = raw(pdu);
  parts.set(key, got);
  if (got.filter((p) => p !== undefined).length < ie[3]) return;
  parts.delete(key);
  return { parts: ie[3], hex: got.join("") };
}

function report(session, pdu, id) {
  const failed = unreachable.includes(pdu.destination_addr);
  const stat = failed ? "UNDELIV" : "DELIVRD";
  session.deliver_sm({
    source_addr: pdu.destination_addr,
    destination_addr: pdu.source_addr,
    esm_class: 4,
    short_message:
      `id:${id} sub:001 dlvrd:${failed ? "000" : "001"} submit date:2611221532 done date:2611221532 ` +
      `stat:${stat} err:${failed ? "001" : "000"} text:`,
  });
}

const server = smpp.createServer((session) => {
  session.on("error", () => {});
  session.on("bind_transceiver", (pdu) => {
    const ok = pdu.system_id === "liuma" && pdu.password === "secret";
    session.send(pdu.response({ command_status: ok ? 0 : smpp.ESME_RBINDFAIL, system_id: "centre" }));
    write({ event: "bind", ok });
  });
  session.on("enquire_link", (pdu) => session.send(pdu.response()));
  session.on("unbind", (pdu) => session.send(pdu.response()));
  session.on("submit_sm", (pdu) => {
    const id = String(++count);
    session.send(pdu.response({ message_id: id }));
    const message = whole(pdu);
    if (message) {
      write({
        event: "message", from: pdu.source_addr, to: pdu.destination_addr,
        coding: pdu.data_coding, validity: pdu.validity_period, ...message,
      });
    }
    if (pdu.registered_delivery & 1) setTimeout(() => report(session, pdu, id), 50);
  });
});
server.listen(Number(port), "127.0.0.1", () => write({ event: "listening", port: server.address().port }));
