#include "user_claims.h"

#include <string.h>

static bool looks_like_json(const char *value)
{
    return value[0] == '{' || value[0] == '[' || strcmp(value, "true") == 0 || strcmp(value, "false") == 0;
}

static enum op_err refuse(const char *why, const char **ret_why)
{
    *ret_why = why;
    return OP_INVALID;
}

static enum op_err read_value(const void *ctx, const char *name, const char *text, bool json, json_t **ret,
                              const char **ret_why)
{
    if (json || looks_like_json(text)) {
        if (json_read(ctx, bytes_of(text), ret) == OP_OK)
            return OP_OK;
        return refuse(mem_printf(ctx, "the claim %s is not JSON (text like it is written %s:=\"...\")", name,
                                 name), ret_why);
    }
    json_t *value = json_string(text); /* NULL when not UTF-8 */
    if (value == NULL)
        return refuse(mem_printf(ctx, "the claim %s is not UTF-8 text", name), ret_why);
    *ret = json_own(ctx, value);
    return OP_OK;
}

enum op_err user_claim_read(const void *ctx, const char *text, json_t *claims, const char **ret_why)
{
    const char *equals = strchr(text, '=');
    if (equals == NULL || equals == text)
        return refuse(mem_printf(ctx, "the claim %s is not written as NAME=VALUE", text), ret_why);
    bool json = equals[-1] == ':';
    char *name = mem_strndup(ctx, text, (size_t)(equals - text) - json);
    json_t *value;
    enum op_err err = read_value(ctx, name, equals + 1, json, &value, ret_why);
    if (err != OP_OK)
        return err;
    if (json_is_null(value))
        return refuse(mem_printf(ctx, "the claim %s is null: leave it out instead", name), ret_why);
    json_set(claims, name, value);
    return OP_OK;
}
