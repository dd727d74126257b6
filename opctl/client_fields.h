#pragma once
/* A client's registration as an operator writes it: options into the record, the rules it must keep. Pure. */
#include "cli.h"
#include "data/json.h"
#include "data/records.h"

/* Rows for command tables: those that add and change share. A list that is given replaces the one there was. */
#define CLIENT_FIELD_OPTIONS                                                                                           \
    {"name", "TEXT", false, "what people see on the consent page", NULL},                                             \
    {"redirect-uri", "URI", true, "where codes may be sent; compared character by character", NULL},                  \
    {"post-logout-redirect-uri", "URI", true, "where a browser may be sent after signing out", NULL},                 \
    {"grant", "GRANT", true, "what it may use at the token endpoint", CLIENT_GRANTS},                                 \
    {"scope", "SCOPES", true, "what it may ask for, several separated by spaces", NULL},                              \
    {"audience", "AUDIENCE", true, "aud of its access tokens when it names no resource", NULL},                       \
    {"resource", "URI", true, "what it may name as resource, to be the aud of its access tokens", NULL},              \
    {"auth-method", "METHOD", false, "how it authenticates", CLIENT_AUTH_METHODS},                                    \
    {"auth-alg", "ALG", false, "what its assertions (private_key_jwt) must be signed with", CLIENT_AUTH_ALGS},        \
    {"jwks", "FILE", false, "its public keys, a JWK Set", NULL},                                                      \
    {"jwks-uri", "URL", false, "where it publishes them", NULL},                                                      \
    {"rotate", "YES-NO", false, "refresh tokens change at each use (default: those of public clients)", CLI_YES_NO},  \
    {"id-token-alg", "ALG", false, "what its ID tokens are signed with", CLIENT_ID_TOKEN_ALGS},                       \
    {"default-max-age", "SECONDS", false, "ask for the password again when the sign-in is older", NULL},              \
    {"require-auth-time", "YES-NO", false, "auth_time in each ID token", CLI_YES_NO},                                 \
    {"require-par", "YES-NO", false, "has to push its authorization requests to /as/par first", CLI_YES_NO},          \
    {"introspection", "YES-NO", false, "a resource server: may introspect tokens meant for it or its audiences",      \
     CLI_YES_NO},                                                                                                     \
    {"client-uri", "URL", false, "its home page", NULL},                                                              \
    {"logo-uri", "URL", false, "its logo", NULL},                                                                     \
    {"policy-uri", "URL", false, "its privacy policy", NULL},                                                         \
    {"tos-uri", "URL", false, "its terms of service", NULL},                                                          \
    {"contact", "TEXT", true, "whom to ask about it", NULL},                                                          \
    {"admin", "NOUNS", true, "what it may change at the administration API, or only see: users, clients:read", NULL}

extern const char *const CLIENT_GRANTS[], *const CLIENT_AUTH_METHODS[], *const CLIENT_AUTH_ALGS[],
    *const CLIENT_ID_TOKEN_ALGS[];
extern const char *const CLIENT_CLEARABLE[]; /* options that `change --clear` takes back */

/* Sets what the line's field options say, and takes back what --clear names. jwks is the text of the file that --jwks
 * names, NULL without. NULL, or what is wrong with an option's value (owned by ctx). */
const char *client_fields_apply(const void *ctx, const struct cli_line *line, const char *jwks, Rec__Client *client);

/* True when people sign in to it, by codes or by devices. */
bool client_fields_for_people(const Rec__Client *client);
/* Grants authorization_code and refresh_token, every scope given, client_secret_basic, application type web: for
 * what a new client's line left open. response_types follow the grants. */
void client_fields_defaults(const void *ctx, Rec__Client *client, char *const *scopes, size_t scope_count);

/* NULL when the whole record may be registered, else what is wrong (owned by ctx): no name; a redirect URI that
 * redirect_uri_problem refuses or that is there twice; a resource that is no absolute URI without a fragment, or is
 * there twice; a grant without what it needs; a public client with client_credentials; private_key_jwt without keys, or
 * keys that client_keys_problem refuses. */
const char *client_fields_problem(const void *ctx, const Rec__Client *client);

/* The registration as JSON, in RFC 7591's names; without the secret. Owned by ctx. */
json_t *client_fields_json(const void *ctx, const Rec__Client *client);
