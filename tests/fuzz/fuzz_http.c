/* A stream of requests through the reader: whole and in pieces it must mean the same, and what comes
 * out must keep what http.h promises. */
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/http_parse.h"
#include "runtime/http_peer.h"

enum { BODY_MAX = 512, REQUESTS_MAX = 8 };

static const struct http_parse_limits LIMITS = {.line_max = 256, .head_max = 512, .fields_max = 12};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool holds, const char *what)
{
    if (holds)
        return;
    fprintf(stderr, "broken: %s\n", what);
    abort();
}

/* What http.h says of every request that is handed over. */
static void check_request(const struct http_parse *parse, struct http_request *req)
{
    require(*req->path == '/' || (strcmp(req->path, "*") == 0 && req->method == HTTP_OPTIONS), "path");
    require(strpbrk(req->path, "?#\r\n\t \"<>\\") == NULL && strstr(req->path, "%00") == NULL, "path characters");
    require(req->has_query || req->query.len == 0, "query");
    require(req->body.len <= BODY_MAX, "body length");
    require(req->field_count <= LIMITS.fields_max, "field count");
    require(http_field_count(req, "content-length") + http_field_count(req, "transfer-encoding") <= 1, "framing");
    require(parse->chunked || req->body.len == parse->content_length, "content length");
    require(http_field_count(req, "host") == 1 || (parse->minor == 0 && http_field_count(req, "host") == 0), "host");
    for (size_t i = 0; i < req->field_count; i++) {
        const char *name = req->fields[i].name, *value = req->fields[i].value;
        require(*name != '\0' && strpbrk(name, " \t:\r\nABCDEFGHIJKLMNOPQRSTUVWXYZ") == NULL, "field name");
        require(strpbrk(value, "\r\n") == NULL && *value != ' ' && *value != '\t', "field value");
    }
}

static void describe(struct buf *out, const struct http_parse *parse, struct http_request *req)
{
    if (parse->phase == HTTP_PARSE_BREACH) {
        buf_printf(out, "%d %s\n", parse->status, parse->what);
        return;
    }
    if (parse->phase != HTTP_PARSE_DONE) {
        buf_printf(out, "unfinished %d %d\n", parse->phase == HTTP_PARSE_BODY, http_parse_started(parse));
        return;
    }
    static char unix_word[] = "unix", network[] = "10.0.0.0/8";
    static char *const trusted[] = {unix_word, network};
    const struct http_peer peer = {.local = true};
    check_request(parse, req);
    http_peers_identify(http_peers_new(req, trusted, 2), &peer, req);
    const char *cookie = http_cookie(req, "a");
    buf_printf(out, "%d %s [%zu] %d %d %s %s %d\n", req->method, req->path, req->query.len, parse->close,
               parse->expects_continue, req->client_address, cookie == NULL ? "-" : cookie,
               http_content_type_is(req, "a/b"));
    for (size_t i = 0; i < req->field_count; i++)
        buf_printf(out, "%s=%s\n", req->fields[i].name, req->fields[i].value);
    buf_add_bytes(out, req->body);
}

/* Up to max bytes, from memory of their own so that a read past the end is seen. */
static size_t feed(struct http_parse *parse, const uint8_t *at, size_t len, size_t max)
{
    len = len < max ? len : max;
    uint8_t *copy = malloc(len);
    memcpy(copy, at, len);
    size_t used = http_parse_feed(parse, bytes_from(copy, len));
    free(copy);
    require(used <= len, "used more than given");
    require(used == len || (parse->phase != HTTP_PARSE_HEAD && parse->phase != HTTP_PARSE_BODY), "stopped early");
    if (parse->phase == HTTP_PARSE_HEAD_DONE)
        http_parse_body(parse, BODY_MAX);
    return used;
}

/* All requests of a stream, in pieces whose sizes come from seed (0: as large as can be). */
static struct buf read_stream(const void *ctx, const uint8_t *data, size_t size, uint32_t seed)
{
    struct buf out = buf_make(ctx);
    size_t at = 0;
    for (int count = 0; count < REQUESTS_MAX && at < size; count++) {
        struct http_request *req = mem_new(NULL, struct http_request);
        struct http_parse parse;
        http_parse_begin(&parse, req, &LIMITS);
        while (at < size && (parse.phase == HTTP_PARSE_HEAD || parse.phase == HTTP_PARSE_BODY)) {
            seed = seed * 1664525 + (seed == 0 ? 0 : 1013904223);
            at += feed(&parse, data + at, size - at, seed == 0 ? size : 1 + (seed >> 24) % 7);
        }
        describe(&out, &parse, req);
        bool over = parse.phase != HTTP_PARSE_DONE;
        talloc_free(req);
        if (over)
            break;
    }
    return out;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    void *ctx = mem_root("fuzz");
    uint32_t seed = 1;
    for (size_t i = 0; i < size; i++)
        seed = seed * 31 + data[i];
    struct buf whole = read_stream(ctx, data, size, 0);
    struct buf pieces = read_stream(ctx, data, size, seed | 1);
    require(bytes_equal(buf_bytes(&whole), buf_bytes(&pieces)), "whole and in pieces differ");
    talloc_free(ctx);
    return 0;
}
