#include "runtime/settings.h"

#include <string.h>

#include "data/mail_address.h"
#include "data/uri.h"
#include "runtime/http.h"

struct settings settings;

enum { MINUTE = 60, HOUR = 3600, DAY = 86400, YEAR = 365 * DAY, MIB = 1024 * 1024 };

static const char *const LOG_LEVELS[] = {"debug", "info", "warning", "error", NULL};
static const char *const SIGNING_ALGS[] = {"RS256", "PS256", "ES256", "ES384", "EdDSA", NULL};

static const char *judge_issuer(const struct uri *uri, const char *text)
{
    bool https = strcmp(uri->scheme, "https") == 0;
    if (!https && strcmp(uri->scheme, "http") != 0)
        return "an issuer is an https address";
    if (!https && !uri_host_is_loopback(uri->host))
        return "http is for loopback addresses only; an issuer is an https address";
    if (uri->has_userinfo || uri->query != NULL || uri->has_fragment)
        return "an issuer has no user, query or fragment (OpenID Connect Discovery 1.0, section 3)";
    if (text[strlen(text) - 1] == '/')
        return "write it without the slash at its end";
    return NULL;
}

static const char *check_issuer(const char *text)
{
    void *ctx = mem_root("check_issuer");
    struct uri uri;
    const char *wrong = uri_parse(ctx, text, &uri) != OP_OK ? "not an absolute URI" : judge_issuer(&uri, text);
    talloc_free(ctx);
    return wrong;
}

static const char *check_mail_server(const char *text)
{
    void *ctx;
    struct uri uri;
    const char *wrong = NULL;
    if (*text == '\0')
        return NULL;
    ctx = mem_root("check_mail_server");
    if (uri_parse(ctx, text, &uri) != OP_OK || (strcmp(uri.scheme, "smtp") != 0 && strcmp(uri.scheme, "smtps") != 0) ||
        uri.host == NULL || *uri.host == '\0')
        wrong = "a mail server is written smtp://HOST, smtp://HOST:PORT or smtps://HOST";
    else if (uri.has_userinfo)
        wrong = "the user of a mail server is the setting mail_user of op-async, its password a credential";
    else if (*uri.path != '\0' || uri.query != NULL || uri.has_fragment)
        wrong = "a mail server is written without anything behind its host and port";
    talloc_free(ctx);
    return wrong;
}

static const char *check_mail_from(const char *text)
{
    return *text == '\0' || mail_address_is_plain(text) ? NULL : "one e-mail address and nothing else, such as accounts@example.org";
}

static const char *check_word(const char *text)
{
    return text[strcspn(text, " \t\"\\")] != '\0' ? "one word without quotes" : NULL;
}

/* SCOPE:CLAIM[:CLAIM...] with the characters of a scope-token (RFC 6749 §3.3). */
static bool is_scope_line(const char *word, size_t len)
{
    bool after_colon = true, colon = false;
    for (size_t i = 0; i < len; i++) {
        if (word[i] < 0x21 || word[i] > 0x7e || word[i] == '"' || word[i] == '\\' || (word[i] == ':' && after_colon))
            return false;
        after_colon = word[i] == ':';
        colon = colon || after_colon;
    }
    return colon && !after_colon;
}

static const char *check_scopes(const char *text)
{
    for (text += strspn(text, ", \t"); *text != '\0'; text += strspn(text, ", \t")) {
        size_t len = strcspn(text, ", \t");
        if (!is_scope_line(text, len))
            return "a scope is written SCOPE:CLAIM or SCOPE:CLAIM:CLAIM";
        text += len;
    }
    return NULL;
}

