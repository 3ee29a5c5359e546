// A small channel for Node, written with openid-client: link a card, verify the
// PIN, and show a page behind it. README.md says how to start it. Its memory is a
// Map; a real channel keeps sessions, pushes and handles in its database.
//
// Start here: begin, which pushes, and callback, which redeems.
import { createHash, createPrivateKey, randomBytes, sign, timingSafeEqual } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { createServer } from 'node:http'
import * as oidc from 'openid-client'

const need = (name) => {
  if (!process.env[name]) throw new Error(`set ${name}`)
  return process.env[name]
}
const issuer = need('ISSUER')
const api = process.env.API ?? issuer
const clientId = need('CLIENT_ID')
const kid = need('KEY_ID')
const pem = readFileSync(need('KEY_FILE'))
const origin = need('ORIGIN')
const region = process.env.REGION
const redirectUri = origin + '/callback'

// People of the sample. A real channel knows its users from its own log-in.
const people = {
  wang: { id_number: '330502195603120626', name: '王桂珍' },
  li: { id_number: '33050319780825173X', name: '李建国' },
}
// What the holder reads, in the language of the page.
const purposes = {
  link: { 'zh-CN': '关联电子社保卡', en: 'Link the electronic card' },
  verify: { 'zh-CN': '查询社保缴费年限', en: 'See your years of contribution' },
}
// hashed is what liuma_purpose_hash covers: a string as it is, an object as lines.
const hashed = p => typeof p === 'string' ? p : ['zh-CN', 'en'].filter(l => l in p).map(l => `${l}:${p[l]}\n`).join('')

const nodeKey = createPrivateKey(pem)
const key = await crypto.subtle.importKey('pkcs8', nodeKey.export({ type: 'pkcs8', format: 'der' }), { name: 'ECDSA', namedCurve: 'P-256' }, false, ['sign'])

let found // the authority's endpoints, once it answered
async function authority() {
  if (found) return found
  const config = await oidc.discovery(new URL(issuer), clientId, { id_token_signed_response_alg: 'ES256' }, oidc.PrivateKeyJwt({ key, kid }), {
    execute: issuer.startsWith('http:') ? [oidc.allowInsecureRequests] : [], // a developer's authority
  })
  oidc.enableNonRepudiationChecks(config) // else the library leaves the ID token's signature to TLS
  return (found = config)
}

const sessions = new Map() // id -> { account, open: until when the page behind the PIN may be seen }
const pushes = new Map() // state -> what was pushed, by which log-in; taken out once
const cards = new Map() // account -> handle of its link

const random = () => randomBytes(16).toString('hex')
const same = (a, b) => typeof a === 'string' && typeof b === 'string' && a.length === b.length && timingSafeEqual(Buffer.from(a), Buffer.from(b))

// begin pushes a request and returns the page to open.
async function begin(session, action) {
  const config = await authority()
  const { account } = sessions.get(session)
  const holder = action === 'link' ? people[account] : { card: cards.get(account) }
  const push = {
    session, account, action, purpose: purposes[action], card: holder.card,
    businessNo: `NODE-${random()}`, state: oidc.randomState(), nonce: oidc.randomNonce(), verifier: oidc.randomPKCECodeVerifier(),
  }
  pushes.set(push.state, push) // before it is sent: the business number is how to ask when an answer is lost
  return oidc.buildAuthorizationUrlWithPAR(config, {
    redirect_uri: redirectUri, scope: 'openid', state: push.state, nonce: push.nonce,
    code_challenge: await oidc.calculatePKCECodeChallenge(push.verifier), code_challenge_method: 'S256',
    // An array of one object.
    authorization_details: JSON.stringify([{ type: 'liuma_pin', action, holder, region, purpose: push.purpose, business_no: push.businessNo }]),
  })
}

// callback redeems what came back, in the log-in that pushed it and nowhere else.
async function callback(url, session) {
  const state = url.searchParams.get('state')
  const push = pushes.get(state)
  const here = sessions.get(session)
  if (!push || !here || push.session !== session || push.account !== here.account || url.searchParams.get('iss') !== issuer) {
    return [400, 'This link was not opened from here.'] // nothing in it is used
  }
  pushes.delete(state) // a second answer finds none
  try {
    const tokens = await oidc.authorizationCodeGrant(await authority(), url, {
      pkceCodeVerifier: push.verifier, expectedState: push.state, expectedNonce: push.nonce, idTokenExpected: true,
    })
    const claims = tokens.claims()
    if (!about(claims, push)) throw new Error('the ID token is about another request')
    if (push.action === 'link') cards.set(push.account, claims.liuma_card)
    else here.open = Date.now() + 5 * 60_000
    return [200, push.action === 'link' ? 'Linked.' : 'Verified.']
  } catch (e) {
    console.error('no proof', push.businessNo, e.code ?? e.error ?? e.message)
    return ask(push) // an error in the address is anybody's word, and an exchange can fail on the way
  }
}

