// Drives openid-client, unchanged, through everything that it can do with the provider, from its own registration on.
// Reads JSON lines on standard input and answers with JSON lines: first the configuration, then what the browser came
// back with. The last line says what was done and what came of it; an error of the provider is told by its name.
import { createInterface } from "node:readline";
import * as client from "openid-client";

const lines = createInterface({ input: process.stdin })[Symbol.asyncIterator]();
const read = async () => JSON.parse((await lines.next()).value);
const write = (value) => process.stdout.write(JSON.stringify(value) + "\n");

const setup = await read();
const { method, metadata, redirect_uri, scope } = setup;
const issuer = new URL(setup.issuer);
const privateKey = method === "private_key_jwt" ? await makeKey() : undefined;
const authentication = (secret) => ({
  client_secret_basic: () => client.ClientSecretBasic(secret),
  client_secret_post: () => client.ClientSecretPost(secret),
  private_key_jwt: () => client.PrivateKeyJwt(privateKey),
  none: () => client.None(),
}[method]());

async function makeKey() {
  const pair = await crypto.subtle.generateKey({ name: "ECDSA", namedCurve: "P-256" }, true, ["sign", "verify"]);
  metadata.jwks = { keys: [{ ...await crypto.subtle.exportKey("jwk", pair.publicKey), kid: "one", key_ops: undefined, ext: undefined }] };
  return { key: pair.privateKey, kid: "one" };
}

// Registers itself.
const registration = await client.dynamicClientRegistration(issuer, metadata, undefined, { initialAccessToken: setup.initial_access_token });
const registered = registration.clientMetadata();
const config = await client.discovery(issuer, registered.client_id, registered, authentication(registered.client_secret));

// A device asks for its codes; it polls while all the rest is done.
const codes = await client.initiateDeviceAuthorization(config, { scope });
write({ user_code: codes.user_code });
await read();
const device = client.pollDeviceAuthorizationGrant(config, codes);

// Signs in by an authorization request in the URL, then by one that was pushed.
async function signIn(build) {
  const verifier = client.randomPKCECodeVerifier(), state = client.randomState(), nonce = client.randomNonce();
  write({ url: (await build(config, {
    redirect_uri, scope, state, nonce, code_challenge: await client.calculatePKCECodeChallenge(verifier), code_challenge_method: "S256",
  })).href });
  return client.authorizationCodeGrant(config, new URL((await read()).back), {
    pkceCodeVerifier: verifier, expectedState: state, expectedNonce: nonce, idTokenExpected: true,
  });
}
const plain = await signIn(client.buildAuthorizationUrl);
const tokens = await signIn(client.buildAuthorizationUrlWithPAR);

const errorOf = async (error) => (await error.response?.json())?.error ?? String(error);
const isActive = (token) => client.tokenIntrospection(config, token).then((answer) => answer.active, errorOf);
const sub = tokens.claims().sub;
const userinfo = await client.fetchUserInfo(config, tokens.access_token, sub);
const refreshed = await client.refreshTokenGrant(config, tokens.refresh_token);
const before = [await isActive(refreshed.access_token), await isActive(tokens.refresh_token)];
await client.tokenRevocation(config, tokens.refresh_token);
const after = [await isActive(refreshed.access_token), await isActive(tokens.refresh_token)];
const afterRevocation = await client.fetchUserInfo(config, refreshed.access_token, sub).then(() => "served", errorOf);
const polled = await device;

write({
  client_id: registered.client_id, subs: [plain.claims().sub, sub, polled.claims().sub, userinfo.sub], email: userinfo.email,
  refreshed: refreshed.access_token !== tokens.access_token, before, after, afterRevocation,
  device: (await client.refreshTokenGrant(config, polled.refresh_token)).access_token !== polled.access_token,
  logout: client.buildEndSessionUrl(config, { id_token_hint: tokens.id_token, post_logout_redirect_uri: metadata.post_logout_redirect_uris[0], state: "bye" }).href,
});
process.exit(0);
