#include "runtime/http_parse.h"

#include <string.h>

enum {
    METHOD_MAX = 24,      /* bytes; longer than any method there is */
    SIZE_DIGITS_MAX = 16, /* of a chunk's size: what fits 64 bits */
    LINE_START = 256,     /* bytes a request line gets to begin with */
    FIELDS_START = 2048,  /* bytes the fields get */
    OFFSETS_START = 64,
};

enum state {
    AT_START, AT_START_LF, AT_METHOD, AT_TARGET, AT_VERSION, AT_LINE_LF,
    AT_FIELD, AT_NAME, AT_SPACE, AT_VALUE, AT_VALUE_LF, AT_END_LF,
    AT_LENGTH, AT_SIZE, AT_SIZE_SPACE, AT_EXTENSION, AT_SIZE_LF, AT_DATA, AT_DATA_CR, AT_DATA_LF,
};

#define UNRESERVED_ (HTTP_PATH | HTTP_TARGET | HTTP_VALUE | HTTP_NAME)
#define SUB_DELIM_ UNRESERVED_

static const uint8_t classes_of[256] = {
    ['\t'] = HTTP_VALUE, [' '] = HTTP_VALUE,
    ['!'] = HTTP_TOKEN | SUB_DELIM_, ['"'] = HTTP_VALUE, ['#'] = HTTP_TOKEN | HTTP_VALUE,
    ['$'] = HTTP_TOKEN | SUB_DELIM_, ['%'] = HTTP_TOKEN | HTTP_PATH | HTTP_TARGET | HTTP_VALUE,
    ['&'] = HTTP_TOKEN | SUB_DELIM_, ['\''] = HTTP_TOKEN | SUB_DELIM_, ['('] = SUB_DELIM_, [')'] = SUB_DELIM_,
    ['*'] = HTTP_TOKEN | SUB_DELIM_, ['+'] = HTTP_TOKEN | SUB_DELIM_, [','] = SUB_DELIM_,
    ['-'] = HTTP_TOKEN | UNRESERVED_, ['.'] = HTTP_TOKEN | UNRESERVED_, ['/'] = HTTP_PATH | HTTP_TARGET | HTTP_VALUE,
    ['0' ... '9'] = HTTP_TOKEN | UNRESERVED_ | HTTP_HEX,
    [':'] = HTTP_PATH | HTTP_TARGET | HTTP_VALUE, [';'] = SUB_DELIM_, ['<'] = HTTP_VALUE, ['='] = SUB_DELIM_,
    ['>'] = HTTP_VALUE, ['?'] = HTTP_TARGET | HTTP_VALUE, ['@'] = HTTP_PATH | HTTP_TARGET | HTTP_VALUE,
    ['A' ... 'F'] = HTTP_TOKEN | UNRESERVED_ | HTTP_HEX, ['G' ... 'Z'] = HTTP_TOKEN | UNRESERVED_,
    ['['] = HTTP_TARGET | HTTP_VALUE, ['\\'] = HTTP_TARGET | HTTP_VALUE, [']'] = HTTP_TARGET | HTTP_VALUE,
    ['^'] = HTTP_TOKEN | HTTP_TARGET | HTTP_VALUE, ['_'] = HTTP_TOKEN | UNRESERVED_,
    ['`'] = HTTP_TOKEN | HTTP_TARGET | HTTP_VALUE,
    ['a' ... 'f'] = HTTP_TOKEN | UNRESERVED_ | HTTP_HEX, ['g' ... 'z'] = HTTP_TOKEN | UNRESERVED_,
    ['{'] = HTTP_TARGET | HTTP_VALUE, ['|'] = HTTP_TOKEN | HTTP_TARGET | HTTP_VALUE, ['}'] = HTTP_TARGET | HTTP_VALUE,
    ['~'] = HTTP_TOKEN | UNRESERVED_, [0x80 ... 0xff] = HTTP_VALUE,
};

size_t http_span(const uint8_t *at, size_t len, unsigned classes)
{
    size_t n = 0;
    while (n < len && (classes_of[at[n]] & classes) != 0)
        n++;
    return n;
}

static size_t breach(struct http_parse *p, int status, const char *what)
{
    p->phase = HTTP_PARSE_BREACH;
    p->status = status;
    p->what = what;
    return 0;
}

/* Counts n bytes of the request line or of the fields. */
static bool count(struct http_parse *p, size_t n)
{
    bool line = p->state <= AT_LINE_LF;
    size_t *bytes = line ? &p->line_bytes : &p->head_bytes;
    *bytes += n;
    if (*bytes <= (line ? p->limits.line_max : p->limits.head_max))
        return true;
    if (line)
        breach(p, 414, "request line too long");
    else
        breach(p, 431, "header fields too large");
    return false;
}

