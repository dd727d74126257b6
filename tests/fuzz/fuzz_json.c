/* JSON: what was read and written again reads the same; typed access never trusts a type. */
#include <stdlib.h>
#include <string.h>

#include "data/json.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool ok)
{
    if (!ok)
        abort();
}

static void check_members(json_t *object)
{
    const char *key, *text;
    json_t *member;
    int64_t number;
    bool flag;
    json_object_foreach(object, key, member) {
        require((json_get_string(object, key, &text) == OP_OK) == json_is_string(member));
        require((json_get_int(object, key, &number) == OP_OK) == json_is_integer(member));
        require((json_get_bool(object, key, &flag) == OP_OK) == json_is_boolean(member));
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    void *ctx = mem_root("fuzz");
    json_t *value, *again;
    if (json_read(ctx, bytes_from(data, size), &value) == OP_OK) {
        check_members(value);
        require(json_read(ctx, bytes_of(json_text(ctx, value)), &again) == OP_OK);
        require(json_equal(value, again));
    }
    char *text = mem_strndup(ctx, (const char *)data, size);
    json_t *object = json_make_object(ctx);
    json_set_string(object, text, text);
    require(json_read(ctx, bytes_of(json_text(ctx, object)), &again) == OP_OK);
    talloc_free(ctx);
    return 0;
}
