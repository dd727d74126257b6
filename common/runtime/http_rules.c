/* What a request's head must say beyond its grammar (http_parse.h). */
#include <arpa/inet.h>
#include <string.h>
#include <strings.h>

#include "base/num.h"
#include "runtime/http_parse.h"

enum { PORT_DIGITS_MAX = 5 };

static const struct {
    const char *name;
    enum http_method method;
} methods[] = {
    {"GET", HTTP_GET}, {"HEAD", HTTP_HEAD}, {"POST", HTTP_POST}, {"PUT", HTTP_PUT}, {"PATCH", HTTP_PATCH},
    {"DELETE", HTTP_DELETE}, {"OPTIONS", HTTP_OPTIONS},
};

static int refuse(int status, const char *what, const char **ret_what)
{
    *ret_what = what;
    return status;
}

static enum http_method method_of(const char *name)
{
    for (size_t i = 0; i < sizeof methods / sizeof *methods; i++)
        if (strcmp(methods[i].name, name) == 0)
            return methods[i].method;
    return HTTP_OTHER;
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

/* RFC 9112 §2.3: 0, -1 for another version, -2 for none. */
static int minor_of(const char *version)
{
    if (strncmp(version, "HTTP/", 5) != 0 || !is_digit(version[5]) || version[6] != '.' || !is_digit(version[7]) ||
        version[8] != '\0')
        return -2;
    if (version[5] != '1' || version[7] > '1')
        return -1;
    return version[7] - '0';
}

static bool escape_is_plain(const char *at)
{
    const uint8_t *digits = (const uint8_t *)at + 1;
    if (http_span(digits, strnlen((const char *)digits, 2), HTTP_HEX) != 2)
        return false;
    if (digits[0] == '0' || digits[0] == '1')
        return false; /* %00 to %1F */
    return !(digits[0] == '7' && (digits[1] | 0x20) == 'f');
}

/* RFC 3986 §3.3, without escapes of control characters. */
static bool path_is_plain(const char *path)
{
    size_t len = strlen(path);
    if (http_span((const uint8_t *)path, len, HTTP_PATH) != len)
        return false;
    for (const char *at = strchr(path, '%'); at != NULL; at = strchr(at + 1, '%'))
        if (!escape_is_plain(at))
            return false;
    return true;
}

/* The length of the host in front of a port; 0 when it is none. */
static size_t host_span(const char *host, size_t len)
{
    if (len == 0 || *host != '[')
        return http_span((const uint8_t *)host, len, HTTP_NAME);
    char text[INET6_ADDRSTRLEN];
    struct in6_addr address;
    const char *end = memchr(host, ']', len);
    if (end == NULL || (size_t)(end - host) > sizeof text)
        return 0;
    size_t inside = (size_t)(end - host) - 1;
    memcpy(text, host + 1, inside);
    text[inside] = '\0';
    return inet_pton(AF_INET6, text, &address) == 1 ? inside + 2 : 0;
}

/* host [":" port] (RFC 9110 §7.2), without user information or escapes. */
static bool host_is_plain(const char *host, size_t len)
{
    size_t n = host_span(host, len);
    if (n == 0)
        return false;
    if (n == len)
        return true;
    if (host[n] != ':' || len - n > 1 + PORT_DIGITS_MAX)
        return false;
    for (n++; n < len; n++)
        if (!is_digit(host[n]))
            return false;
    return true;
}

/* Absolute-form: returns where the path or query begins, or NULL. */
static char *skip_authority(char *target)
{
    size_t scheme = strncasecmp(target, "http://", 7) == 0 ? 7 : strncasecmp(target, "https://", 8) == 0 ? 8 : 0;
    if (scheme == 0)
        return NULL;
    char *authority = target + scheme;
    size_t len = strcspn(authority, "/?");
    return host_is_plain(authority, len) ? authority + len : NULL;
}

static int read_target(struct http_parse *p, char *target, const char **ret_what)
{
    struct http_request *req = p->req;
    if (strcmp(target, "*") == 0) {
        req->path = "*";
        return req->method == HTTP_OPTIONS ? 0 : refuse(400, "malformed request target", ret_what);
    }
    char *path = *target == '/' ? target : skip_authority(target);
    if (path == NULL)
        return refuse(400, "malformed request target", ret_what);
    char *mark = strchr(path, '?');
    if (mark != NULL) {
        *mark = '\0';
        req->has_query = true;
        req->query = bytes_of(mark + 1);
    }
    req->path = *path == '\0' ? "/" : path;
    return path_is_plain(req->path) ? 0 : refuse(400, "malformed path", ret_what);
}

int http_rules_line(struct http_parse *p, const char *method, char *target, const char *version, const char **ret_what)
{
    p->minor = minor_of(version);
    if (p->minor == -2)
        return refuse(400, "malformed version", ret_what);
    if (p->minor == -1)
        return refuse(505, "HTTP version not supported", ret_what);
    if (strcmp(method, "CONNECT") == 0)
        return refuse(501, "CONNECT is not implemented", ret_what);
    p->req->method = method_of(method);
    p->close = p->minor == 0;
    return read_target(p, target, ret_what);
}

static int read_host(struct http_parse *p, const char **ret_what)
{
    size_t hosts = http_field_count(p->req, "host");
    if (hosts > 1)
        return refuse(400, "more than one Host", ret_what);
    if (hosts == 0)
        return p->minor == 0 ? 0 : refuse(400, "no Host", ret_what);
    const char *host = http_field(p->req, "host");
    return host_is_plain(host, strlen(host)) ? 0 : refuse(400, "malformed Host", ret_what);
}

static int read_length(struct http_parse *p, const char **ret_what)
{
    size_t lengths = http_field_count(p->req, "content-length");
    if (lengths > 1)
        return refuse(400, "more than one Content-Length", ret_what);
    if (lengths == 0)
        return 0;
    enum op_err err = num_parse_u64(bytes_of(http_field(p->req, "content-length")), UINT64_MAX - 1, &p->content_length);
    if (err == OP_TOO_LARGE)
        p->content_length = UINT64_MAX;
    return err == OP_INVALID ? refuse(400, "malformed Content-Length", ret_what) : 0;
}

/* Takes one element of a comma-separated list of tokens, trimmed; false at the end. *ret is empty
 * for an element that is no token. */
static bool next_token(const char **list, struct bytes *ret)
{
    if (*list == NULL)
        return false;
    const char *at = *list + strspn(*list, " \t");
    size_t n = http_span((const uint8_t *)at, strlen(at), HTTP_TOKEN);
    const char *rest = at + n + strspn(at + n, " \t");
    *ret = bytes_from(at, *rest == ',' || *rest == '\0' ? n : 0);
    *list = strchr(rest, ',');
    if (*list != NULL)
        (*list)++;
    return true;
}

static bool token_is(struct bytes token, const char *name)
{
    return token.len == strlen(name) && strncasecmp((const char *)token.data, name, token.len) == 0;
}

/* RFC 9112 §6.1 and §6.3: only "chunked" is known; other codings under it are 501; where it is not
 * last, or twice, the body's end cannot be known. */
static int read_coding(struct http_parse *p, const char **ret_what)
{
    size_t codings = http_field_count(p->req, "transfer-encoding");
    if (codings == 0)
        return 0;
    if (codings > 1 || p->minor == 0 || http_field_count(p->req, "content-length") != 0)
        return refuse(400, "conflicting body lengths", ret_what);
    const char *list = http_field(p->req, "transfer-encoding");
    struct bytes coding;
    size_t others = 0;
    while (!p->chunked && next_token(&list, &coding)) {
        if (coding.len == 0)
            break;
        p->chunked = token_is(coding, "chunked");
        others += p->chunked ? 0 : 1;
    }
    if (!p->chunked || list != NULL)
        return refuse(400, "malformed Transfer-Encoding", ret_what);
    return others == 0 ? 0 : refuse(501, "transfer coding not implemented", ret_what);
}

static void read_connection(struct http_parse *p)
{
    for (size_t i = 0; i < p->req->field_count; i++) {
        if (strcmp(p->req->fields[i].name, "connection") != 0)
            continue;
        const char *list = p->req->fields[i].value;
        struct bytes option;
        while (next_token(&list, &option))
            p->close = p->close || token_is(option, "close");
    }
}

static int read_expect(struct http_parse *p, const char **ret_what)
{
    size_t expectations = http_field_count(p->req, "expect");
    if (expectations == 0 || p->minor == 0)
        return 0; /* RFC 9110 §10.1.1: HTTP/1.0 has none */
    if (expectations > 1 || strcasecmp(http_field(p->req, "expect"), "100-continue") != 0)
        return refuse(417, "unknown expectation", ret_what);
    p->expects_continue = http_parse_has_body(p);
    return 0;
}

int http_rules_fields(struct http_parse *p, const char **ret_what)
{
    int status = read_host(p, ret_what);
    if (status == 0)
        status = read_length(p, ret_what);
    if (status == 0)
        status = read_coding(p, ret_what);
    if (status == 0)
        status = read_expect(p, ret_what);
    read_connection(p);
    return status;
}
