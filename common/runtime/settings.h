#pragma once
/* The [all] section: what every server must agree on. Filled once at start by server_run (or by
 * opctl), read-only afterwards. */
#include "data/password.h"
#include "runtime/conf.h"

struct settings {
    const char *issuer;        /* no trailing slash */
    const char *state_dir;     /* durable environments */
    const char *runtime_dir;   /* volatile ones */
    const char *share_dir;     /* pages, locales, assets; "": share beside the program */
    struct conf_list trusted_proxies; /* addresses, networks in CIDR form, or "unix" for peers on a Unix socket */
    int64_t code_lifetime;                /* seconds, as all lifetimes */
    int64_t access_token_lifetime;
    int64_t id_token_lifetime;
    int64_t refresh_token_idle_lifetime;
    int64_t refresh_token_lifetime;
    int64_t lost_answer_window;           /* struct refresh_windows: who answers a refresh token and who tells */
    int64_t race_window;                  /* whether it is alive must agree */
    int64_t session_idle_lifetime;
    int64_t session_lifetime;
    int64_t device_code_lifetime;
    int64_t clock_skew;        /* accepted on times in tokens that others made */
    int64_t user_code_guesses;            /* wrong user codes of devices from one address, before it has to wait; ... */
    int64_t user_code_guess_window;       /* ... op-async and op-auth share the count */
    const char *access_token_alg;         /* ES256 ... */
    const char *password_acr;             /* acr of a session that a password began */
    int64_t password_memory;              /* bytes of one argon2id hash */
    int64_t password_iterations;
    int64_t imported_password_memory;     /* bytes that a hash of another provider may ask for */
    struct conf_list custom_scopes;       /* SCOPE:CLAIM[:CLAIM...] beside the standard ones, e.g. groups:groups */
    struct conf_list locales;             /* languages offered, the first is the default */
    bool allow_plain_pkce;
    bool require_pushed_authorization_requests; /* of every client (RFC 9126 §5) */
    const char *name;          /* the operator's, on every page */
    const char *logo;          /* path of an image file, or "" */
    const char *contact;       /* mail address or URL for people in trouble, or "" */
    const char *mail_server;   /* smtp://HOST[:PORT] or smtps://HOST[:PORT], or "": no mail leaves the house */
    const char *mail_from;     /* the address that mail comes from, or "" */
    int64_t balancer_keepalive; /* how long the balancer keeps idle connections to us; drain waits 2 s longer */
    int64_t connections_max;    /* of one server process; lowered to what the descriptor limit allows */
    const char *audit_dir;      /* where each server's audit trail lies, or "" */
    int64_t audit_failures;     /* lines a minute and event that strangers can cause */
    int log_level;             /* enum log_level */
};
extern struct settings settings;

/* What a new password hash is to cost: op-auth and opctl must agree. */
struct password_cost settings_password_cost(void);

/* Whose sections the file may have beside [all]; NULL-terminated. */
extern const char *const SETTINGS_PROGRAMS[];

/* The section for conf_read. */
extern const struct conf_section SETTINGS_SECTION;
