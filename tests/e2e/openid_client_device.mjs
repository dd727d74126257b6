// Drives openid-client, unchanged, as a device: registers itself, asks for codes, polls. Reads the configuration as a
// JSON line on standard input, answers with the codes, then with what it got.
import { createInterface } from "node:readline";
import * as client from "openid-client";

const setup = JSON.parse((await createInterface({ input: process.stdin })[Symbol.asyncIterator]().next()).value);
const write = (value) => process.stdout.write(JSON.stringify(value) + "\n");
const issuer = new URL(setup.issuer), metadata = setup.metadata;

let authentication = client.None();
if (metadata.token_endpoint_auth_method === "private_key_jwt") {
  const pair = await crypto.subtle.generateKey({ name: "ECDSA", namedCurve: "P-256" }, true, ["sign", "verify"]);
  metadata.jwks = { keys: [{ ...await crypto.subtle.exportKey("jwk", pair.publicKey), kid: "one", key_ops: undefined, ext: undefined }] };
  authentication = client.PrivateKeyJwt({ key: pair.privateKey, kid: "one" });
}
const registered = await client.dynamicClientRegistration(issuer, metadata, undefined, { initialAccessToken: setup.initial_access_token });
const config = await client.discovery(issuer, registered.clientMetadata().client_id, registered.clientMetadata(), authentication);

const codes = await client.initiateDeviceAuthorization(config, { scope: setup.scope });
write(codes);
const tokens = await client.pollDeviceAuthorizationGrant(config, codes);
const userinfo = await client.fetchUserInfo(config, tokens.access_token, tokens.claims().sub);
const refreshed = await client.refreshTokenGrant(config, tokens.refresh_token);
write({ claims: tokens.claims(), userinfo, refreshed: refreshed.access_token !== tokens.access_token });
process.exit(0);