static void keep(struct http_parse *p, const uint8_t *at, size_t n)
{
    if (!p->trailers)
        buf_add_bytes(&p->text, bytes_from(at, n));
}

/* Ends one string of the head; the next begins behind it. */
static void keep_end(struct http_parse *p)
{
    if (p->trailers)
        return;
    buf_add_char(&p->text, '\0');
    if (p->offset_count == p->offset_capacity) {
        p->offset_capacity = p->offset_capacity == 0 ? OFFSETS_START : 2 * p->offset_capacity;
        p->offsets = mem_grow(p->req, p->offsets, size_t, p->offset_capacity);
    }
    p->offsets[p->offset_count++] = p->text.len;
}

static void begin_text(struct http_parse *p, size_t capacity)
{
    p->text = buf_make(p->req);
    p->text.data = mem_grow(p->req, NULL, char, capacity);
    p->text.data[0] = '\0';
    p->text.capacity = capacity;
}

/* One string of the head, up to the byte that must end it. */
struct word {
    unsigned classes;
    uint8_t end;
    bool may_be_empty;
    enum state next;
    const char *what;
};

static size_t read_word(struct http_parse *p, const uint8_t *at, size_t len, const struct word *word)
{
    size_t n = http_span(at, len, word->classes);
    if (!count(p, n))
        return 0;
    keep(p, at, n);
    p->word_bytes += n;
    if (n == len)
        return n;
    if (at[n] != word->end || (p->word_bytes == 0 && !word->may_be_empty))
        return breach(p, 400, word->what);
    if (!count(p, 1))
        return 0;
    p->word_bytes = 0;
    p->state = word->next;
    return n + 1;
}

/* The line feed that must follow a carriage return. */
static size_t read_lf(struct http_parse *p, uint8_t c, enum state next)
{
    if (c != '\n')
        return breach(p, 400, "carriage return without line feed");
    p->state = next;
    return 1;
}

static size_t step_start(struct http_parse *p, const uint8_t *at, size_t len)
{
    (void)len;
    p->state = *at == '\r' ? AT_START_LF : AT_METHOD;
    return *at == '\r' ? 1 : 0;
}

static size_t step_start_lf(struct http_parse *p, const uint8_t *at, size_t len)
{
    (void)len;
    return read_lf(p, *at, AT_METHOD);
}

static size_t step_method(struct http_parse *p, const uint8_t *at, size_t len)
{
    static const struct word method = {HTTP_TOKEN, ' ', false, AT_TARGET, "malformed method"};
    if (p->word_bytes + http_span(at, len, HTTP_TOKEN) > METHOD_MAX)
        return breach(p, 501, "unknown method");
    size_t n = read_word(p, at, len, &method);
    if (p->state == AT_TARGET)
        keep_end(p);
    return n;
}

static size_t step_target(struct http_parse *p, const uint8_t *at, size_t len)
{
    static const struct word target = {HTTP_TARGET, ' ', false, AT_VERSION, "malformed request target"};
    size_t n = read_word(p, at, len, &target);
    if (p->state == AT_VERSION)
        keep_end(p);
    return n;
}

static size_t step_version(struct http_parse *p, const uint8_t *at, size_t len)
{
    static const struct word version = {HTTP_TOKEN | HTTP_PATH, '\r', false, AT_LINE_LF, "malformed version"};
    size_t n = read_word(p, at, len, &version);
    if (p->state == AT_LINE_LF)
        keep_end(p);
    return n;
}

static size_t step_line_lf(struct http_parse *p, const uint8_t *at, size_t len)
{
    (void)len;
    if (!count(p, 1) || read_lf(p, *at, AT_FIELD) == 0)
        return 0;
    const char *what = NULL;
    char *line = p->text.data;
    int status = http_rules_line(p, line, line + p->offsets[0], line + p->offsets[1], &what);
    if (status != 0)
        return breach(p, status, what);
    begin_text(p, FIELDS_START); /* the line stays where it is, for path and query point at it */
    p->offset_count = 0;
    return 1;
}

static size_t step_field(struct http_parse *p, const uint8_t *at, size_t len)
{
    (void)len;
    if (*at == '\r') {
        p->state = AT_END_LF;
        return 1;
    }
    if (*at == ' ' || *at == '\t')
        return breach(p, 400, "folded header field");
    if (p->field_count == p->limits.fields_max)
        return breach(p, 431, "too many header fields");
    p->field_count++;
    p->state = AT_NAME;
    return 0;
}

