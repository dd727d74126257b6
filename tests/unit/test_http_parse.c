/* The reader of requests: a table of byte strings and what becomes of them, each fed whole, byte by
 * byte, and cut in two at every position. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "runtime/http_parse.h"

static const struct http_parse_limits LIMITS = {.line_max = 64, .head_max = 128, .fields_max = 5};
enum { BODY_MAX = 20 };

struct row {
    const char *expected; /* "STATUS", "more", or as describe() writes a whole request */
    const char *text;
    size_t len;
};
#define ROW(expected, text) {expected, text, sizeof(text) - 1}
#define H "Host: a\r\n"
#define CHUNKED "POST / HTTP/1.1\r\n" H "Transfer-Encoding: chunked\r\n\r\n"
#define TEN "0123456789"

/* The request line. METHOD PATH[?QUERY] FIELDS [BODY], then " close", " continue", and " +N" for N bytes left over. */
static const struct row line_rows[] = {
    ROW("GET / 1 []", "GET / HTTP/1.1\r\n" H "\r\n"),
    ROW("HEAD / 1 []", "HEAD / HTTP/1.1\r\n" H "\r\n"),
    ROW("PUT / 1 []", "PUT / HTTP/1.1\r\n" H "\r\n"),
    ROW("PATCH / 1 []", "PATCH / HTTP/1.1\r\n" H "\r\n"),
    ROW("DELETE / 1 []", "DELETE / HTTP/1.1\r\n" H "\r\n"),
    ROW("OTHER / 1 []", "TRACE / HTTP/1.1\r\n" H "\r\n"),
    ROW("OTHER / 1 []", "get / HTTP/1.1\r\n" H "\r\n"), /* methods are case-sensitive, RFC 9110 §9.1 */
    ROW("OTHER / 1 []", "!#$%&'*+-.^_`|~0aZ / HTTP/1.1\r\n" H "\r\n"),
    ROW("OTHER / 1 []", "ABCDEFGHIJKLMNOPQRSTUVWX / HTTP/1.1\r\n" H "\r\n"),
    ROW("501", "ABCDEFGHIJKLMNOPQRSTUVWXY / HTTP/1.1\r\n" H "\r\n"),
    ROW("501", "CONNECT a:443 HTTP/1.1\r\n" H "\r\n"),
    ROW("400", "G(T / HTTP/1.1\r\n" H "\r\n"),
    ROW("400", " GET / HTTP/1.1\r\n" H "\r\n"),
    ROW("400", "GET  / HTTP/1.1\r\n" H "\r\n"),
    ROW("400", "GET /  HTTP/1.1\r\n" H "\r\n"),
    ROW("400", "GET / HTTP/1.1 \r\n" H "\r\n"),
    ROW("400", "GET\t/ HTTP/1.1\r\n" H "\r\n"),
    ROW("400", "GET /\r\n\r\n"), /* HTTP/0.9 */
    ROW("400", "GET / \r\n" H "\r\n"),
    ROW("400", "GET / HTTP/1.1\n" H "\r\n"),
    ROW("400", "GET / HTTP/1.1\rX" H "\r\n"),
    ROW("400", "GET / HTTP/1.1\0\r\n" H "\r\n"),
    ROW("400", "\x16\x03\x01\x02\x00\x01"), /* TLS */
    ROW("GET / 1 []", "\r\nGET / HTTP/1.1\r\n" H "\r\n"),
    ROW("400", "\r\n\r\nGET / HTTP/1.1\r\n" H "\r\n"),
    ROW("400", "\nGET / HTTP/1.1\r\n" H "\r\n"),
    ROW("400", "\rGET / HTTP/1.1\r\n" H "\r\n"),
    ROW("GET / 0 [] close", "GET / HTTP/1.0\r\n\r\n"),
    ROW("505", "GET / HTTP/1.2\r\n" H "\r\n"),
    ROW("505", "GET / HTTP/2.0\r\n" H "\r\n"),
    ROW("505", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"),
    ROW("505", "GET / HTTP/0.9\r\n" H "\r\n"),
    ROW("400", "GET / HTTP/1\r\n" H "\r\n"),
    ROW("400", "GET / HTTP/1.10\r\n" H "\r\n"),
    ROW("400", "GET / HTTP/01.1\r\n" H "\r\n"),
    ROW("400", "GET / http/1.1\r\n" H "\r\n"),
    ROW("400", "GET / HTTP/1,1\r\n" H "\r\n"),
    ROW("400", "GET / HTP/1.1\r\n" H "\r\n"),
    ROW("more", "GET / HTTP/1.1\r\n" H),
    ROW("more", "GE"),
    ROW("more", "\r\n"),
    /* 64 bytes with CRLF, and one more */
    ROW("GET /" TEN TEN TEN TEN "12345678 1 []", "GET /" TEN TEN TEN TEN "12345678 HTTP/1.1\r\n" H "\r\n"),
    ROW("414", "GET /" TEN TEN TEN TEN "123456789 HTTP/1.1\r\n" H "\r\n"),
    ROW("414", "GET /" TEN TEN TEN TEN TEN TEN TEN),
};

static const struct row target_rows[] = {
    ROW("GET /a/b;c=d,e@f:g!$&'()*+~-._ 1 []", "GET /a/b;c=d,e@f:g!$&'()*+~-._ HTTP/1.1\r\n" H "\r\n"),
    ROW("GET //a//../b 1 []", "GET //a//../b HTTP/1.1\r\n" H "\r\n"),
    ROW("GET /?a=b?c/d 1 []", "GET /?a=b?c/d HTTP/1.1\r\n" H "\r\n"),
    ROW("GET /? 1 []", "GET /? HTTP/1.1\r\n" H "\r\n"),
    ROW("GET /?{}[]|\\^` 1 []", "GET /?{}[]|\\^` HTTP/1.1\r\n" H "\r\n"),
    ROW("GET /?%zz%00 1 []", "GET /?%zz%00 HTTP/1.1\r\n" H "\r\n"), /* for the form reader to judge */
    ROW("GET /%41%c3%a4%20 1 []", "GET /%41%c3%a4%20 HTTP/1.1\r\n" H "\r\n"),
    ROW("400", "GET /%00 HTTP/1.1\r\n" H "\r\n"),
    ROW("400", "GET /a%0d%0ab HTTP/1.1\r\n" H "\r\n"),
    ROW("400", "GET /%1F HTTP/1.1\r\n" H "\r\n"),
    ROW("400", "GET /%7f HTTP/1.1\r\n" H "\r\n"),
    ROW("400", "GET /% HTTP/1.1\r\n" H "\r\n"),
    ROW("400", "GET /%4 HTTP/1.1\r\n" H "\r\n"),
    ROW("400", "GET /%4?a HTTP/1.1\r\n" H "\r\n"),
    ROW("400", "GET /%g0 HTTP/1.1\r\n" H "\r\n"),
    ROW("400", "GET /a#b HTTP/1.1\r\n" H "\r\n"),
    ROW("400", "GET /?a#b HTTP/1.1\r\n" H "\r\n"),
    ROW("400", "GET /a\x01 HTTP/1.1\r\n" H "\r\n"),
    ROW("400", "GET /a\0b HTTP/1.1\r\n" H "\r\n"),
    ROW("400", "GET /a\tb HTTP/1.1\r\n" H "\r\n"),
    ROW("400", "GET /\xc3\xa4 HTTP/1.1\r\n" H "\r\n"),
    ROW("400", "GET /?\xc3\xa4 HTTP/1.1\r\n" H "\r\n"),
    ROW("400", "GET /?a=\"b\" HTTP/1.1\r\n" H "\r\n"),
    ROW("400", "GET /?a=<b> HTTP/1.1\r\n" H "\r\n"),
    ROW("400", "GET /a\\b HTTP/1.1\r\n" H "\r\n"),
    ROW("400", "GET /{a} HTTP/1.1\r\n" H "\r\n"),
    ROW("400", "GET a HTTP/1.1\r\n" H "\r\n"),
    ROW("400", "GET ?a HTTP/1.1\r\n" H "\r\n"),
    ROW("400", "GET a:80 HTTP/1.1\r\n" H "\r\n"),
    ROW("GET /p?q 1 []", "GET http://b/p?q HTTP/1.1\r\n" H "\r\n"),
    ROW("GET /p 1 []", "GET HTTPS://b.c:8080/p HTTP/1.1\r\n" H "\r\n"),
    ROW("GET / 1 []", "GET http://b HTTP/1.1\r\n" H "\r\n"),
    ROW("GET /?q 1 []", "GET http://b?q HTTP/1.1\r\n" H "\r\n"),
    ROW("GET /p 1 []", "GET http://[::1]:80/p HTTP/1.1\r\n" H "\r\n"),
    ROW("400", "GET http://b/p HTTP/1.1\r\n\r\n"), /* Host is required all the same, RFC 9112 §3.2.2 */
    ROW("400", "GET http:///p HTTP/1.1\r\n" H "\r\n"),
    ROW("400", "GET http://u@b/p HTTP/1.1\r\n" H "\r\n"),
    ROW("400", "GET http://b:x/p HTTP/1.1\r\n" H "\r\n"),
    ROW("400", "GET http://b\\@c/p HTTP/1.1\r\n" H "\r\n"),
    ROW("400", "GET ftp://b/p HTTP/1.1\r\n" H "\r\n"),
    ROW("400", "GET http:/p HTTP/1.1\r\n" H "\r\n"),
    ROW("OPTIONS * 1 []", "OPTIONS * HTTP/1.1\r\n" H "\r\n"),
    ROW("400", "GET * HTTP/1.1\r\n" H "\r\n"),
    ROW("400", "OPTIONS *a HTTP/1.1\r\n" H "\r\n"),
};

#define LINE "GET / HTTP/1.1\r\n"
static const struct row field_rows[] = {
    ROW("GET / 2 []", LINE H "A:b\r\n\r\n"),
    ROW("GET / 2 []", LINE H "A:\r\n\r\n"),
    ROW("GET / 2 []", LINE H "A: \t b c \t \r\n\r\n"),
    ROW("GET / 2 []", LINE H "a: \x80\xff!~\r\n\r\n"),
    ROW("400", LINE H "A : b\r\n\r\n"),
    ROW("400", LINE H "A\t: b\r\n\r\n"),
    ROW("400", LINE H ": b\r\n\r\n"),
    ROW("400", LINE H "A\r\n\r\n"),
    ROW("400", LINE H "A B: c\r\n\r\n"),
    ROW("400", LINE H "A(: c\r\n\r\n"),
    ROW("400", LINE H "\xc3\xa4: c\r\n\r\n"),
    ROW("400", LINE H "A\0: c\r\n\r\n"),
    ROW("400", LINE H " A: b\r\n\r\n"),
    ROW("400", LINE H "A: b\r\n c\r\n\r\n"),
    ROW("400", LINE H "A: b\r\n\tc\r\n\r\n"),
    ROW("400", LINE " Host: a\r\n\r\n"),
    ROW("400", LINE H "A: b\n\r\n"),
    ROW("400", LINE H "A: b\rc\r\n\r\n"),
    ROW("400", LINE H "A: b\0c\r\n\r\n"),
    ROW("400", LINE H "A: b\x7f\r\n\r\n"),
    ROW("400", LINE H "A: \x01\r\n\r\n"),
    ROW("400", LINE H "\n"),
    ROW("400", LINE H "\rX"),
    ROW("400", LINE "\r\n"),
    ROW("400", LINE H H "\r\n"),
    ROW("400", LINE "Host:\r\n\r\n"),
    ROW("400", LINE "Host: a b\r\n\r\n"),
    ROW("400", LINE "Host: a,b\x40""c\r\n\r\n"),
    ROW("400", LINE "Host: a/b\r\n\r\n"),
    ROW("400", LINE "Host: a:\x62\r\n\r\n"),
    ROW("400", LINE "Host: a:123456\r\n\r\n"),
    ROW("400", LINE "Host: [::1\r\n\r\n"),
    ROW("400", LINE "Host: [::g]\r\n\r\n"),
    ROW("400", LINE "Host: []\r\n\r\n"),
    ROW("400", LINE "Host: [::1]a\r\n\r\n"),
    ROW("GET / 1 []", LINE "Host: [2001:db8::1]:8443\r\n\r\n"),
    ROW("GET / 1 []", LINE "HOST: a.example:\r\n\r\n"),
    ROW("400", "GET / HTTP/1.0\r\n" H H "\r\n"),
    ROW("GET / 2 [] close", LINE H "Connection: close\r\n\r\n"),
    ROW("GET / 2 [] close", LINE H "connection: Keep-Alive , CLOSE\r\n\r\n"),
    ROW("GET / 3 [] close", LINE H "Connection: x\r\nConnection: close\r\n\r\n"),
    ROW("GET / 2 []", LINE H "Connection: closed, close x\r\n\r\n"),
    ROW("GET / 2 [] close", "GET / HTTP/1.0\r\n" H "Connection: keep-alive\r\n\r\n"),
    ROW("GET / 5 []", LINE H "A:b\r\nA:b\r\nA:b\r\nA:b\r\n\r\n"),
    ROW("431", LINE H "A:b\r\nA:b\r\nA:b\r\nA:b\r\nA:b\r\n\r\n"),
    /* 128 bytes of fields, and one more */
    ROW("GET / 2 []", LINE H "A:" TEN TEN TEN TEN TEN TEN TEN TEN TEN TEN TEN "12345\r\n\r\n"),
    ROW("431", LINE H "A:" TEN TEN TEN TEN TEN TEN TEN TEN TEN TEN TEN "123456\r\n\r\n"),
    ROW("431", LINE H TEN TEN TEN TEN TEN TEN TEN TEN TEN TEN TEN TEN TEN),
    ROW("431", LINE H "A:                                                                                              "
               "                                                                               "),
};

#define POST "POST / HTTP/1.1\r\n" H
static const struct row length_rows[] = {
    ROW("POST / 1 []", POST "\r\n"),
    ROW("POST / 2 []", POST "Content-Length: 0\r\n\r\n"),
    ROW("POST / 2 [abc]", POST "Content-Length: 3\r\n\r\nabc"),
    ROW("POST / 2 [abc]", POST "Content-Length: 003\r\n\r\nabc"),
    ROW("POST / 2 [abc] +4", POST "Content-Length: 3\r\n\r\nabcGET "),
    ROW("GET / 2 [a\r\n]", LINE H "content-length:3\r\n\r\na\r\n"),
    ROW("HEAD / 2 [abc] +1", "HEAD / HTTP/1.1\r\n" H "Content-Length: 3\r\n\r\nabcG"),
    ROW("POST / 1 [abc] close", "POST / HTTP/1.0\r\nContent-Length: 3\r\n\r\nabc"),
    ROW("POST / 2 [" TEN TEN "]", POST "Content-Length: 20\r\n\r\n" TEN TEN),
    ROW("413", POST "Content-Length: 21\r\n\r\n"),
    ROW("413", POST "Content-Length: 18446744073709551617\r\n\r\n"),
    ROW("more", POST "Content-Length: 3\r\n\r\nab"),
    ROW("400", POST "Content-Length: +3\r\n\r\nabc"),
    ROW("400", POST "Content-Length: -3\r\n\r\nabc"),
    ROW("400", POST "Content-Length: 0x3\r\n\r\nabc"),
    ROW("400", POST "Content-Length: 3.0\r\n\r\nabc"),
    ROW("400", POST "Content-Length: 3 3\r\n\r\nabc"),
    ROW("400", POST "Content-Length: 3, 3\r\n\r\nabc"),
    ROW("400", POST "Content-Length: 99999999999999999999x\r\n\r\nabc"),
    ROW("400", POST "Content-Length:\r\n\r\n"),
    ROW("400", POST "Content-Length: 3\r\nContent-Length: 3\r\n\r\nabc"),
    ROW("400", POST "Content-Length: 3\r\ncontent-length: 4\r\n\r\nabc"),
    ROW("400", POST "Content-Length : 3\r\n\r\nabc"),
    ROW("POST / 2 [] +3", POST "Content_Length: 3\r\n\r\nabc"),
    ROW("400", POST "Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"),
    ROW("400", POST "Transfer-Encoding: chunked\r\nContent-Length: 0\r\n\r\n0\r\n\r\n"),
    ROW("400", "POST / HTTP/1.0\r\n" H "Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n"),
    ROW("400", POST "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"),
    ROW("400", POST "Transfer-Encoding: chunked, chunked\r\n\r\n0\r\n\r\n"),
    ROW("400", POST "Transfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n"),
    ROW("400", POST "Transfer-Encoding: chunked,\r\n\r\n0\r\n\r\n"),
    ROW("400", POST "Transfer-Encoding: ,chunked\r\n\r\n0\r\n\r\n"),
    ROW("400", POST "Transfer-Encoding: identity\r\n\r\n"),
    ROW("400", POST "Transfer-Encoding: gzip\r\n\r\n"),
    ROW("400", POST "Transfer-Encoding:\r\n\r\n"),
    ROW("400", POST "Transfer-Encoding: xchunked\r\n\r\n"),
    ROW("400", POST "Transfer-Encoding: \"chunked\"\r\n\r\n"),
    ROW("400", POST "Transfer-Encoding: chunked;q=1\r\n\r\n"),
    ROW("400", POST "Transfer-Encoding: \x0b" "chunked\r\n\r\n"),
    ROW("501", POST "Transfer-Encoding: gzip, chunked\r\n\r\n"),
    ROW("POST / 3 [abc] continue", POST "Expect: 100-Continue\r\nContent-Length: 3\r\n\r\nabc"),
    ROW("POST / 2 []", POST "Expect: 100-continue\r\n\r\n"),
    ROW("417", POST "Expect: 200-ok\r\n\r\n"),
    ROW("417", POST "Expect: 100-continue, x\r\n\r\n"),
    ROW("417", POST "Expect: 100-continue\r\nExpect: 100-continue\r\n\r\n"),
    ROW("POST / 2 [abc] close", "POST / HTTP/1.0\r\nExpect: 100-continue\r\nContent-Length: 3\r\n\r\nabc"),
};

static const struct row chunk_rows[] = {
    ROW("POST / 2 []", CHUNKED "0\r\n\r\n"),
    ROW("POST / 2 [abc]", CHUNKED "3\r\nabc\r\n0\r\n\r\n"),
    ROW("POST / 2 [abcd]", CHUNKED "3\r\nabc\r\n1\r\nd\r\n0\r\n\r\n"),
    ROW("POST / 2 [0123456789a] +3", CHUNKED "b\r\n0123456789a\r\n0\r\n\r\nGET"),
    ROW("POST / 2 [0123456789a]", CHUNKED "0B\r\n0123456789a\r\n00\r\n\r\n"),
    ROW("POST / 2 [abc]", "POST / HTTP/1.1\r\n" H "transfer-encoding:\tCHUNKED \r\n\r\n3\r\nabc\r\n0\r\n\r\n"),
    ROW("POST / 2 [abc]", CHUNKED "3;a=b;c=\"d\"\r\nabc\r\n0;e\r\n\r\n"),
    ROW("POST / 2 [abc]", CHUNKED "3 \t;a\r\nabc\r\n0\r\n\r\n"),
    ROW("POST / 2 [abc]", CHUNKED "3\r\nabc\r\n0\r\nA: b\r\nContent-Length: 9\r\n\r\n"),
    ROW("POST / 2 [" TEN TEN "]", CHUNKED "a\r\n" TEN "\r\nA\r\n" TEN "\r\n0\r\n\r\n"),
    ROW("413", CHUNKED "a\r\n" TEN "\r\nb\r\n"),
    ROW("413", CHUNKED "15\r\n"),
    ROW("413", CHUNKED "ffffffffffffffff\r\n"),
    ROW("POST / 2 [a]", CHUNKED "0000000000000001\r\na\r\n0\r\n\r\n"),
    ROW("400", CHUNKED "00000000000000001\r\na\r\n0\r\n\r\n"),
    ROW("400", CHUNKED "10000000000000003\r\nabc\r\n0\r\n\r\n"),
    ROW("400", CHUNKED "\r\n"),
    ROW("400", CHUNKED "g\r\n"),
    ROW("400", CHUNKED "+3\r\nabc\r\n0\r\n\r\n"),
    ROW("400", CHUNKED "-1\r\n"),
    ROW("400", CHUNKED "0x3\r\nabc\r\n0\r\n\r\n"),
    ROW("400", CHUNKED " 3\r\nabc\r\n0\r\n\r\n"),
    ROW("400", CHUNKED "3 \r\nabc\r\n0\r\n\r\n"),
    ROW("400", CHUNKED "3_0\r\n"),
    ROW("400", CHUNKED ";a\r\n"),
    ROW("400", CHUNKED "3\nabc\r\n0\r\n\r\n"),
    ROW("400", CHUNKED "3\rabc\r\n0\r\n\r\n"),
    ROW("400", CHUNKED "3;a\nabc\r\n0\r\n\r\n"),
    ROW("400", CHUNKED "3;a\0\r\nabc\r\n0\r\n\r\n"),
    ROW("400", CHUNKED "3;a\rabc\r\n0\r\n\r\n"),
    ROW("400", CHUNKED "3\r\nabcd\r\n0\r\n\r\n"),
    ROW("400", CHUNKED "3\r\nab\r\n0\r\n\r\n"),
    ROW("400", CHUNKED "3\r\nabcd\n0\r\n\r\n"),
    ROW("400", CHUNKED "3;a\0\nabc\r\n0\r\n\r\n"),
    ROW("400", CHUNKED "3\r\nabc\n0\r\n\r\n"),
    ROW("400", CHUNKED "3\r\nabc\rX0\r\n\r\n"),
    ROW("400", CHUNKED "3\r\nabc0\r\n\r\n"),
    ROW("400", CHUNKED "0\r\n\n"),
    ROW("400", CHUNKED "0\r\nA\r\n\r\n"),
    ROW("400", CHUNKED "0\r\n A: b\r\n\r\n"),
    ROW("400", CHUNKED "0\r\nA: b\n\r\n"),
    ROW("POST / 2 []", CHUNKED "0\r\nA:b\r\nA:b\r\nA:b\r\nA:b\r\nA:b\r\n\r\n"),
    ROW("431", CHUNKED "0\r\nA:b\r\nA:b\r\nA:b\r\nA:b\r\nA:b\r\nA:b\r\n\r\n"),
    ROW("431", CHUNKED "0\r\nA:" TEN TEN TEN TEN TEN TEN TEN TEN TEN TEN TEN TEN TEN "\r\n\r\n"),
    ROW("400", CHUNKED "1;" TEN TEN TEN TEN TEN TEN TEN "\r\na\r\n1;" TEN TEN TEN TEN TEN TEN "\r\nb\r\n0\r\n\r\n"),
    ROW("400", CHUNKED "1                                                                                         "
               "                                                  ;\r\na\r\n0\r\n\r\n"),
    ROW("more", CHUNKED "3\r\nabc\r\n0\r\n"),
    ROW("more", CHUNKED "3\r\nabc\r\n"),
};

static const char *method_name(enum http_method method)
{
    static const struct {
        enum http_method method;
        const char *name;
    } names[] = {{HTTP_GET, "GET"}, {HTTP_HEAD, "HEAD"}, {HTTP_POST, "POST"}, {HTTP_PUT, "PUT"}, {HTTP_PATCH, "PATCH"},
                 {HTTP_DELETE, "DELETE"}, {HTTP_OPTIONS, "OPTIONS"}, {HTTP_OTHER, "OTHER"}};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (names[i].method == method)
            return names[i].name;
    return "none";
}

static char *describe(const void *ctx, const struct http_parse *parse, size_t left)
{
    const struct http_request *req = parse->req;
    if (parse->phase == HTTP_PARSE_BREACH)
        return mem_printf(ctx, "%d", parse->status);
    if (parse->phase != HTTP_PARSE_DONE)
        return mem_strdup(ctx, "more");
    struct buf out = buf_make(ctx);
    buf_printf(&out, "%s %s%s", method_name(req->method), req->path, req->has_query ? "?" : "");
    buf_add_bytes(&out, req->query);
    buf_printf(&out, " %zu [", req->field_count);
    buf_add_bytes(&out, req->body);
    buf_printf(&out, "]%s%s", parse->close ? " close" : "", parse->expects_continue ? " continue" : "");
    if (left > 0)
        buf_printf(&out, " +%zu", left);
    return buf_string(&out);
}

/* Feeds one piece from memory of exactly its size, so that reading past it is seen. */
static size_t feed(struct http_parse *parse, const char *text, size_t len)
{
    uint8_t *copy = talloc_size(NULL, len + 1);
    memcpy(copy + 1, text, len);
    size_t used = http_parse_feed(parse, bytes_from(copy + 1, len));
    if (parse->phase == HTTP_PARSE_HEAD_DONE) {
        http_parse_body(parse, BODY_MAX);
        used += http_parse_feed(parse, bytes_from(copy + 1 + used, len - used));
    }
    talloc_free(copy);
    return used;
}

/* The text in pieces of `step` bytes after a first one of `first` bytes. */
static char *outcome(const void *ctx, const struct row *row, size_t first, size_t step)
{
    struct http_request *req = mem_new(NULL, struct http_request);
    struct http_parse parse;
    size_t used = 0;
    http_parse_begin(&parse, req, &LIMITS);
    for (size_t at = 0, len = first; at < row->len; at += len, len = step) {
        len = len < row->len - at ? len : row->len - at;
        size_t taken = feed(&parse, row->text + at, len);
        used += taken;
        if (taken < len)
            break;
    }
    char *text = describe(ctx, &parse, row->len - used);
    talloc_free(req);
    return text;
}

static void check(const struct row *rows, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        const struct row *row = &rows[i];
        void *ctx = mem_root("row");
        char *whole = outcome(ctx, row, row->len, row->len);
        if (strcmp(whole, row->expected) != 0)
            fail_msg("row %zu: expected %s, is %s: %s", i, row->expected, whole, row->text);
        char *bytes = outcome(ctx, row, 1, 1);
        if (strcmp(bytes, row->expected) != 0)
            fail_msg("row %zu byte by byte: expected %s, is %s: %s", i, row->expected, bytes, row->text);
        for (size_t cut = 1; cut < row->len; cut++) {
            char *halves = outcome(ctx, row, cut, row->len);
            if (strcmp(halves, row->expected) != 0)
                fail_msg("row %zu cut at %zu: expected %s, is %s: %s", i, cut, row->expected, halves, row->text);
        }
        talloc_free(ctx);
    }
}

