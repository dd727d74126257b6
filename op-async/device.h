#pragma once
/* The device authorization grant (RFC 8628), as far as op-async has a part in it: what its endpoints share. */
#include "protocol/scope.h"
#include "runtime/http.h"
#include "runtime/site.h"
#include "store/guard.h"

/* Filled from the configuration before start. */
struct device_settings {
    int64_t interval;         /* seconds between two polls of a device */
    int64_t client_requests, client_requests_window;   /* so many requests of one client in so many seconds */
    int64_t address_requests, address_requests_window; /* the same of one address */
};
extern struct device_settings device_settings;

/* What start makes, read-only afterwards. */
struct device_process {
    struct scope_catalogue catalogue;
    struct site site;
};
extern struct device_process device_process;

/* Needs async and guard open for writing, and clients. Blocks (files). On failure *ret_why is one line. */
must_check enum op_err device_start(const void *ctx, const char **ret_why);

/* GET and POST /device (§3.3): the page on which a person types the code; a good one leads on to op-auth. */
void device_handle(struct http_request *req);
/* The page for what is not there (404) or not to be called this way (405). */
void device_not_found(struct http_request *req, int status);
