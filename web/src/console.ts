// The script of the staff console. It asks the browser for a passkey where a form wants
// one: the form says what for, and gets the answer in a field. And it draws a page anew
// when the state that the page watches has changed; without it the page does so by the
// clock. Everything else on the console works without it.
import { fromBase64URL, toBase64URL } from "./bytes";

const raw = (text: string) => fromBase64URL(text) as Uint8Array<ArrayBuffer>;

interface Descriptor {
  id: string;
  type: PublicKeyCredentialType;
  transports?: AuthenticatorTransport[];
}

// The options as the server writes them: those of the browser, with text for bytes.
interface Options {
  challenge: string;
  user?: { id: string; name: string; displayName: string };
  excludeCredentials?: Descriptor[];
  allowCredentials?: Descriptor[];
}

function described(all: Descriptor[] | undefined): PublicKeyCredentialDescriptor[] {
  return (all ?? []).map((one) => ({ ...one, id: raw(one.id) }));
}

async function made(o: Options): Promise<object> {
  const publicKey = {
    ...o,
    challenge: raw(o.challenge),
    user: { ...o.user, id: raw(o.user?.id ?? "") },
    excludeCredentials: described(o.excludeCredentials),
  } as unknown as PublicKeyCredentialCreationOptions;
  const key = (await navigator.credentials.create({ publicKey })) as PublicKeyCredential;
  const answer = key.response as AuthenticatorAttestationResponse;
  return shown(key, { clientDataJSON: toBase64URL(new Uint8Array(answer.clientDataJSON)), attestationObject: toBase64URL(new Uint8Array(answer.attestationObject)) });
}

async function used(o: Options): Promise<object> {
  const publicKey = {
    ...o,
    challenge: raw(o.challenge),
    allowCredentials: described(o.allowCredentials),
  } as PublicKeyCredentialRequestOptions;
  const key = (await navigator.credentials.get({ publicKey })) as PublicKeyCredential;
  const answer = key.response as AuthenticatorAssertionResponse;
  return shown(key, {
    clientDataJSON: toBase64URL(new Uint8Array(answer.clientDataJSON)),
    authenticatorData: toBase64URL(new Uint8Array(answer.authenticatorData)),
    signature: toBase64URL(new Uint8Array(answer.signature)),
    userHandle: answer.userHandle === null ? undefined : toBase64URL(new Uint8Array(answer.userHandle)),
  });
}

function shown(key: PublicKeyCredential, response: object): object {
  return { id: key.id, rawId: toBase64URL(new Uint8Array(key.rawId)), type: key.type, response, clientExtensionResults: {} };
}

async function offered(form: HTMLFormElement): Promise<Options> {
  const given = form.dataset["options"];
  if (given !== undefined) return JSON.parse(given) as Options;
  const reply = await fetch(form.dataset["offer"] ?? "", { credentials: "same-origin", headers: { Accept: "application/json" } });
  if (!reply.ok) throw new Error(String(reply.status));
  return (await reply.json()) as Options;
}

async function ask(form: HTMLFormElement, answer: HTMLInputElement): Promise<void> {
  const failed = form.querySelector<HTMLElement>("[data-failed]");
  if (failed !== null) failed.hidden = true;
  try {
    const options = await offered(form);
    answer.value = JSON.stringify(await (form.dataset["passkey"] === "create" ? made(options) : used(options)));
    form.submit();
  } catch {
    // Called off, no passkey of this place, or no answer from the server: the form
    // says what to do, and can be sent again.
    if (failed !== null) {
      failed.hidden = false;
      failed.focus();
    }
  }
}

for (const form of Array.from(document.querySelectorAll<HTMLFormElement>("form[data-passkey]"))) {
  const answer = form.querySelector<HTMLInputElement>('input[name="answer"]');
  if (answer !== null) {
    form.addEventListener("submit", (e) => {
      e.preventDefault();
      void ask(form, answer);
    });
  }
}

// How often a page asks for its state, in milliseconds; how long it waits after an answer
// that did not come; and for how long it asks at all. A page that nobody looks at does
// not keep a sign-in alive.
const watchEvery = 2000;
const watchAfterFault = 8000;
const watchFor = 25 * 60_000;

function watch(main: HTMLElement, address: string): void {
  const ask = async (): Promise<number> => {
    try {
      const reply = await fetch(address, { credentials: "same-origin", redirect: "manual" });
      // A redirect: the sign-in has ended, which the page says.
      if (reply.type !== "opaqueredirect") {
        if (!reply.ok) return watchAfterFault;
        if ((await reply.text()) === main.dataset["is"]) return watchEvery;
      }
      location.assign(main.dataset["next"] ?? "/");
      return 0;
    } catch {
      return watchAfterFault;
    }
  };
  const later = (wait: number): void => {
    if (wait > 0 && performance.now() < watchFor) setTimeout(() => void ask().then(later), wait);
  };
  later(watchEvery);
}

const watching = document.querySelector<HTMLElement>("[data-watch]");
if (watching !== null) watch(watching, watching.dataset["watch"] ?? "");