static void lines_are_exact(void **state)
{
    (void)state;
    check(line_rows, sizeof line_rows / sizeof *line_rows);
}

static void targets_are_exact(void **state)
{
    (void)state;
    check(target_rows, sizeof target_rows / sizeof *target_rows);
}

static void fields_are_exact(void **state)
{
    (void)state;
    check(field_rows, sizeof field_rows / sizeof *field_rows);
}

static void lengths_are_unambiguous(void **state)
{
    (void)state;
    check(length_rows, sizeof length_rows / sizeof *length_rows);
}

static void chunks_are_exact(void **state)
{
    (void)state;
    check(chunk_rows, sizeof chunk_rows / sizeof *chunk_rows);
}

/* Every byte in each place of a head: only the grammar's own get through. */
static void single_bytes_are_judged(void **state)
{
    (void)state;
    static const char token[] = "!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";
    static const char pchar[] = "/-._~!$&'()*+,;=:@0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";
    static const char *const places[] = {"G_T / HTTP/1.1\r\nHost: a\r\n\r\n", "GET /_ HTTP/1.1\r\nHost: a\r\n\r\n",
                                         "GET / HTTP/1.1\r\nHost: a\r\nX_: a\r\n\r\n",
                                         "GET / HTTP/1.1\r\nHost: a\r\nX: a_b\r\n\r\n"};
    for (size_t place = 0; place < sizeof places / sizeof *places; place++) {
        for (int c = 0; c < 256; c++) {
            void *ctx = mem_root("byte");
            char *text = mem_strdup(ctx, places[place]);
            *strchr(text, '_') = (char)c;
            const struct row row = {NULL, text, strlen(places[place])};
            bool listed = c != 0 && strchr(place == 1 ? pchar : token, c) != NULL;
            bool good = place == 3 ? c == '\t' || (c >= ' ' && c != 0x7f) : listed;
            if (place == 1 && c == '?')
                good = true; /* ends the path */
            if (place == 2 && c == ':')
                good = true; /* ends the name */
            char *is = outcome(ctx, &row, row.len, row.len);
            if (good != (strchr(is, '[') != NULL))
                fail_msg("byte %d in place %zu: %s", c, place, is);
            talloc_free(ctx);
        }
    }
}

