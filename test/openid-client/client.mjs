// A channel's server, written with openid-client. It is started by the Go test
// beside it, which is the browser and the holder: one JSON object a line comes
// in, one goes out.
//
//   {"do": "push", "details": {…}}            -> {"url": address to send the browser to}
//   {"do": "callback", "url": …, "check": {…}} -> {"claims": {…}, "details": […]}
//
// Whatever fails goes out as {"error": …, "oauth": …, "code": …}.
import { createInterface } from 'node:readline'
import * as client from 'openid-client'

const settings = JSON.parse(process.env.CHANNEL)

// The door is reached under the issuer's name, whichever port it listens on.
const reach = (url, options) => fetch(String(url).replace(settings.issuer, settings.base), options)

const key = await crypto.subtle.importKey('jwk', settings.key, { name: 'ECDSA', namedCurve: 'P-256' }, false, ['sign'])

const config = await client.discovery(
  new URL(settings.issuer),
  settings.clientId,
  { id_token_signed_response_alg: 'ES256' },
  client.PrivateKeyJwt({ key, kid: settings.key.kid }),
  { execute: [client.allowInsecureRequests], [client.customFetch]: reach },
)
config[client.customFetch] = reach

let session

async function push({ details, change }) {
  session = {
    state: client.randomState(),
    nonce: client.randomNonce(),
    verifier: client.randomPKCECodeVerifier(),
  }
  const url = await client.buildAuthorizationUrlWithPAR(config, {
    redirect_uri: settings.redirect,
    scope: 'openid',
    state: session.state,
    nonce: session.nonce,
    code_challenge: await client.calculatePKCECodeChallenge(session.verifier),
    code_challenge_method: 'S256',
    authorization_details: JSON.stringify([details]),
    ...change,
  })
  return { url: url.href }
}

async function callback({ url, check }) {
  const tokens = await client.authorizationCodeGrant(config, new URL(url), {
    pkceCodeVerifier: session.verifier,
    expectedState: session.state,
    expectedNonce: session.nonce,
    idTokenExpected: true,
    maxAge: 300,
    ...check,
  })
  return { claims: tokens.claims(), details: tokens.authorization_details, type: tokens.token_type, expires: tokens.expires_in }
}

const metadata = () => ({ par: config.serverMetadata().pushed_authorization_request_endpoint, pkce: config.serverMetadata().supportsPKCE() })

// With evidence_required: in the body of a refused push, or in the address that
// the browser came back with.
const challengeOf = (cause) => (cause instanceof URLSearchParams ? cause.get('challenge') : cause?.challenge) ?? undefined

async function answer(line) {
  const request = JSON.parse(line)
  try {
    switch (request.do) {
      case 'metadata':
        return metadata()
      case 'push':
        return await push(request)
      case 'callback':
        return await callback(request)
    }
    return { error: `what is ${request.do}?` }
  } catch (e) {
    return { error: e.message, code: e.code, oauth: e.error, liuma: e.cause?.code, reason: e.cause?.reason, challenge: challengeOf(e.cause) }
  }
}

for await (const line of createInterface({ input: process.stdin })) {
  process.stdout.write(JSON.stringify(await answer(line)) + '\n')
}
