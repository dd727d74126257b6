/* URIs: the parts are within their grammar, an origin is its own origin, appended parameters leave a URI. */
#include <stdlib.h>
#include <string.h>

#include "data/uri.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool ok)
{
    if (!ok)
        abort();
}

static void check_origin(void *ctx, const char *text)
{
    char *origin, *again;
    struct uri uri;
    if (uri_origin(ctx, text, &origin) != OP_OK)
        return;
    require(uri_origin(ctx, origin, &again) == OP_OK && strcmp(origin, again) == 0);
    require(uri_parse(ctx, origin, &uri) == OP_OK);
    require(!uri.has_userinfo && !uri.has_fragment && uri.query == NULL && *uri.path == '\0');
}

static void check_parts(void *ctx, const char *text, const struct uri *uri)
{
    struct uri longer;
    require(*uri->scheme != '\0' && uri->port >= -1 && uri->port <= 65535 && uri->path != NULL);
    require(strpbrk(text, " \t\r\n\"<>\\^`{|}") == NULL);
    require(uri->host == NULL || strpbrk(uri->host, "/?#@") == NULL);
    uri_host_is_loopback(uri->host);
    if (strlen(text) + 4 > 2048)
        return;
    require(uri_parse(ctx, uri_with_query(ctx, text, "a=b"), &longer) == OP_OK && longer.query != NULL);
    require(strcmp(longer.scheme, uri->scheme) == 0 && strcmp(longer.path, uri->path) == 0 && longer.port == uri->port);
    require((uri->host == NULL) == (longer.host == NULL) && (uri->host == NULL || strcmp(uri->host, longer.host) == 0));
    if (uri->has_fragment)
        return;
    require(uri_parse(ctx, uri_with_fragment(ctx, text, "a=b"), &longer) == OP_OK && longer.has_fragment);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    void *ctx = mem_root("fuzz");
    char *text = mem_strndup(ctx, (const char *)data, size);
    struct uri uri;
    if (uri_parse(ctx, text, &uri) == OP_OK)
        check_parts(ctx, text, &uri);
    check_origin(ctx, text);
    talloc_free(ctx);
    return 0;
}
