#include "data/json.h"

#include <malloc.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/buf.h"
#include "data/form.h"

enum { SIZE_MAX_BYTES = 256 * 1024, DEPTH_MAX = 32 };

static void require(bool ok)
{
    if (!ok)
        abort();
}

/* Claims, tokens and private keys pass through jansson's memory. */
static void wipe_and_free(void *allocation)
{
    if (allocation != NULL)
        mem_wipe(allocation, malloc_usable_size(allocation));
    free(allocation);
}

__attribute__((constructor)) static void setup(void)
{
    json_set_alloc_funcs(malloc, wipe_and_free);
}

struct holder {
    json_t *value;
};

static int release(struct holder *holder)
{
    json_decref(holder->value);
    return 0;
}

json_t *json_own(const void *ctx, json_t *value)
{
    require(value != NULL);
    struct holder *holder = mem_new(ctx, struct holder);
    holder->value = value;
    talloc_set_destructor(holder, release);
    return value;
}

/* Counts brackets outside strings; what is no JSON at all is the parser's to refuse. */
static bool is_too_deep(struct bytes text)
{
    size_t depth = 0;
    bool in_string = false;
    for (size_t i = 0; i < text.len; i++) {
        uint8_t c = text.data[i];
        if (in_string) {
            if (c == '\\')
                i++;
            else if (c == '"')
                in_string = false;
        } else if (c == '"') {
            in_string = true;
        } else if (c == '{' || c == '[') {
            if (++depth > DEPTH_MAX)
                return true;
        } else if ((c == '}' || c == ']') && depth > 0) {
            depth--;
        }
    }
    return false;
}

static enum op_err load(const void *ctx, struct bytes text, json_t **ret, json_error_t *ret_error)
{
    if (text.len > SIZE_MAX_BYTES || is_too_deep(text))
        return OP_TOO_LARGE;
    if (text.len == 0)
        return OP_INVALID;
    json_t *value = json_loadb((const char *)text.data, text.len, JSON_REJECT_DUPLICATES | JSON_DECODE_ANY, ret_error);
    if (value == NULL)
        return OP_INVALID;
    *ret = json_own(ctx, value);
    return OP_OK;
}

enum op_err json_read(const void *ctx, struct bytes text, json_t **ret)
{
    return load(ctx, text, ret, NULL);
}

/* The name that jansson found twice, as "near '"name"'"; NULL: it says none, where the name is long. */
static char *name_near(const void *ctx, const char *near)
{
    const char *text = near + strlen(" near '");
    size_t len = strlen(text);
    json_t *value = len > 1 ? json_loadb(text, len - 1, JSON_DECODE_ANY, NULL) : NULL;
    char *name = json_is_string(value) ? mem_strdup(ctx, json_string_value(value)) : NULL;
    json_decref(value);
    return name;
}

/* Beside a name that is there twice nothing is kept of what jansson says was near: it may be part of a value. */
static void explain(const void *ctx, const json_error_t *error, const char **ret_why, const char **ret_member)
{
    const char *near = strstr(error->text, " near '"), *name = NULL;
    if (json_error_code(error) == json_error_duplicate_key && near != NULL)
        name = name_near(ctx, near);
    if (name != NULL) {
        *ret_member = name;
        *ret_why = "is there more than once";
        return;
    }
    size_t len = near != NULL ? (size_t)(near - error->text) : strlen(error->text);
    *ret_why = mem_printf(ctx, "line %d, column %d: %.*s", error->line, error->column, (int)len, error->text);
}

enum op_err json_read_explained(const void *ctx, struct bytes text, json_t **ret, const char **ret_why,
                                const char **ret_member)
{
    json_error_t error = {.text = "nothing is there"};
    enum op_err err = load(ctx, text, ret, &error);
    if (err == OP_TOO_LARGE)
        *ret_why = mem_printf(ctx, "more than %d bytes, or more than %d deep", SIZE_MAX_BYTES, DEPTH_MAX);
    else if (err != OP_OK)
        explain(ctx, &error, ret_why, ret_member);
    return err;
}

json_t *json_make_object(const void *ctx)
{
    return json_own(ctx, json_object());
}

json_t *json_make_array(const void *ctx)
{
    return json_own(ctx, json_array());
}

