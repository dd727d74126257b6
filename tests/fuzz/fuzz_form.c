/* Forms: what was parsed, encoded again and parsed again, is the same. */
#include <stdlib.h>
#include <string.h>

#include "data/form.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool ok)
{
    if (!ok)
        abort();
}

static void check_same(const struct form *a, const struct form *b)
{
    require(a->count == b->count);
    for (size_t i = 0; i < a->count; i++) {
        require(strcmp(a->pairs[i].name, b->pairs[i].name) == 0 && strcmp(a->pairs[i].value, b->pairs[i].value) == 0);
        require(form_is_utf8(bytes_of(a->pairs[i].name)) && form_is_utf8(bytes_of(a->pairs[i].value)));
        require(form_count(a, a->pairs[i].name) > 0 && form_get(a, a->pairs[i].name) != NULL);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    enum { PAIRS_MAX = 32 };
    void *ctx = mem_root("fuzz");
    struct form form, again;
    char *decoded;
    if (form_parse(ctx, bytes_from(data, size), PAIRS_MAX, &form) == OP_OK) {
        struct buf text = buf_make(ctx);
        require(form.count <= PAIRS_MAX);
        for (size_t i = 0; i < form.count; i++)
            form_add(&text, form.pairs[i].name, form.pairs[i].value);
        require(form_parse(ctx, buf_bytes(&text), PAIRS_MAX, &again) == OP_OK);
        check_same(&form, &again);
    }
    if (form_decode(ctx, bytes_from(data, size), &decoded) == OP_OK)
        require(strlen(decoded) <= size);
    talloc_free(ctx);
    return 0;
}
