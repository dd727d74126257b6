#pragma once
/* A client's registration as options of a line: into the members that common/operator/operate_clients.h reads. Pure. */
#include "cli.h"
#include "data/json.h"
#include "operator/refusal.h"

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
    {"refresh-token-idle-lifetime", "DURATION", false,                                                                \
     "how long its refresh tokens live unused: 1h; 0: as the setting says, which is the most", NULL},                 \
    {"refresh-token-lifetime", "DURATION", false,                                                                     \
     "how long its refresh tokens live at most, counted from the sign-in: 30d; 0: as the setting says", NULL},        \
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
    {"admin", "NOUNS", true, "what it may change at the administration API, or only see: users,clients:read", NULL}

extern const char *const CLIENT_GRANTS[], *const CLIENT_AUTH_METHODS[], *const CLIENT_AUTH_ALGS[],
    *const CLIENT_ID_TOKEN_ALGS[];
extern const char *const CLIENT_CLEARABLE[]; /* options that `change --clear` takes back */

/* What the line's options say, as a merge patch of the registration (RFC 7396): --clear is null. jwks is the text of the
 * file that --jwks names, NULL without. NULL, or what is wrong with an option's value; both are owned by ctx. */
const char *client_fields_read(const void *ctx, const struct cli_line *line, const char *jwks, json_t **ret);

/* A refusal as a sentence about the option that wrote the member; owned by ctx. */
char *client_fields_refusal(const void *ctx, const struct refusal *refusal);