/* s itself when it is UTF-8, else a copy (to be freed) with U+FFFD for every byte beyond ASCII. */
static char *repaired(const char *s)
{
    if (form_is_utf8(bytes_of(s)))
        return NULL;
    struct buf buf = buf_make(NULL);
    for (; *s != '\0'; s++) {
        if ((uint8_t)*s < 0x80)
            buf_add_char(&buf, *s);
        else
            buf_add(&buf, "\xef\xbf\xbd");
    }
    return buf_string(&buf);
}

static json_t *make_string(const char *s)
{
    char *copy = repaired(s);
    json_t *value = json_string(copy == NULL ? s : copy);
    talloc_free(copy);
    require(value != NULL);
    return value;
}

static void set_new(json_t *object, const char *key, json_t *value)
{
    char *copy = repaired(key);
    require(value != NULL && json_object_set_new(object, copy == NULL ? key : copy, value) == 0);
    talloc_free(copy);
}

void json_set(json_t *object, const char *key, json_t *value)
{
    if (value != NULL)
        set_new(object, key, json_incref(value));
}

void json_set_string(json_t *object, const char *key, const char *value)
{
    if (value != NULL)
        set_new(object, key, make_string(value));
}

void json_set_int(json_t *object, const char *key, int64_t value)
{
    set_new(object, key, json_integer(value));
}

void json_set_bool(json_t *object, const char *key, bool value)
{
    set_new(object, key, json_boolean(value));
}

void json_set_strings(json_t *object, const char *key, char *const *values, size_t count)
{
    json_t *array = json_array();
    require(array != NULL);
    for (size_t i = 0; i < count; i++)
        json_append_string(array, values[i]);
    set_new(object, key, array);
}

void json_append_string(json_t *array, const char *value)
{
    if (value != NULL)
        require(json_array_append_new(array, make_string(value)) == 0);
}

void json_set_time(json_t *object, const char *key, int64_t seconds)
{
    char text[32];
    struct tm tm;
    time_t t = (time_t)seconds;
    if (seconds != 0 && gmtime_r(&t, &tm) != NULL && strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%SZ", &tm) > 0)
        json_set_string(object, key, text);
}

void json_merge(json_t *object, const json_t *patch)
{
    const char *key;
    json_t *value;
    json_object_foreach ((json_t *)(uintptr_t)patch, key, value) {
        if (json_is_null(value)) {
            json_object_del(object, key);
        } else if (json_is_object(value)) {
            const json_t *present = json_object_get(object, key);
            json_t *merged = json_is_object(present) ? json_deep_copy(present) : json_object();
            require(merged != NULL);
            json_merge(merged, value);
            require(json_object_set_new(object, key, merged) == 0);
        } else {
            require(json_object_set(object, key, value) == 0);
        }
    }
}

/* The member, NULL when absent or null. */
static json_t *member(const json_t *object, const char *key)
{
    json_t *value = json_object_get(object, key);
    return json_is_null(value) ? NULL : value;
}

enum op_err json_get_string(const json_t *object, const char *key, const char **ret)
{
    const json_t *value = member(object, key);
    if (value == NULL)
        return OP_ABSENT;
    if (!json_is_string(value))
        return OP_INVALID;
    *ret = json_string_value(value);
    return OP_OK;
}

enum op_err json_get_int(const json_t *object, const char *key, int64_t *ret)
{
    const json_t *value = member(object, key);
    if (value == NULL)
        return OP_ABSENT;
    if (!json_is_integer(value))
        return OP_INVALID;
    *ret = json_integer_value(value);
    return OP_OK;
}

enum op_err json_get_bool(const json_t *object, const char *key, bool *ret)
{
    const json_t *value = member(object, key);
    if (value == NULL)
        return OP_ABSENT;
    if (!json_is_boolean(value))
        return OP_INVALID;
    *ret = json_boolean_value(value);
    return OP_OK;
}

char *json_text(const void *ctx, const json_t *value)
{
    char small[1024];
    size_t len = json_dumpb(value, small, sizeof small, JSON_COMPACT | JSON_ENCODE_ANY);
    require(len != 0);
    if (len <= sizeof small) {
        char *copy = mem_secret(mem_strndup(ctx, small, len));
        mem_wipe(small, len);
        return copy;
    }
    char *text = mem_secret(mem_array(ctx, char, len + 1));
    require(json_dumpb(value, text, len, JSON_COMPACT | JSON_ENCODE_ANY) == len);
    return text;
}
