// A channel's server, written with openid-client 5, which pushes only if it is asked
// to, and leaves it to its caller to send the browser on.
import { Issuer, generators } from 'openid-client-5'
import { converse, settings } from './lines.mjs'

const issuer = await Issuer.discover(settings.issuer)
const client = new issuer.Client({
  client_id: settings.clientId,
  redirect_uris: [settings.redirect],
  response_types: ['code'],
  token_endpoint_auth_method: 'private_key_jwt',
  token_endpoint_auth_signing_alg: 'ES256',
  id_token_signed_response_alg: 'ES256',
}, { keys: [settings.key] })

let session

async function push({ details }) {
  session = { state: generators.state(), nonce: generators.nonce(), verifier: generators.codeVerifier() }
  const { request_uri } = await client.pushedAuthorizationRequest({
    scope: 'openid',
    response_type: 'code',
    redirect_uri: settings.redirect,
    state: session.state,
    nonce: session.nonce,
    code_challenge: generators.codeChallenge(session.verifier),
    code_challenge_method: 'S256',
    authorization_details: JSON.stringify([details]),
  })
  const url = new URL(issuer.authorization_endpoint)
  url.searchParams.set('client_id', settings.clientId)
  url.searchParams.set('request_uri', request_uri)
  return { url: url.href }
}

async function callback({ url, verifier }) {
  const checks = { state: session.state, nonce: session.nonce, code_verifier: verifier ?? session.verifier, response_type: 'code', max_age: 300 }
  const tokens = await client.callback(settings.redirect, client.callbackParams(url), checks)
  return { claims: tokens.claims(), userinfo: await client.userinfo(tokens) }
}

await converse({ push, callback })