static void lower(char *text, size_t len)
{
    for (size_t i = 0; i < len; i++)
        if (text[i] >= 'A' && text[i] <= 'Z')
            text[i] = (char)(text[i] + ('a' - 'A'));
}

static size_t step_name(struct http_parse *p, const uint8_t *at, size_t len)
{
    static const struct word name = {HTTP_TOKEN, ':', false, AT_SPACE, "malformed header field name"};
    size_t before = p->text.len;
    size_t n = read_word(p, at, len, &name);
    if (!p->trailers)
        lower(p->text.data + before, p->text.len - before);
    if (p->state == AT_SPACE)
        keep_end(p);
    return n;
}

static size_t step_space(struct http_parse *p, const uint8_t *at, size_t len)
{
    size_t n = 0;
    while (n < len && (at[n] == ' ' || at[n] == '\t'))
        n++;
    if (!count(p, n))
        return 0;
    if (n < len)
        p->state = AT_VALUE;
    return n;
}

static void trim_value(struct http_parse *p)
{
    size_t start = p->offsets[p->offset_count - 1];
    while (p->text.len > start && (p->text.data[p->text.len - 1] == ' ' || p->text.data[p->text.len - 1] == '\t'))
        p->text.len--;
}

static size_t step_value(struct http_parse *p, const uint8_t *at, size_t len)
{
    static const struct word value = {HTTP_VALUE, '\r', true, AT_VALUE_LF, "malformed header field value"};
    size_t n = read_word(p, at, len, &value);
    if (p->state != AT_VALUE_LF || p->trailers)
        return n;
    trim_value(p);
    keep_end(p);
    return n;
}

static size_t step_value_lf(struct http_parse *p, const uint8_t *at, size_t len)
{
    (void)len;
    return count(p, 1) ? read_lf(p, *at, AT_FIELD) : 0;
}

/* The head's strings no longer move: points the fields at them. */
static void set_fields(struct http_parse *p)
{
    struct http_field *fields = mem_array(p->req, struct http_field, p->field_count);
    for (size_t i = 0; i < p->field_count; i++) {
        fields[i].name = p->text.data + (i == 0 ? 0 : p->offsets[2 * i - 1]);
        fields[i].value = p->text.data + p->offsets[2 * i];
    }
    p->req->fields = fields;
    p->req->field_count = p->field_count;
    mem_secret(p->text.data);
}

static void finish_body(struct http_parse *p)
{
    if (p->body.data != NULL)
        mem_secret(p->body.data);
    p->req->body = buf_bytes(&p->body);
    p->phase = HTTP_PARSE_DONE;
}

/* The empty line after the fields, or after the trailers. */
static size_t step_end_lf(struct http_parse *p, const uint8_t *at, size_t len)
{
    (void)len;
    if (read_lf(p, *at, AT_END_LF) == 0)
        return 0;
    if (p->trailers) {
        finish_body(p);
        return 1;
    }
    set_fields(p);
    const char *what = NULL;
    int status = http_rules_fields(p, &what);
    if (status != 0)
        return breach(p, status, what);
    p->phase = HTTP_PARSE_HEAD_DONE;
    return 1;
}

static size_t read_body(struct http_parse *p, const uint8_t *at, size_t len)
{
    size_t n = len < p->left ? len : (size_t)p->left;
    buf_add_bytes(&p->body, bytes_from(at, n));
    p->left -= n;
    return n;
}

static size_t step_length(struct http_parse *p, const uint8_t *at, size_t len)
{
    size_t n = read_body(p, at, len);
    if (p->left == 0)
        finish_body(p);
    return n;
}

static uint64_t hex_value(uint8_t c)
{
    if (c <= '9')
        return (uint64_t)(c - '0');
    return (uint64_t)((c | 0x20) - 'a' + 10);
}

static size_t step_size(struct http_parse *p, const uint8_t *at, size_t len)
{
    (void)len;
    if (http_span(at, 1, HTTP_HEX) == 1) {
        if (++p->size_digits > SIZE_DIGITS_MAX)
            return breach(p, 400, "malformed chunk size");
        p->left = p->left << 4 | hex_value(*at);
        return 1;
    }
    if (p->size_digits == 0)
        return breach(p, 400, "malformed chunk size");
    switch (*at) {
    case '\r': p->state = AT_SIZE_LF; return 1;
    case ';': p->state = AT_EXTENSION; return 1;
    case ' ':
    case '\t': p->state = AT_SIZE_SPACE; return 1;
    default: return breach(p, 400, "malformed chunk size");
    }
}

