#include "protocol/params.h"

#include <assert.h>
#include <string.h>

/* No C0 or C1 control (the latter are C2 80..9F in UTF-8) and no DEL. */
static bool is_printable(const char *value)
{
    for (const unsigned char *p = (const unsigned char *)value; *p != '\0'; p++) {
        if (*p < 0x20 || *p == 0x7f)
            return false;
        if (*p == 0xc2 && p[1] >= 0x80 && p[1] <= 0x9f)
            return false;
    }
    return true;
}

static enum op_err refuse(const void *ctx, const struct param *row, const char *what, struct oauth_error *ret_error)
{
    *ret_error = (struct oauth_error){OAUTH_INVALID_REQUEST, mem_printf(ctx, "%s %s", row->name, what)};
    return OP_INVALID;
}

static enum op_err check_value(const void *ctx, const struct param *row, const char *value,
                               struct oauth_error *ret_error)
{
    if (strlen(value) > row->max)
        return refuse(ctx, row, "is too long", ret_error);
    if (row->check != NULL ? !row->check(value) : !is_printable(value))
        return refuse(ctx, row, "has a form or characters that are not allowed", ret_error);
    return OP_OK;
}

static enum op_err read_one(const void *ctx, const struct param *row, const struct form *form, char *out,
                            struct oauth_error *ret_error)
{
    if (form_count(form, row->name) > 1)
        return refuse(ctx, row, "is there more than once", ret_error);
    const char *value = form_get(form, row->name);
    if (value == NULL || *value == '\0')
        return row->flags & PARAM_REQUIRED ? refuse(ctx, row, "is missing", ret_error) : OP_OK;
    enum op_err err = check_value(ctx, row, value, ret_error);
    if (err == OP_OK)
        memcpy(out + row->offset, &value, sizeof value);
    return err;
}

static enum op_err read_list(const void *ctx, const struct param *row, const struct form *form, char *out,
                             struct oauth_error *ret_error)
{
    struct param_list list = {.items = mem_array(ctx, const char *, form_count(form, row->name))};
    for (size_t i = 0; i < form->count; i++) {
        const char *value = form->pairs[i].value;
        if (strcmp(form->pairs[i].name, row->name) != 0 || *value == '\0')
            continue;
        enum op_err err = check_value(ctx, row, value, ret_error);
        if (err != OP_OK)
            return err;
        list.items[list.count++] = value;
    }
    if (list.count == 0 && (row->flags & PARAM_REQUIRED))
        return refuse(ctx, row, "is missing", ret_error);
    memcpy(out + row->offset, &list, sizeof list);
    return OP_OK;
}

enum op_err params_read(const void *ctx, const struct param *table, size_t count, const struct form *form, void *out,
                        size_t out_size, struct oauth_error *ret_error)
{
    char *fresh = mem_array(ctx, char, out_size);
    enum op_err err = OP_OK;
    for (size_t i = 0; i < count && err == OP_OK; i++) {
        const struct param *row = &table[i];
        bool list = row->flags & PARAM_LIST;
        assert(row->offset + (list ? sizeof(struct param_list) : sizeof(const char *)) <= out_size);
        err = list ? read_list(ctx, row, form, fresh, ret_error) : read_one(ctx, row, form, fresh, ret_error);
    }
    if (err == OP_OK)
        memcpy(out, fresh, out_size);
    talloc_free(fresh);
    return err;
}

bool param_is_vschar(const char *value)
{
    for (; *value != '\0'; value++)
        if (*value < 0x20 || *value > 0x7e)
            return false;
    return true;
}

bool param_is_scope(const char *value)
{
    char before = ' ';
    for (; *value != '\0'; before = *value++) {
        if (*value == ' ' && before == ' ')
            return false;
        if (*value < 0x20 || *value > 0x7e || *value == '"' || *value == '\\')
            return false;
    }
    return before != ' ';
}

bool param_is_b64url(const char *value)
{
    static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    return *value != '\0' && value[strspn(value, alphabet)] == '\0';
}

bool param_is_number(const char *value)
{
    size_t digits = strspn(value, "0123456789");
    return digits >= 1 && digits <= 10 && value[digits] == '\0';
}
