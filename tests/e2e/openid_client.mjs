// Drives openid-client, unchanged, through everything a relying party does. Reads JSON lines on standard
// input and answers with JSON lines: first the configuration, then the URL that the browser came back to.
import { createInterface } from "node:readline";
import * as client from "openid-client";

const lines = createInterface({ input: process.stdin })[Symbol.asyncIterator]();
const read = async () => JSON.parse((await lines.next()).value);
const write = (value) => process.stdout.write(JSON.stringify(value) + "\n");

const setup = await read();
const options = setup.issuer.startsWith("http:") ? { execute: [client.allowInsecureRequests] } : {};
const privateKey = setup.method === "private_key_jwt" ? await makeKey() : undefined;
const authentication = (secret) => ({
  client_secret_basic: () => client.ClientSecretBasic(secret),
  client_secret_post: () => client.ClientSecretPost(secret),
  private_key_jwt: () => client.PrivateKeyJwt(privateKey),
  none: () => client.None(),
}[setup.method]());

// With metadata in the configuration, the client registers itself; else client_id names one that is registered.
async function configure() {
  const issuer = new URL(setup.issuer);
  if (!setup.metadata)
    return client.discovery(issuer, setup.client_id, undefined, authentication(setup.client_secret), options);
  const registered = await client.dynamicClientRegistration(issuer, setup.metadata, undefined,
    { ...options, initialAccessToken: setup.initial_access_token });
  const metadata = registered.clientMetadata();
  return client.discovery(issuer, metadata.client_id, metadata, authentication(metadata.client_secret), options);
}

async function makeKey() {
  const pair = await crypto.subtle.generateKey({ name: "ECDSA", namedCurve: "P-256" }, true, ["sign", "verify"]);
  setup.metadata.jwks = { keys: [{ ...await crypto.subtle.exportKey("jwk", pair.publicKey), kid: "one", key_ops: undefined, ext: undefined }] };
  return { key: pair.privateKey, kid: "one" };
}

const config = await configure();

const verifier = client.randomPKCECodeVerifier(), state = client.randomState(), nonce = client.randomNonce();
write({
  url: client.buildAuthorizationUrl(config, {
    redirect_uri: setup.redirect_uri, scope: setup.scope, state, nonce,
    code_challenge: await client.calculatePKCECodeChallenge(verifier), code_challenge_method: "S256",
  }).href,
});

const { back } = await read();
const tokens = await client.authorizationCodeGrant(config, new URL(back), {
  pkceCodeVerifier: verifier, expectedState: state, expectedNonce: nonce, idTokenExpected: true,
});
const userinfo = await client.fetchUserInfo(config, tokens.access_token, tokens.claims().sub);
const refreshed = await client.refreshTokenGrant(config, tokens.refresh_token);
write({
  claims: tokens.claims(), userinfo, refreshed: { access_token: refreshed.access_token, has_id_token: Boolean(refreshed.id_token) },
  first_access_token: tokens.access_token,
  logout: client.buildEndSessionUrl(config, { id_token_hint: tokens.id_token, post_logout_redirect_uri: setup.post_logout_redirect_uri, state: "bye" }).href,
});
process.exit(0);
