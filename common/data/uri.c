#include "data/uri.h"

#include <arpa/inet.h>
#include <string.h>

#include "base/num.h"

enum { LENGTH_MAX = 2048 };

static bool is_alpha(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool is_hex(char c)
{
    return is_digit(c) || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
}

/* RFC 3986 §2: unreserved, sub-delims, percent escapes, and what more the component allows. */
static bool is_component(const char *text, size_t len, const char *more)
{
    for (size_t i = 0; i < len; i++) {
        char c = text[i];
        if (c == '%') {
            if (i + 2 >= len || !is_hex(text[i + 1]) || !is_hex(text[i + 2]))
                return false;
            i += 2;
        } else if (!is_alpha(c) && !is_digit(c) && strchr("-._~!$&'()*+,;=", c) == NULL && strchr(more, c) == NULL) {
            return false;
        }
    }
    return true;
}

static char *lower(const void *ctx, const char *text, size_t len)
{
    char *out = mem_strndup(ctx, text, len);
    for (char *p = out; *p != '\0'; p++)
        if (*p >= 'A' && *p <= 'Z')
            *p = (char)(*p - 'A' + 'a');
    return out;
}

static bool is_web(const char *scheme)
{
    return strcmp(scheme, "http") == 0 || strcmp(scheme, "https") == 0;
}

static enum op_err parse_port(const char *text, size_t len, struct uri *uri)
{
    uint64_t port;
    if (len == 0)
        return OP_OK;
    if (num_parse_u64(bytes_from(text, len), 65535, &port) != OP_OK)
        return OP_INVALID;
    uri->port = (int)port;
    return OP_OK;
}

/* [address] and what is left behind the bracket. */
static enum op_err parse_ipv6(const void *ctx, const char *text, size_t len, struct uri *uri, size_t *ret_len)
{
    const char *end = memchr(text, ']', len);
    struct in6_addr address;
    if (end == NULL)
        return OP_INVALID;
    char *host = lower(ctx, text + 1, (size_t)(end - text) - 1);
    if (inet_pton(AF_INET6, host, &address) != 1)
        return OP_INVALID;
    uri->host = host;
    uri->host_is_ipv6 = true;
    *ret_len = (size_t)(end - text) + 1;
    return OP_OK;
}

static enum op_err parse_host(const void *ctx, const char *text, size_t len, struct uri *uri, size_t *ret_len)
{
    if (len > 0 && *text == '[')
        return parse_ipv6(ctx, text, len, uri, ret_len);
    const char *colon = memchr(text, ':', len);
    size_t host_len = colon == NULL ? len : (size_t)(colon - text);
    if (!is_component(text, host_len, ""))
        return OP_INVALID;
    if (is_web(uri->scheme) && (host_len == 0 || memchr(text, '%', host_len) != NULL))
        return OP_INVALID;
    uri->host = lower(ctx, text, host_len);
    *ret_len = host_len;
    return OP_OK;
}

static enum op_err parse_authority(const void *ctx, const char *text, size_t len, struct uri *uri)
{
    const char *at = memchr(text, '@', len);
    if (at != NULL) {
        size_t userinfo = (size_t)(at - text);
        if (!is_component(text, userinfo, ":"))
            return OP_INVALID;
        uri->has_userinfo = true;
        text += userinfo + 1;
        len -= userinfo + 1;
    }
    size_t host_len;
    enum op_err err = parse_host(ctx, text, len, uri, &host_len);
    if (err != OP_OK || host_len == len)
        return err;
    if (text[host_len] != ':')
        return OP_INVALID;
    return parse_port(text + host_len + 1, len - host_len - 1, uri);
}

/* Path, query and fragment: what stands after the authority. */
static enum op_err parse_rest(const void *ctx, const char *text, struct uri *uri)
{
    size_t path = strcspn(text, "?#");
    if (!is_component(text, path, ":@/") || (uri->host == NULL && strncmp(text, "//", 2) == 0))
        return OP_INVALID;
    uri->path = mem_strndup(ctx, text, path);
    text += path;
    if (*text == '?') {
        size_t query = strcspn(++text, "#");
        if (!is_component(text, query, ":@/?"))
            return OP_INVALID;
        uri->query = mem_strndup(ctx, text, query);
        text += query;
    }
    if (*text == '#') {
        uri->has_fragment = true;
        text++;
        if (!is_component(text, strlen(text), ":@/?"))
            return OP_INVALID;
    }
    return OP_OK;
}

static size_t scheme_length(const char *text)
{
    size_t len = 0;
    if (!is_alpha(text[0]))
        return 0;
    while (is_alpha(text[len]) || is_digit(text[len]) || text[len] == '+' || text[len] == '-' || text[len] == '.')
        len++;
    return text[len] == ':' ? len : 0;
}

enum op_err uri_parse(const void *ctx, const char *text, struct uri *ret)
{
    struct uri uri = {.port = -1};
    enum op_err err = OP_OK;
    if (strnlen(text, LENGTH_MAX + 1) > LENGTH_MAX)
        return OP_TOO_LARGE;
    size_t scheme = scheme_length(text);
    if (scheme == 0)
        return OP_INVALID;
    uri.scheme = lower(ctx, text, scheme);
    text += scheme + 1;
    if (strncmp(text, "//", 2) == 0) {
        size_t authority = strcspn(text + 2, "/?#");
        err = parse_authority(ctx, text + 2, authority, &uri);
        text += 2 + authority;
    } else if (is_web(uri.scheme)) {
        err = OP_INVALID;
    }
    if (err == OP_OK)
        err = parse_rest(ctx, text, &uri);
    if (err == OP_OK)
        *ret = uri;
    return err;
}

enum op_err uri_origin(const void *ctx, const char *text, char **ret)
{
    struct uri uri;
    enum op_err err = uri_parse(ctx, text, &uri);
    if (err != OP_OK || !is_web(uri.scheme))
        return OP_INVALID;
    char canonical[INET6_ADDRSTRLEN];
    const char *host = uri.host;
    if (uri.host_is_ipv6) {
        struct in6_addr address;
        if (inet_pton(AF_INET6, host, &address) != 1 ||
            inet_ntop(AF_INET6, &address, canonical, sizeof canonical) == NULL)
            return OP_INVALID;
        host = canonical;
    }
    const char *open = uri.host_is_ipv6 ? "[" : "", *close = uri.host_is_ipv6 ? "]" : "";
    int default_port = strcmp(uri.scheme, "https") == 0 ? 443 : 80;
    if (uri.port == -1 || uri.port == default_port)
        *ret = mem_printf(ctx, "%s://%s%s%s", uri.scheme, open, host, close);
    else
        *ret = mem_printf(ctx, "%s://%s%s%s:%d", uri.scheme, open, host, close, uri.port);
    return OP_OK;
}

bool uri_host_is_loopback(const char *host)
{
    struct in_addr v4;
    struct in6_addr v6;
    static const char localhost[] = "localhost";
    if (host == NULL)
        return false;
    if (inet_pton(AF_INET, host, &v4) == 1)
        return ntohl(v4.s_addr) >> 24 == 127;
    if (inet_pton(AF_INET6, host, &v6) == 1)
        return memcmp(&v6, &in6addr_loopback, sizeof v6) == 0;
    size_t len = strlen(host), name = sizeof localhost - 1;
    if (len < name || strcasecmp(host + len - name, localhost) != 0)
        return false;
    return len == name || (len > name + 1 && host[len - name - 1] == '.');
}

char *uri_with_query(const void *ctx, const char *base, const char *encoded)
{
    size_t head = strcspn(base, "#");
    const char *mark = memchr(base, '?', head);
    const char *glue = mark == NULL ? "?" : head == (size_t)(mark - base) + 1 || base[head - 1] == '&' ? "" : "&";
    return mem_printf(ctx, "%.*s%s%s%s", (int)head, base, glue, encoded, base + head);
}

char *uri_with_fragment(const void *ctx, const char *base, const char *encoded)
{
    return mem_printf(ctx, "%s#%s", base, encoded);
}
