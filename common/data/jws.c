#include "data/jws.h"

#include <string.h>

#include "base/codec.h"

enum { TOKEN_MAX = 16 * 1024 };

static enum op_err read_header(const void *ctx, struct bytes text, struct jose_header *ret)
{
    struct jose_header header = {0};
    const char *alg;
    json_t *object;
    static const char media[] = "application/";
    enum op_err err = json_read(ctx, text, &object);
    if (err != OP_OK || json_get_string(object, "alg", &alg) != OP_OK ||
        json_object_get(object, "crit") != NULL || json_object_get(object, "b64") != NULL)
        return OP_INVALID;
    err = json_get_string(object, "kid", &header.kid);
    if (err != OP_OK && err != OP_ABSENT)
        return OP_INVALID;
    err = json_get_string(object, "typ", &header.typ);
    if (err != OP_OK && err != OP_ABSENT)
        return OP_INVALID;
    size_t prefix = sizeof media - 1;
    if (header.typ != NULL && strncasecmp(header.typ, media, prefix) == 0 && strchr(header.typ + prefix, '/') == NULL)
        header.typ += prefix;
    header.alg = jose_alg_from_name(alg);
    *ret = header;
    return OP_OK;
}

enum op_err jws_take_apart(const void *ctx, const char *token, struct jws *ret)
{
    struct jws parts = {0};
    struct bytes head;
    if (strnlen(token, TOKEN_MAX + 1) > TOKEN_MAX)
        return OP_TOO_LARGE;
    const char *dot = strchr(token, '.'), *second = dot == NULL ? NULL : strchr(dot + 1, '.');
    if (second == NULL)
        return OP_INVALID;
    parts.input = bytes_from(token, (size_t)(second - token));
    if (codec_from_base64url(ctx, bytes_from(token, (size_t)(dot - token)), &head) != OP_OK ||
        codec_from_base64url(ctx, bytes_from(dot + 1, (size_t)(second - dot - 1)), &parts.payload) != OP_OK ||
        codec_from_base64url(ctx, bytes_of(second + 1), &parts.signature) != OP_OK)
        return OP_INVALID;
    enum op_err err = read_header(ctx, head, &parts.header);
    if (err == OP_OK)
        *ret = parts;
    return err;
}