// about is what the library cannot know: this request, action, purpose and card.
function about(claims, push) {
  return same(claims.liuma_business_no, push.businessNo) && same(claims.liuma_action, push.action) &&
    same(claims.liuma_purpose_hash, createHash('sha256').update(hashed(push.purpose)).digest('base64url')) &&
    (push.card ? same(claims.liuma_card, push.card) : claims.liuma_card !== undefined) &&
    claims.acr?.startsWith('urn:liuma:acr:pin') && claims.amr?.includes('pin')
}

// ask fetches what became of a request, by its business number. It opens nothing:
// a right verdict comes with the code alone.
async function ask(push) {
  try {
    const answer = await fetch(`${api}/v1/verifications/${push.businessNo}`, { headers: { authorization: `Bearer ${bearer()}` }, signal: AbortSignal.timeout(15_000) })
    const v = await answer.json()
    if (v.state === 'returning') pushes.set(push.state, push) // the page may bring another code, with this state
    const until = v.until ? ' Until ' + new Intl.DateTimeFormat('zh-CN', { timeZone: 'Asia/Shanghai', dateStyle: 'medium', timeStyle: 'short' }).format(new Date(v.until)) : ''
    return [200, `${v.title_zh ?? v.state} ${v.next_step_zh ?? ''}${until}`]
  } catch (e) {
    console.error('no answer', push.businessNo, e.message)
    return [200, 'The PIN service cannot be reached. Ask again in a while.']
  }
}

// bearer is a token for the native door: another typ and audience than an assertion.
function bearer() {
  const now = Math.floor(Date.now() / 1000)
  const part = (v) => Buffer.from(JSON.stringify(v)).toString('base64url')
  const text = part({ alg: 'ES256', typ: 'liuma-native+jwt', kid }) + '.' + part({ iss: clientId, sub: clientId, aud: issuer + '/v1', iat: now, exp: now + 240 })
  return text + '.' + sign('sha256', Buffer.from(text), { key: nodeKey, dsaEncoding: 'ieee-p1363' }).toString('base64url')
}

const escaped = (s) => String(s).replace(/[&<>"']/g, (c) => `&#${c.charCodeAt(0)};`)

async function form(request) {
  let body = ''
  for await (const part of request) {
    body += part
    if (body.length > 8192) throw new Error('too large')
  }
  return new URLSearchParams(body)
}

const home = (account) => account
  ? `<form method=post action=/start><button name=action value=link>Link my card</button><button name=action value=verify>My years</button></form>`
  : Object.keys(people).map((p) => `<form method=post action=/person><button name=person value=${p}>I am ${p}</button></form>`).join('')

async function serve(request, response) {
  const url = new URL(request.url, origin)
  const session = /(?:^|; )session=([0-9a-f]{32})/.exec(request.headers.cookie ?? '')?.[1]
  const here = sessions.get(session)
  const show = (status, text) => {
    response.writeHead(status, { 'content-type': 'text/html; charset=utf-8', 'cache-control': 'no-store', 'x-frame-options': 'DENY' })
    response.end(`<!doctype html><meta charset=utf-8><title>Channel</title><main>${text}</main>`)
  }
  const go = (to, headers = {}) => response.writeHead(303, { location: String(to), 'cache-control': 'no-store', ...headers }).end()
  // Forms of other sites are refused.
  if (request.method === 'POST' && request.headers.origin !== origin) return show(403, 'Refused.')
  switch (`${request.method} ${url.pathname}`) {
    case 'GET /':
      return show(200, home(here?.account))
    case 'POST /person': {
      const account = (await form(request)).get('person')
      if (!Object.hasOwn(people, account)) return show(400, 'Nobody.')
      sessions.delete(session)
      const fresh = random() // each log-in has a new session
      sessions.set(fresh, { account, open: 0 })
      return go('/', { 'set-cookie': `session=${fresh}; Path=/; HttpOnly; SameSite=Lax${origin.startsWith('https:') ? '; Secure' : ''}` })
    }
    case 'POST /start': {
      const action = (await form(request)).get('action')
      if (!here || !Object.hasOwn(purposes, action) || (action === 'verify' && !cards.has(here.account))) return go('/')
      try {
        return go(await begin(session, action))
      } catch (e) {
        console.error('push', e.error ?? e.code ?? e.message, e.cause?.code ?? '', e.cause?.reason ?? '')
        return show(200, escaped(e.cause?.error_description_zh ?? 'The PIN service cannot be reached. Try again later.'))
      }
    }
    case 'GET /callback': {
      const [status, text] = await callback(url, session)
      return show(status, escaped(text))
    }
    case 'GET /years':
      if (!here || Date.now() > here.open) return go('/')
      return show(200, `Contribution years of ${escaped(people[here.account].name)}: 31`)
  }
  return show(404, 'Nothing here.')
}

const server = createServer((request, response) => serve(request, response).catch((e) => {
  console.error(e)
  if (!response.headersSent) response.writeHead(500).end()
}))
server.listen({ host: '127.0.0.1', port: Number(new URL(origin).port) }, () => console.log(`listening on ${origin}`))
process.on('SIGTERM', () => server.close(() => process.exit(0)))
