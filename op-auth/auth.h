#pragma once
/* What every part of op-auth works with: its settings and what start made. Written by main.c at
 * start, read-only afterwards; everything runs on the event loop. */
#include "data/digest.h"
#include "data/json.h"
#include "protocol/scope.h"
#include "runtime/site.h"
#include "store/guard.h"
#include "store/keyring.h"

struct auth_settings {
    int64_t form_lifetime;          /* seconds from showing a form to its return */
    int64_t password_threads;
    int64_t password_queue;         /* passwords that may wait for a thread */
    int64_t account_guesses;        /* at one account, before it has to wait */
    int64_t account_guess_window;   /* seconds in which that many are forgotten */
    int64_t address_guesses;        /* the same for one address */
    int64_t address_guess_window;
    int64_t pushed_request_lifetime; /* seconds from /as/par to /authorize */
    int64_t pushed_requests;         /* of one client, before it has to wait */
    int64_t address_pushed_requests; /* from one address, of clients that prove themselves */
    int64_t public_pushed_requests;  /* from one address, of those that cannot */
    int64_t pushed_requests_window;  /* seconds in which that many are forgotten */
};

struct auth {
    struct auth_settings settings;
    struct site site;
    struct keyring *keyring;        /* verifies id_token_hint; never signs */
    struct password_pool *passwords;
    struct scope_catalogue catalogue;
    struct guard_limit account_limit, address_limit, push_client_limit, push_address_limit, push_public_limit;
    const uint8_t *form_key;        /* DIGEST_KEY_LEN bytes */
};
extern struct auth auth;