static const struct conf_item ITEMS[] = {
    {"issuer", CONF_STRING, NULL, 1, 512, NULL, &settings.issuer,
     "The address users and clients know, which is the iss of every token; it can never change.", NULL, check_issuer},
    {"state_dir", CONF_PATH, "/var/lib/partita", 1, 512, NULL, &settings.state_dir,
     "Where the durable environments lie."},
    {"runtime_dir", CONF_PATH, "/run/partita", 1, 512, NULL, &settings.runtime_dir,
     "Where the volatile environments lie."},
    {"share_dir", CONF_PATH, "", 0, 512, NULL, &settings.share_dir,
     "Where page templates, message catalogues and assets lie; empty: in the directory share beside the program, so "
     "that each installed version has its own."},
    {"trusted_proxies", CONF_LIST, "unix", 0, 100, NULL, &settings.trusted_proxies,
     "Whose X-Forwarded-For, X-Request-Id and traceparent are believed: addresses, networks such as 10.0.0.0/8, or unix for every "
     "peer on a Unix socket.", NULL, http_trusted_check},
    {"code_lifetime", CONF_DURATION, "60s", 1, 10 * MINUTE, "s", &settings.code_lifetime,
     "How long an authorization code can be redeemed."},
    {"access_token_lifetime", CONF_DURATION, "10min", 1, DAY, "s", &settings.access_token_lifetime,
     "Life of an access token."},
    {"id_token_lifetime", CONF_DURATION, "1h", 1, DAY, "s", &settings.id_token_lifetime, "Life of an ID token."},
    {"refresh_token_idle_lifetime", CONF_DURATION, "30d", 1, 10LL * YEAR, "s", &settings.refresh_token_idle_lifetime,
     "How long a family of refresh tokens lives unused."},
    {"refresh_token_lifetime", CONF_DURATION, "1y", 1, 10LL * YEAR, "s", &settings.refresh_token_lifetime,
     "How long a family of refresh tokens lives at most."},
    {"lost_answer_window", CONF_DURATION, "10min", 1, DAY, "s", &settings.lost_answer_window,
     "A refresh token is answered again with its successor until this long after its rotation (a lost answer); "
     "later is theft."},
    {"race_window", CONF_DURATION, "60s", 1, DAY, "s", &settings.race_window,
     "But no longer than this after its successor was first used (clients that race)."},
    {"session_idle_lifetime", CONF_DURATION, "12h", 1, YEAR, "s", &settings.session_idle_lifetime,
     "How long a sign-on session lives unused."},
    {"session_lifetime", CONF_DURATION, "14d", 1, YEAR, "s", &settings.session_lifetime,
     "How long a sign-on session lives at most."},
    {"device_code_lifetime", CONF_DURATION, "10min", 1, HOUR, "s", &settings.device_code_lifetime,
     "How long a device waits for a person to type its code and decide."},
    {"user_code_guesses", CONF_NUMBER, "20", 1, 10000, "guesses", &settings.user_code_guesses,
     "Wrong codes of devices typed at one address (of IPv6: one /64) before it has to wait."},
    {"user_code_guess_window", CONF_DURATION, "15min", 1, DAY, "s", &settings.user_code_guess_window,
     "The time in which that many are forgotten."},
    {"clock_skew", CONF_DURATION, "60s", 0, 5 * MINUTE, "s", &settings.clock_skew,
     "How far the clocks of others may be off when their tokens are judged."},
    {"access_token_alg", CONF_WORD, "ES256", 0, 0, NULL, &settings.access_token_alg,
     "The algorithm that signs access tokens; op-discovery must keep keys of it.", SIGNING_ALGS},
    {"password_acr", CONF_STRING, "urn:partita:acr:password", 1, 200, NULL, &settings.password_acr,
     "The authentication context class (acr) of a sign-in with a password.", NULL, check_word},
    {"password_memory", CONF_SIZE, "19MiB", 8 * MIB, 1024 * MIB, "bytes", &settings.password_memory,
     "Memory of one argon2id hash. A password hashed at another cost is hashed anew at its next sign-in."},
    {"password_iterations", CONF_NUMBER, "2", 1, 64, "passes", &settings.password_iterations,
     "Passes of argon2id over that memory."},
    {"imported_password_memory", CONF_SIZE, "64MiB", MIB, 1024 * MIB, "bytes", &settings.imported_password_memory,
     "The most memory that an imported password hash (argon2) may ask for; op-auth needs as much for each of its "
     "password_threads."},
    {"custom_scopes", CONF_LIST, "", 0, 100, NULL, &settings.custom_scopes,
     "The operator's own scopes and the claims they release, each written SCOPE:CLAIM[:CLAIM...].", NULL, check_scopes},
    {"locales", CONF_LIST, "en de", 1, 50, NULL, &settings.locales,
     "The languages of the pages; the first is the default."},
    {"allow_plain_pkce", CONF_BOOL, "no", 0, 0, NULL, &settings.allow_plain_pkce,
     "Whether the code challenge method plain is accepted beside S256."},
    {"require_pushed_authorization_requests", CONF_BOOL, "no", 0, 0, NULL,
     &settings.require_pushed_authorization_requests,
     "Whether every client has to push its authorization requests to /as/par first; else only those registered so."},
    {"name", CONF_STRING, "Partita", 1, 100, NULL, &settings.name, "The operator's name, on every page."},
    {"logo", CONF_PATH, "", 0, 512, NULL, &settings.logo, "An image file shown on every page."},
    {"contact", CONF_STRING, "", 0, 256, NULL, &settings.contact, "A mail address or URL for people in trouble."},
    {"mail_server", CONF_STRING, "", 0, 300, NULL, &settings.mail_server,
     "The server that mail to people leaves by: smtp://HOST[:PORT] (25; it must offer STARTTLS, see mail_starttls of "
     "op-async) or smtps://HOST[:PORT] (465). Empty: no mail is sent, and none is written into the outbox.", NULL,
     check_mail_server},
    {"mail_from", CONF_STRING, "", 0, 254, NULL, &settings.mail_from,
     "The address that mail comes from; with mail_server it must be set.", NULL, check_mail_from},
    {"balancer_keepalive", CONF_DURATION, "5s", 0, 10 * MINUTE, "s", &settings.balancer_keepalive,
     "How long the load balancer keeps an idle connection open; a draining server waits 2 s longer."},
    {"connections_max", CONF_NUMBER, "1024", 1, 100000, "connections", &settings.connections_max,
     "Connections that one server process accepts at a time."},
    {"audit_dir", CONF_PATH, "/var/log/partita/audit", 0, 512, NULL, &settings.audit_dir,
     "Where each server, and opctl, keeps its audit trail: NAME.jsonl. Empty: none is kept."},
    {"audit_failures", CONF_NUMBER, "1000", 1, 1000000, "lines", &settings.audit_failures,
     "Lines a minute that each event which strangers can cause (a failed sign-in) may write into the audit trail of one "
     "process; the rest is counted."},
    {"log_level", CONF_ENUM, "info", 0, 0, NULL, &settings.log_level, "The lowest level that is logged.", LOG_LEVELS},
};

struct password_cost settings_password_cost(void)
{
    return (struct password_cost){
        .memory_kib = (uint32_t)(settings.password_memory / 1024),
        .iterations = (uint32_t)settings.password_iterations,
        .lanes = 1,
    };
}

const char *const SETTINGS_PROGRAMS[] = {"op-discovery", "op-auth", "op-token", "op-userinfo", "op-management",
                                         "op-async", NULL};

const struct conf_section SETTINGS_SECTION = {"all", ITEMS, sizeof ITEMS / sizeof *ITEMS, false};
