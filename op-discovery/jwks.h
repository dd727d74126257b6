#pragma once
/* /.well-known/jwks.json: the published keys, current ones first, read anew when jwks changed. */
#include "document.h"
#include "rotation.h"
#include "runtime/http.h"
#include "store/kv.h"

/* Called once at start; rules stay valid. */
void jwks_setup(const void *ctx, struct kv *kv, const struct rotation_rules *rules, struct document_life life);

/* 503 with Retry-After while a kept algorithm has no current key. Frees req. */
void jwks_handle(struct http_request *req);

/* NULL when every kept algorithm has a current key, else what is missing (static text). */
const char *jwks_not_ready(void);
