#include "base/codec.h"

#include <string.h>

static const char URL_ALPHABET[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
static const char ALPHABET[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

static char *encode(const void *ctx, struct bytes in, const char *alphabet, bool pad)
{
    char *out = mem_array(ctx, char, (in.len + 2) / 3 * 4 + 1), *p = out;
    for (size_t i = 0; i < in.len; i += 3) {
        size_t left = in.len - i;
        uint32_t group = (uint32_t)in.data[i] << 16;
        if (left > 1)
            group |= (uint32_t)in.data[i + 1] << 8;
        if (left > 2)
            group |= in.data[i + 2];
        size_t digits = left > 2 ? 4 : left + 1;
        for (size_t d = 0; d < 4; d++) {
            if (d < digits)
                *p++ = alphabet[group >> (18 - 6 * d) & 63];
            else if (pad)
                *p++ = '=';
        }
    }
    return out;
}

static int digit_of(uint8_t c, const char *alphabet)
{
    if (c >= 'A' && c <= 'Z')
        return c - 'A';
    if (c >= 'a' && c <= 'z')
        return c - 'a' + 26;
    if (c >= '0' && c <= '9')
        return c - '0' + 52;
    if (c == (uint8_t)alphabet[62])
        return 62;
    return c == (uint8_t)alphabet[63] ? 63 : -1;
}

static enum op_err decode(const void *ctx, struct bytes in, const char *alphabet, struct bytes *ret)
{
    if (in.len % 4 == 1)
        return OP_INVALID;
    uint8_t *out = mem_array(ctx, uint8_t, in.len / 4 * 3 + 3 + 1);
    size_t len = 0, bits = 0;
    uint32_t group = 0;
    for (size_t i = 0; i < in.len; i++) {
        int digit = digit_of(in.data[i], alphabet);
        if (digit < 0)
            goto invalid;
        group = group << 6 | (uint32_t)digit;
        bits += 6;
        if (bits >= 8) {
            bits -= 8;
            out[len++] = (uint8_t)(group >> bits);
            group &= (1U << bits) - 1;
        }
    }
    if (group != 0)
        goto invalid;
    out[len] = 0;
    *ret = bytes_from(out, len);
    return OP_OK;
invalid:
    talloc_free(out);
    return OP_INVALID;
}

char *codec_base64url(const void *ctx, struct bytes in)
{
    return encode(ctx, in, URL_ALPHABET, false);
}

enum op_err codec_from_base64url(const void *ctx, struct bytes text, struct bytes *ret)
{
    return decode(ctx, text, URL_ALPHABET, ret);
}

char *codec_base64(const void *ctx, struct bytes in)
{
    return encode(ctx, in, ALPHABET, true);
}

enum op_err codec_from_base64(const void *ctx, struct bytes text, struct bytes *ret)
{
    if (text.len % 4 != 0)
        return OP_INVALID;
    for (int i = 0; i < 2 && text.len > 0 && text.data[text.len - 1] == '='; i++)
        text.len--;
    return decode(ctx, text, ALPHABET, ret);
}

char *codec_hex(const void *ctx, struct bytes in)
{
    static const char digits[] = "0123456789abcdef";
    char *out = mem_array(ctx, char, in.len * 2 + 1);
    for (size_t i = 0; i < in.len; i++) {
        out[2 * i] = digits[in.data[i] >> 4];
        out[2 * i + 1] = digits[in.data[i] & 15];
    }
    return out;
}

static int hex_digit(uint8_t c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

enum op_err codec_from_hex(const void *ctx, struct bytes text, struct bytes *ret)
{
    if (text.len % 2 != 0)
        return OP_INVALID;
    uint8_t *out = mem_array(ctx, uint8_t, text.len / 2 + 1);
    for (size_t i = 0; i < text.len; i += 2) {
        int high = hex_digit(text.data[i]), low = hex_digit(text.data[i + 1]);
        if (high < 0 || low < 0) {
            talloc_free(out);
            return OP_INVALID;
        }
        out[i / 2] = (uint8_t)(high << 4 | low);
    }
    *ret = bytes_from(out, text.len / 2);
    return OP_OK;
}