static void fields_come_out(void **state)
{
    (void)state;
    static const char text[] = "POST /a%20b?c=d HTTP/1.1\r\nHost:x\r\nX-One:  1  2\t\r\nX-one:\r\n"
                               "Cookie: a=b; c=\"d\"\r\nContent-Type: Text/Plain;charset=x\r\n\r\n";
    const struct http_parse_limits limits = {.line_max = 100, .head_max = 1000, .fields_max = 10};
    struct http_request *req = mem_new(NULL, struct http_request);
    struct http_parse parse;
    http_parse_begin(&parse, req, &limits);
    assert_false(http_parse_started(&parse));
    assert_int_equal(http_parse_feed(&parse, bytes_of("\r\n")), 2);
    assert_false(http_parse_started(&parse));
    assert_int_equal(http_parse_feed(&parse, bytes_of(text)), sizeof text - 1);
    assert_true(http_parse_started(&parse));
    assert_int_equal(parse.phase, HTTP_PARSE_HEAD_DONE);
    assert_string_equal(req->path, "/a%20b");
    assert_true(bytes_equal(req->query, bytes_of("c=d")));
    assert_string_equal(http_field(req, "x-one"), "1  2");
    assert_int_equal(http_field_count(req, "x-one"), 2);
    assert_null(http_field(req, "x-two"));
    assert_string_equal(http_cookie(req, "a"), "b");
    assert_string_equal(http_cookie(req, "c"), "\"d\"");
    assert_null(http_cookie(req, "b"));
    assert_true(http_content_type_is(req, "text/plain"));
    assert_false(http_content_type_is(req, "text/plai"));
    talloc_free(req);
}

