#pragma once
/* Dynamic client registration (RFC 7591, OpenID Connect Dynamic Client Registration 1.0): POST /register. Who may is
 * op-management.registration. What it shares with the management of a registration is in registration.h. */
#include "runtime/conf.h"
#include "runtime/http.h"

struct register_settings {
    struct conf_list scopes; /* what a client may register for itself */
    int64_t limit;           /* registrations without an initial access token per address ... */
    int64_t limit_window;    /* ... in so many seconds */
    int64_t client_updates, address_updates; /* of registrations: of one client, from one address ... */
    int64_t updates_window;                  /* ... in so many seconds */
};
extern struct register_settings register_settings;

void register_handle(struct http_request *req);
