// A public OpenID Connect client in the browser: authorization code flow with PKCE (RFC 7636), issuer check
// (RFC 9207), ID token verification, refresh, userinfo and RP-initiated logout. Tokens stay in memory; only
// what must survive the redirect is kept, in sessionStorage, until the answer is back.

const $ = (id) => document.getElementById(id);
const base64url = (bytes) => btoa(String.fromCharCode(...new Uint8Array(bytes))).replace(/\+/g, "-").replace(/\//g, "_").replace(/=+$/, "");
const fromBase64url = (text) => Uint8Array.from(atob(text.replace(/-/g, "+").replace(/_/g, "/")), (c) => c.charCodeAt(0));
const decodePart = (part) => JSON.parse(new TextDecoder().decode(fromBase64url(part)));
const random = () => base64url(crypto.getRandomValues(new Uint8Array(32)));
const sha256 = (text) => crypto.subtle.digest("SHA-256", new TextEncoder().encode(text));

let config, metadata, tokens;

function step(title, text, content, checks = []) {
  $("nothing").hidden = true;
  const item = document.createElement("li");
  const heading = document.createElement("h3");
  heading.textContent = title;
  const words = document.createElement("p");
  words.textContent = text;
  item.append(heading, words);
  if (checks.length > 0) {
    const list = document.createElement("ul");
    list.className = "checks";
    for (const check of checks) list.append(Object.assign(document.createElement("li"), { textContent: check }));
    item.append(list);
  }
  if (content !== undefined) {
    const pre = document.createElement("pre");
    pre.tabIndex = 0;
    pre.textContent = typeof content === "string" ? content : JSON.stringify(content, null, 2);
    item.append(pre);
  }
  $("steps").append(item);
}

function problem(text) {
  $("problem").textContent = text;
  $("problem").hidden = false;
}

async function json(url, options) {
  const response = await fetch(url, options);
  const body = await response.json().catch(() => ({}));
  if (!response.ok) throw new Error(`${new URL(url).pathname} answered ${response.status}: ${body.error ?? ""} ${body.error_description ?? ""}`);
  return body;
}

async function signIn() {
  const kept = { state: random(), nonce: random(), verifier: random(), redirect_uri: $("redirect-uri").value };
  sessionStorage.setItem("request", JSON.stringify(kept));
  const request = new URL(metadata.authorization_endpoint);
  const parameters = {
    response_type: "code", client_id: config.client_id, redirect_uri: kept.redirect_uri, scope: $("scope").value, state: kept.state,
    nonce: kept.nonce, code_challenge: base64url(await sha256(kept.verifier)), code_challenge_method: "S256",
    prompt: $("prompt").value, max_age: $("max-age").value, response_mode: $("response-mode").value,
  };
  for (const [name, value] of Object.entries(parameters)) if (value !== "") request.searchParams.set(name, value);
  location.assign(request);
}

async function receive(answer) {
  const kept = JSON.parse(sessionStorage.getItem("request") ?? "null");
  sessionStorage.removeItem("request");
  history.replaceState(null, "", location.pathname);
  if (!kept || answer.get("state") !== kept.state) throw new Error("The answer's state is not the one this tab sent: sign in again.");
  if (answer.get("iss") !== metadata.issuer) throw new Error("The answer comes from another issuer than the one asked (RFC 9207).");
  if (answer.has("error")) throw new Error(`The provider answered ${answer.get("error")}: ${answer.get("error_description") ?? "no description"}`);
  step("The browser came back with a code", "It is good for one use and for seconds, and only together with the verifier that this tab kept.",
    Object.fromEntries(answer), ["state is the one this tab sent", "iss is the provider that was asked"]);
  await takeTokens("The code became tokens", "The token endpoint compared the verifier with the challenge of the request (PKCE).",
    { grant_type: "authorization_code", code: answer.get("code"), redirect_uri: kept.redirect_uri, code_verifier: kept.verifier }, kept.nonce);
}

async function takeTokens(title, text, parameters, nonce) {
  const answer = await json(metadata.token_endpoint, { method: "POST", body: new URLSearchParams({ client_id: config.client_id, ...parameters }) });
  tokens = { ...tokens, ...answer };
  step(title, text, answer);
  if (answer.id_token) {
    const { header, claims, checks } = await verifyIdToken(answer.id_token, nonce);
    step("The ID token, verified", "It says who signed in, when and how. It is for this client alone.", { header, claims }, checks);
  }
  step("The access token, decoded", "A real client does not read it: it is for the server that it is sent to.", decodePart(answer.access_token.split(".")[1]));
  show();
}

async function verifyIdToken(token, nonce) {
  const [head, body, signature] = token.split(".");
  const header = decodePart(head), claims = decodePart(body);
  const { keys } = await json(metadata.jwks_uri);
  const jwk = keys.find((key) => key.kid === header.kid);
  if (!jwk) throw new Error("The ID token names a key that the provider does not publish.");
  const algorithm = { RS256: { name: "RSASSA-PKCS1-v1_5", hash: "SHA-256" }, ES256: { name: "ECDSA", namedCurve: "P-256", hash: "SHA-256" } }[header.alg];
  if (!algorithm) throw new Error(`This page cannot verify ${header.alg}.`);
  const key = await crypto.subtle.importKey("jwk", jwk, algorithm, false, ["verify"]);
  if (!(await crypto.subtle.verify(algorithm, key, fromBase64url(signature), new TextEncoder().encode(`${head}.${body}`))))
    throw new Error("The ID token's signature does not verify.");
  if (claims.iss !== metadata.issuer || ![claims.aud].flat().includes(config.client_id) || claims.exp * 1000 < Date.now())
    throw new Error("The ID token is for someone else or out of date.");
  const checks = [`${header.alg} signature by the published key ${header.kid}`, "iss, aud and exp are right"];
  if (nonce) {
    if (claims.nonce !== nonce) throw new Error("The ID token's nonce is not the one this tab sent.");
    checks.push("nonce is the one this tab sent");
  }
  return { header, claims, checks };
}

function show() {
  const signedIn = tokens !== undefined;
  $("sign-in").textContent = signedIn ? "Sign in again" : "Sign in";
  $("sign-in").classList.toggle("primary", !signedIn);
  $("refresh").hidden = !tokens?.refresh_token;
  $("userinfo").hidden = $("sign-out").hidden = !signedIn;
}

const refresh = () => takeTokens("Fresh tokens", "The refresh token was exchanged, and a new one came with the answer: the old one is done with.",
  { grant_type: "refresh_token", refresh_token: tokens.refresh_token });

async function userinfo() {
  const claims = await json(metadata.userinfo_endpoint, { headers: { Authorization: `Bearer ${tokens.access_token}` } });
  step("Userinfo", "The claims that the granted scopes carry, as they are now.", claims);
}

function signOut() {
  const end = new URL(metadata.end_session_endpoint);
  end.searchParams.set("id_token_hint", tokens.id_token);
  end.searchParams.set("post_logout_redirect_uri", config.redirect_uri);
  end.searchParams.set("state", "signed-out");
  location.assign(end);
}

// Every failure is shown where the person looks, never only in the console.
const guarded = (action) => async () => {
  $("problem").hidden = true;
  try {
    await action();
  } catch (error) {
    problem(error.message);
  }
};

async function start() {
  config = await json(new URL("config.json", location));
  $("issuer").textContent = config.issuer;
  $("redirect-uri").value = config.redirect_uri;
  metadata = await json(`${config.issuer}/.well-known/openid-configuration`);
  if (metadata.issuer !== config.issuer) throw new Error("The metadata names another issuer.");
  $("sign-in").disabled = false;
  const answer = new URLSearchParams(location.hash.length > 1 ? location.hash.slice(1) : location.search);
  if (answer.has("code") || answer.has("error")) await receive(answer);
  else if (answer.get("state") === "signed-out") {
    history.replaceState(null, "", location.pathname);
    step("Signed out", "The session at the provider has ended, and with it the tokens that leaned on it.");
  }
}

for (const [id, action] of [["sign-in", signIn], ["refresh", refresh], ["userinfo", userinfo], ["sign-out", signOut]])
  $(id).addEventListener("click", guarded(action));
guarded(start)();