/* White space between the size and the ';' of an extension: RFC 9112 §7.1.1 has it parsed. */
static size_t step_size_space(struct http_parse *p, const uint8_t *at, size_t len)
{
    (void)len;
    if (*at != ' ' && *at != '\t' && *at != ';')
        return breach(p, 400, "malformed chunk size");
    if (++p->extension_bytes > p->limits.head_max)
        return breach(p, 400, "chunk extensions too large");
    if (*at == ';')
        p->state = AT_EXTENSION;
    return 1;
}

static size_t step_extension(struct http_parse *p, const uint8_t *at, size_t len)
{
    size_t n = http_span(at, len, HTTP_VALUE);
    p->extension_bytes += n;
    if (p->extension_bytes > p->limits.head_max)
        return breach(p, 400, "chunk extensions too large");
    if (n == len)
        return n;
    if (at[n] != '\r')
        return breach(p, 400, "malformed chunk extension");
    p->state = AT_SIZE_LF;
    return n + 1;
}

static size_t step_size_lf(struct http_parse *p, const uint8_t *at, size_t len)
{
    (void)len;
    if (read_lf(p, *at, AT_DATA) == 0)
        return 0;
    if (p->left > p->body_max - p->body.len)
        return breach(p, 413, "request body too large");
    if (p->left != 0)
        return 1;
    p->trailers = true;
    p->head_bytes = p->field_count = 0;
    p->state = AT_FIELD;
    return 1;
}

static size_t step_data(struct http_parse *p, const uint8_t *at, size_t len)
{
    size_t n = read_body(p, at, len);
    if (p->left == 0)
        p->state = AT_DATA_CR;
    return n;
}

static size_t step_data_cr(struct http_parse *p, const uint8_t *at, size_t len)
{
    (void)len;
    if (*at != '\r')
        return breach(p, 400, "chunk longer than its size");
    p->state = AT_DATA_LF;
    return 1;
}

static size_t step_data_lf(struct http_parse *p, const uint8_t *at, size_t len)
{
    (void)len;
    p->size_digits = 0;
    return read_lf(p, *at, AT_SIZE);
}

typedef size_t (*step)(struct http_parse *p, const uint8_t *at, size_t len);

static const step steps[] = {
    [AT_START] = step_start, [AT_START_LF] = step_start_lf, [AT_METHOD] = step_method, [AT_TARGET] = step_target,
    [AT_VERSION] = step_version, [AT_LINE_LF] = step_line_lf, [AT_FIELD] = step_field, [AT_NAME] = step_name,
    [AT_SPACE] = step_space, [AT_VALUE] = step_value, [AT_VALUE_LF] = step_value_lf, [AT_END_LF] = step_end_lf,
    [AT_LENGTH] = step_length, [AT_SIZE] = step_size, [AT_SIZE_SPACE] = step_size_space,
    [AT_EXTENSION] = step_extension, [AT_SIZE_LF] = step_size_lf, [AT_DATA] = step_data,
    [AT_DATA_CR] = step_data_cr, [AT_DATA_LF] = step_data_lf,
};

void http_parse_begin(struct http_parse *p, struct http_request *req, const struct http_parse_limits *limits)
{
    *p = (struct http_parse){.req = req, .limits = *limits, .body = buf_make(req)};
    begin_text(p, LINE_START);
}

size_t http_parse_feed(struct http_parse *p, struct bytes in)
{
    size_t used = 0;
    while (used < in.len && (p->phase == HTTP_PARSE_HEAD || p->phase == HTTP_PARSE_BODY))
        used += steps[p->state](p, in.data + used, in.len - used);
    return used;
}

bool http_parse_started(const struct http_parse *p)
{
    return p->state > AT_METHOD || p->word_bytes > 0;
}

bool http_parse_has_body(const struct http_parse *p)
{
    return p->chunked || p->content_length > 0;
}

void http_parse_body(struct http_parse *p, size_t max)
{
    p->phase = HTTP_PARSE_BODY;
    p->body_max = max;
    p->left = p->content_length;
    if (p->left > max)
        breach(p, 413, "request body too large");
    else if (p->chunked)
        p->state = AT_SIZE;
    else if (p->left == 0)
        finish_body(p);
    else {
        p->state = AT_LENGTH;
        p->body.capacity = (size_t)p->left + 1;
        p->body.data = mem_grow(p->req, NULL, char, p->body.capacity);
    }
}
