#include "base/num.h"

enum op_err num_parse_u64(struct bytes text, uint64_t max, uint64_t *ret)
{
    uint64_t value = 0;
    if (text.len == 0)
        return OP_INVALID;
    for (size_t i = 0; i < text.len; i++)
        if (text.data[i] < '0' || text.data[i] > '9')
            return OP_INVALID;
    for (size_t i = 0; i < text.len; i++) {
        uint64_t digit = (uint64_t)(text.data[i] - '0');
        if (value > (UINT64_MAX - digit) / 10)
            return OP_TOO_LARGE;
        value = value * 10 + digit;
    }
    if (value > max)
        return OP_TOO_LARGE;
    *ret = value;
    return OP_OK;
}

enum op_err num_parse_i64(struct bytes text, int64_t min, int64_t max, int64_t *ret)
{
    bool negative = text.len > 0 && text.data[0] == '-';
    struct bytes digits = negative ? bytes_from(text.data + 1, text.len - 1) : text;
    uint64_t magnitude;
    enum op_err err = num_parse_u64(digits, INT64_MAX, &magnitude);
    if (err != OP_OK)
        return err;
    int64_t value = negative ? -(int64_t)magnitude : (int64_t)magnitude;
    if (value < min || value > max)
        return OP_TOO_LARGE;
    *ret = value;
    return OP_OK;
}

void num_put_be32(uint8_t out[4], uint32_t value)
{
    for (int i = 0; i < 4; i++)
        out[i] = (uint8_t)(value >> (24 - 8 * i));
}

void num_put_be64(uint8_t out[8], uint64_t value)
{
    for (int i = 0; i < 8; i++)
        out[i] = (uint8_t)(value >> (56 - 8 * i));
}

uint32_t num_get_be32(const uint8_t in[4])
{
    uint32_t value = 0;
    for (int i = 0; i < 4; i++)
        value = value << 8 | in[i];
    return value;
}

uint64_t num_get_be64(const uint8_t in[8])
{
    uint64_t value = 0;
    for (int i = 0; i < 8; i++)
        value = value << 8 | in[i];
    return value;
}
