#pragma once
/* Provider metadata (OpenID Connect Discovery 1.0 §3) and authorization server metadata (RFC 8414 §2):
 * one document that lists what works and nothing else. */
#include "data/jose.h"
#include "document.h"
#include "protocol/scope.h"
#include "runtime/conf.h"
#include "runtime/http.h"

struct metadata {
    const char *issuer;
    const struct scope_catalogue *catalogue;
    const enum jose_alg *algs; /* of ID tokens */
    size_t alg_count;
    const struct conf_list *locales;
    const char *acr;           /* NULL: none */
    bool plain_pkce;
    bool registration;         /* clients can register themselves */
    bool must_push;            /* every client (RFC 9126 §5) */
};

/* The document's text, owned by ctx. Pure. */
char *metadata_text(const void *ctx, const struct metadata *metadata);

/* Makes the document that the handlers serve. Owned by ctx. */
void metadata_setup(const void *ctx, const struct metadata *metadata, struct document_life life);

/* ISSUER/.well-known/openid-configuration and ISSUER/.well-known/oauth-authorization-server. Frees req. */
void metadata_handle(struct http_request *req);
/* With the issuer's path inserted behind the well-known name (RFC 8414 §3.1, §5); 404 for other paths. Frees req. */
void metadata_handle_inserted(struct http_request *req);

/* True when path is PREFIX (with its "/") followed by the path of the issuer. Pure. */
bool metadata_path_is_ours(const char *path, const char *prefix, const char *issuer);