/* Heads of several kilobytes outgrow what is set aside for them at first. */
static void large_heads_hold(void **state)
{
    (void)state;
    const struct http_parse_limits limits = {.line_max = 8192, .head_max = 65536, .fields_max = 200};
    struct http_request *req = mem_new(NULL, struct http_request);
    struct http_parse parse;
    struct buf text = buf_make(req);
    buf_add(&text, "GET /");
    for (int i = 0; i < 1000; i++)
        buf_printf(&text, "%04d", i);
    buf_add(&text, "?q HTTP/1.1\r\nHost: a\r\n");
    for (int i = 1; i < 200; i++)
        buf_printf(&text, "X-%d: value-%0200d\r\n", i, i);
    buf_add(&text, "\r\n");
    http_parse_begin(&parse, req, &limits);
    assert_int_equal(http_parse_feed(&parse, buf_bytes(&text)), text.len);
    assert_int_equal(parse.phase, HTTP_PARSE_HEAD_DONE);
    assert_int_equal(strlen(req->path), 4001);
    assert_true(bytes_equal(req->query, bytes_of("q")));
    assert_int_equal(req->field_count, 200);
    for (int i = 1; i < 200; i++) {
        char *name = mem_printf(req, "x-%d", i);
        assert_string_equal(req->fields[i].name, name);
        assert_string_equal(req->fields[i].value, mem_printf(req, "value-%0200d", i));
    }
    talloc_free(req);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lines_are_exact),
        cmocka_unit_test(targets_are_exact),
        cmocka_unit_test(fields_are_exact),
        cmocka_unit_test(lengths_are_unambiguous),
        cmocka_unit_test(chunks_are_exact),
        cmocka_unit_test(single_bytes_are_judged),
        cmocka_unit_test(fields_come_out),
        cmocka_unit_test(large_heads_hold),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
