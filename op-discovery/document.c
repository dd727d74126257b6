#include "document.h"

#include <string.h>

#include "base/codec.h"
#include "data/digest.h"

struct document document_make(const void *ctx, const char *body)
{
    uint8_t hash[DIGEST_SHA256_LEN];
    digest_sha256(bytes_of(body), hash);
    char *text = codec_base64url(ctx, bytes_from(hash, 16));
    return (struct document){.body = body, .etag = mem_printf(ctx, "\"%s\"", text)};
}

bool document_is_known(const char *if_none_match, const char *etag)
{
    if (if_none_match == NULL)
        return false;
    const char *p = if_none_match;
    if (strcmp(p, "*") == 0)
        return true;
    size_t len = strlen(etag);
    for (;;) {
        p += strspn(p, " \t,");
        if (strncmp(p, "W/", 2) == 0)
            p += 2;
        if (strncmp(p, etag, len) == 0 && (p[len] == '\0' || strchr(" \t,", p[len]) != NULL))
            return true;
        const char *end = *p == '"' ? strchr(p + 1, '"') : NULL;
        if (end == NULL)
            return false;
        p = end + 1;
    }
}

const char *document_cache_control(const void *ctx, struct document_life life)
{
    int64_t shared = life.shared_max_age < life.max_age ? life.shared_max_age : life.max_age;
    return mem_printf(ctx, "public, max-age=%lld, s-maxage=%lld", (long long)life.max_age, (long long)shared);
}

void document_reply(struct http_request *req, const struct document *document, struct document_life life)
{
    http_set_field(req, "ETag", document->etag);
    http_set_field(req, "Cache-Control", document_cache_control(req, life));
    http_set_field(req, "X-Content-Type-Options", "nosniff");
    if (document_is_known(http_field(req, "if-none-match"), document->etag))
        http_reply(req, 304, NULL, bytes_of(NULL));
    else
        http_reply(req, 200, "application/json", bytes_of(document->body));
}
