#pragma once
/* The site that people see: pages, and on each of them the operator's name, logo and contact. What every server with
 * pages shares. */
#include "runtime/page.h"

struct site {
    struct page_set *pages;
    json_t *facts;    /* for pages, under "site": name, base, logo, contact, contact_href */
    const char *base; /* the issuer's path, "" for none: in front of every path of ours */
};

/* Of the settings. Owned by ctx. OP_ABSENT, OP_INVALID with *ret_why. Blocks (files): only at start. */
must_check enum op_err site_load(const void *ctx, struct site *ret, const char **ret_why);

/* A new object with what every page shows: site, request_id. Owned by req. */
json_t *site_values(struct http_request *req, const struct site *site);
/* Answers with a page in the person's language, and frees req. ui_locales may be NULL. */
void site_page(struct http_request *req, const struct site *site, int status, const char *template,
               const char *ui_locales, const json_t *values);
/* 303, not stored, no referrer; frees req. A url that starts with '/' is a path of ours, below the issuer. */
void site_redirect(struct http_request *req, const struct site *site, const char *url);
/* One message in the person's language, owned by req; "" when there is none. */
char *site_message(struct http_request *req, const struct site *site, const char *ui_locales, const char *key,
                   const json_t *values);
