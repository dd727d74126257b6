#pragma once
/* One HTTP/1.1 request read byte by byte (RFC 9112): a state machine over bytes, without any I/O.
 * It gives the same outcome however the bytes are cut into pieces. Used by http_connection.c only.
 *
 * Stricter than the RFC asks, on purpose: lines end in CRLF only (§2.2 would allow a bare LF), no
 * folded lines (§5.2), no white space around a field's name (§5.1), one Content-Length of digits,
 * one Transfer-Encoding that is exactly "chunked", never both (§6.1), neither chunked nor an
 * unknown minor version nor a second Host is guessed at. One empty line before a request is
 * skipped (§2.2). A path is the exact grammar of RFC 3986 and encodes no control character; a query
 * may hold the few characters browsers leave alone in it ([ ] { } | \ ^ `), and its percent
 * escapes are judged by whoever decodes it.
 *
 * A target in absolute-form (§3.2.2) is accepted: its scheme and authority are checked and dropped,
 * as no decision is ever made from Host or authority; Host is required all the same. "*" is for
 * OPTIONS only; CONNECT is refused with 501. */
#include "runtime/http.h"

struct http_parse_limits {
    size_t line_max;   /* bytes of the request line with its CRLF */
    size_t head_max;   /* bytes of all field lines with theirs; the trailer section the same again */
    size_t fields_max; /* how many fields; the trailer section the same again */
};

enum http_parse_phase {
    HTTP_PARSE_HEAD,      /* feed more */
    HTTP_PARSE_HEAD_DONE, /* the head stands in req: call http_parse_body(), then feed more */
    HTTP_PARSE_BODY,      /* feed more */
    HTTP_PARSE_DONE,      /* the request is whole */
    HTTP_PARSE_BREACH,    /* refused: status and what */
};

struct http_parse {
    enum http_parse_phase phase;
    int status;       /* of the breach: 400, 413, 414, 417, 431, 501, 505 */
    const char *what; /* static text for people */

    /* Known from HTTP_PARSE_HEAD_DONE on. */
    struct http_request *req; /* method, path, query, fields are set; body at HTTP_PARSE_DONE */
    int minor;                /* HTTP/1.minor, 0 or 1 */
    bool close;               /* Connection: close, or HTTP/1.0 */
    bool expects_continue;    /* Expect: 100-continue, in HTTP/1.1 and with a body to come */
    bool chunked;
    uint64_t content_length;  /* 0 when absent or chunked; UINT64_MAX when it fits no number */

    /* The machine's own. */
    struct http_parse_limits limits;
    unsigned state;
    bool trailers;          /* the fields read are those after the last chunk: checked, not kept */
    size_t line_bytes, head_bytes, word_bytes;
    size_t field_count;
    struct buf text;        /* strings of the line, then of the fields, one after another, NUL-terminated */
    size_t *offsets;        /* in text, behind the end of each */
    size_t offset_count, offset_capacity;
    size_t body_max;
    struct buf body;
    uint64_t left;          /* bytes to come of the body or of the present chunk */
    unsigned size_digits;   /* of the present chunk's size */
    size_t extension_bytes; /* of all chunks so far */
};

/* Starts over for a request that will be filled in. Memory is taken from req. */
void http_parse_begin(struct http_parse *parse, struct http_request *req, const struct http_parse_limits *limits);
/* Reads on; returns how many bytes were used: all of them unless the phase changed. */
size_t http_parse_feed(struct http_parse *parse, struct bytes in);
/* True once a byte of the request itself was read (the empty line before it does not count). */
bool http_parse_started(const struct http_parse *parse);
/* True when the head announces a body. Valid from HTTP_PARSE_HEAD_DONE on. */
bool http_parse_has_body(const struct http_parse *parse);
/* At HTTP_PARSE_HEAD_DONE: goes on with the body, which may have max bytes, decoded. The phase is
 * HTTP_PARSE_BODY, HTTP_PARSE_DONE when there is none, or HTTP_PARSE_BREACH (413). */
void http_parse_body(struct http_parse *parse, size_t max);

/* Character classes of the grammar. */
enum http_class {
    HTTP_TOKEN = 1,  /* RFC 9110 §5.6.2 */
    HTTP_PATH = 2,   /* pchar and '/', RFC 3986 §3.3 */
    HTTP_TARGET = 4, /* what a request target may hold at all */
    HTTP_VALUE = 8,  /* field-vchar, space, tab: RFC 9110 §5.5 */
    HTTP_HEX = 16,
    HTTP_NAME = 32,  /* reg-name without percent escapes, RFC 3986 §3.2.2 */
};
/* How many of the first len bytes are of the class. */
size_t http_span(const uint8_t *at, size_t len, unsigned classes);

/* http_rules.c: what the grammar alone does not say. Both return 0 or the status of a breach, with
 * *ret_what set. */
/* The method, the target (cut into path and query where it stands) and the version. */
int http_rules_line(struct http_parse *parse, const char *method, char *target, const char *version,
                    const char **ret_what);
/* Host, Content-Length, Transfer-Encoding, Connection, Expect. */
int http_rules_fields(struct http_parse *parse, const char **ret_what);
