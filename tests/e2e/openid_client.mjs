// Drives openid-client, unchanged, through everything a relying party does. Reads JSON lines on standard
// input and answers with JSON lines: first the configuration, then the URL that the browser came back to.
import { createInterface } from "node:readline";
import * as client from "openid-client";

const lines = createInterface({ input: process.stdin })[Symbol.asyncIterator]();
const read = async () => JSON.parse((await lines.next()).value);
const write = (value) => process.stdout.write(JSON.stringify(value) + "\n");

const setup = await read();
const authentication = {
  client_secret_basic: () => client.ClientSecretBasic(setup.client_secret),
  client_secret_post: () => client.ClientSecretPost(setup.client_secret),
  none: () => client.None(),
}[setup.method]();
const options = setup.issuer.startsWith("http:") ? { execute: [client.allowInsecureRequests] } : {};
const config = await client.discovery(new URL(setup.issuer), setup.client_id, undefined, authentication, options);

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
