#include "data/form.h"

#include <string.h>

/* Length of the UTF-8 sequence that starts here (Unicode table 3-7), 0 when it is not well-formed. */
static size_t utf8_sequence(const uint8_t *p, size_t left)
{
    static const struct {
        uint8_t first_low, first_high, second_low, second_high, len;
    } rows[] = {
        {0x00, 0x7f, 0, 0, 1},       {0xc2, 0xdf, 0x80, 0xbf, 2}, {0xe0, 0xe0, 0xa0, 0xbf, 3},
        {0xe1, 0xec, 0x80, 0xbf, 3}, {0xed, 0xed, 0x80, 0x9f, 3}, {0xee, 0xef, 0x80, 0xbf, 3},
        {0xf0, 0xf0, 0x90, 0xbf, 4}, {0xf1, 0xf3, 0x80, 0xbf, 4}, {0xf4, 0xf4, 0x80, 0x8f, 4},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        if (p[0] < rows[i].first_low || p[0] > rows[i].first_high)
            continue;
        size_t len = rows[i].len;
        if (len > left || (len > 1 && (p[1] < rows[i].second_low || p[1] > rows[i].second_high)))
            return 0;
        for (size_t k = 2; k < len; k++)
            if ((p[k] & 0xc0) != 0x80)
                return 0;
        return len;
    }
    return 0;
}

bool form_is_utf8(struct bytes text)
{
    for (size_t i = 0; i < text.len;) {
        size_t len = text.data[i] < 0x80 ? 1 : utf8_sequence(text.data + i, text.len - i);
        if (len == 0)
            return false;
        i += len;
    }
    return true;
}

static uint32_t code_point(const uint8_t *p, size_t len)
{
    uint32_t point = len == 1 ? p[0] : p[0] & (0x7fu >> len);
    for (size_t i = 1; i < len; i++)
        point = point << 6 | (p[i] & 0x3f);
    return point;
}

static bool is_invisible(uint32_t point)
{
    static const struct {
        uint32_t first, last;
    } ranges[] = {
        {0x00, 0x1f},     {0x7f, 0x9f},     {0xad, 0xad},     {0x61c, 0x61c},   {0x180e, 0x180e},
        {0x200b, 0x200b}, {0x200e, 0x200f}, {0x2028, 0x202e}, {0x2060, 0x206f}, {0xfeff, 0xfeff},
        {0xfff9, 0xfffb}, {0xe0000, 0xe007f},
    };
    for (size_t i = 0; i < sizeof ranges / sizeof *ranges; i++)
        if (point >= ranges[i].first && point <= ranges[i].last)
            return true;
    return false;
}

bool form_is_plain(struct bytes text)
{
    for (size_t i = 0; i < text.len;) {
        size_t len = utf8_sequence(text.data + i, text.len - i);
        if (len == 0 || is_invisible(code_point(text.data + i, len)))
            return false;
        i += len;
    }
    return true;
}

static int hex_digit(uint8_t c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c |= 0x20;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

enum op_err form_decode(const void *ctx, struct bytes text, char **ret)
{
    char *out = mem_secret(mem_array(ctx, char, text.len + 1)); /* forms carry passwords, codes and tokens */
    size_t len = 0;
    for (size_t i = 0; i < text.len; i++) {
        uint8_t c = text.data[i];
        if (c == '+') {
            c = ' ';
        } else if (c == '%') {
            int high = i + 2 < text.len ? hex_digit(text.data[i + 1]) : -1;
            int low = i + 2 < text.len ? hex_digit(text.data[i + 2]) : -1;
            if (high < 0 || low < 0)
                goto invalid;
            c = (uint8_t)(high << 4 | low);
            i += 2;
        }
        if (c == '\0')
            goto invalid;
        out[len++] = (char)c;
    }
    if (!form_is_utf8(bytes_from(out, len)))
        goto invalid;
    *ret = out;
    return OP_OK;
invalid:
    talloc_free(out);
    return OP_INVALID;
}

static enum op_err decode_pair(const void *ctx, struct bytes text, struct form_pair *ret)
{
    const uint8_t *equals = memchr(text.data, '=', text.len);
    size_t name_len = equals == NULL ? text.len : (size_t)(equals - text.data);
    struct bytes value = equals == NULL ? bytes_from(NULL, 0) : bytes_from(equals + 1, text.len - name_len - 1);
    char *name, *decoded;
    enum op_err err = form_decode(ctx, bytes_from(text.data, name_len), &name);
    if (err != OP_OK)
        return err;
    err = form_decode(ctx, value, &decoded);
    if (err == OP_OK)
        *ret = (struct form_pair){.name = name, .value = decoded};
    return err;
}

enum op_err form_parse(const void *ctx, struct bytes text, size_t max_pairs, struct form *ret)
{
    struct form form = {0};
    const uint8_t *p = text.data, *end = p == NULL ? p : p + text.len;
    enum op_err err = OP_OK;
    for (size_t capacity = 0; p != end;) {
        const uint8_t *stop = memchr(p, '&', (size_t)(end - p));
        if (stop == NULL)
            stop = end;
        if (stop != p) {
            if (form.count == max_pairs)
                return OP_TOO_LARGE;
            if (form.count == capacity) {
                capacity = capacity == 0 ? 16 : capacity * 2;
                form.pairs = mem_grow(ctx, form.pairs, struct form_pair, capacity);
            }
            err = decode_pair(ctx, bytes_from(p, (size_t)(stop - p)), &form.pairs[form.count]);
            if (err != OP_OK)
                return err;
            form.count++;
        }
        p = stop == end ? end : stop + 1;
    }
    *ret = form;
    return OP_OK;
}

const char *form_get(const struct form *form, const char *name)
{
    for (size_t i = 0; i < form->count; i++)
        if (strcmp(form->pairs[i].name, name) == 0)
            return form->pairs[i].value;
    return NULL;
}

size_t form_count(const struct form *form, const char *name)
{
    size_t count = 0;
    for (size_t i = 0; i < form->count; i++)
        count += strcmp(form->pairs[i].name, name) == 0;
    return count;
}

static bool is_unreserved(uint8_t c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '.' ||
           c == '_' || c == '~';
}

void form_add_encoded(struct buf *out, const char *value)
{
    static const char digits[] = "0123456789ABCDEF";
    for (const char *p = value; *p != '\0'; p++) {
        uint8_t c = (uint8_t)*p;
        char escape[3] = {'%', digits[c >> 4], digits[c & 15]};
        if (is_unreserved(c))
            buf_add_char(out, *p);
        else
            buf_add_bytes(out, bytes_from(escape, sizeof escape));
    }
}

void form_add(struct buf *out, const char *name, const char *value)
{
    if (out->len != 0)
        buf_add_char(out, '&');
    form_add_encoded(out, name);
    buf_add_char(out, '=');
    form_add_encoded(out, value);
}
