/* Calls of the administration API: query, place in a list, preconditions and body. What is accepted keeps the tables; what
 * is refused says why. */
#include <stdlib.h>
#include <string.h>

#include "admin_read.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char *const COLOURS[] = {"red", "green", NULL};
static const struct admin_member MEMBERS[] = {
    {"name", ADMIN_TEXT, ADMIN_NEW | ADMIN_NEEDED | ADMIN_CHANGE, 8, NULL, ""},
    {"colour", ADMIN_TEXT, ADMIN_NEW | ADMIN_CHANGE | ADMIN_CLEAR, 8, COLOURS, ""},
    {"list", ADMIN_TEXTS, ADMIN_NEW | ADMIN_CHANGE, 3, NULL, ""},
    {"flag", ADMIN_BOOL, ADMIN_CHANGE, 0, NULL, ""},
    {"number", ADMIN_NUMBER, ADMIN_NEW, 1000, NULL, ""},
    {"since", ADMIN_TIME, ADMIN_CHANGE, 0, NULL, ""},
    {"deep", ADMIN_OBJECT, ADMIN_NEW | ADMIN_CHANGE, 0, NULL, ""},
    {0},
};
static const struct admin_schema THING = {"Thing", "", MEMBERS};
static const struct admin_filter FILTERS[] = {{"name", 8, ""}, {0}};
static const struct admin_operation LIST = {.id = "thing_list", .answer = ADMIN_GIVES_LIST, .schema = &THING, .filters = FILTERS},
                                    OTHER = {.id = "thing_list_of", .answer = ADMIN_GIVES_LIST, .schema = &THING};

static void require(bool ok)
{
    if (!ok)
        abort();
}

static void try_query(void *ctx, struct bytes input)
{
    struct form form;
    size_t limit = 0;
    const char *after = "untouched";
    struct refusal refusal = {0};
    if (admin_read_query(ctx, &LIST, input, &form, &limit, &after, &refusal) != OP_OK) {
        require(refusal.what != NULL && strcmp(after, "untouched") == 0);
        return;
    }
    require(limit >= 1 && limit <= ADMIN_LIMIT_MAX && (after != NULL) == (form_count(&form, "cursor") > 0));
    for (size_t i = 0; i < form.count; i++)
        require(form_count(&form, form.pairs[i].name) == 1);
    require(form_get(&form, "name") == NULL || strlen(form_get(&form, "name")) <= 8);
}

/* A place is found again in its own list, and in no other. */
static void try_cursor(void *ctx, struct bytes input)
{
    const char *text = mem_strndup(ctx, (const char *)input.data, input.len), *after;
    const char *cursor = admin_cursor(ctx, &LIST, text), *again;
    if (admin_read_cursor(ctx, &LIST, cursor, &again) == OP_OK)
        require(strcmp(again, text) == 0);
    require(admin_read_cursor(ctx, &OTHER, cursor, &again) != OP_OK);
    if (admin_read_cursor(ctx, &LIST, text, &after) == OP_OK)
        require(*after != '\0' && admin_read_cursor(ctx, &LIST, admin_cursor(ctx, &LIST, after), &again) == OP_OK);
}

/* Weak tags only add to what strong ones match. */
static void try_match(void *ctx, struct bytes input)
{
    struct admin_match strong = {0}, weak = {0};
    const char *text = mem_strndup(ctx, (const char *)input.data, input.len);
    enum op_err err = admin_read_match(ctx, text, false, &strong);
    require(admin_read_match(ctx, text, true, &weak) == err);
    if (err != OP_OK)
        return;
    require(strong.is_there && weak.is_there && strong.any == weak.any && strong.count <= weak.count);
    for (size_t i = 0; i < strong.count; i++)
        require(admin_matches(&strong, strong.versions[i]) && admin_matches(&weak, strong.versions[i]));
}

static void check_body(const json_t *object, bool is_new)
{
    const char *name = json_string_value(json_object_get(object, "name"));
    const json_t *colour = json_object_get(object, "colour"), *list = json_object_get(object, "list");
    const json_t *number = json_object_get(object, "number");
    require(name == NULL ? !is_new && json_object_get(object, "name") == NULL : strlen(name) <= 8);
    require(colour == NULL || (json_is_null(colour) && !is_new) || strcmp(json_string_value(colour), "red") == 0 ||
            strcmp(json_string_value(colour), "green") == 0);
    require(list == NULL || (json_is_array(list) && json_array_size(list) <= 3));
    require(number == NULL || (is_new && json_integer_value(number) >= 0 && json_integer_value(number) <= 1000));
    require(json_object_get(object, is_new ? "flag" : "number") == NULL);
    require(json_object_size(object) <= 6);
}

static void try_body(void *ctx, struct bytes input, bool is_new)
{
    json_t *object;
    struct refusal refusal = {0};
    if (admin_read_body(ctx, &THING, is_new ? ADMIN_NEW : ADMIN_CHANGE, input, &object, &refusal) == OP_OK)
        check_body(object, is_new);
    else
        require(refusal.what != NULL);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    void *ctx = mem_root("fuzz");
    struct bytes input = bytes_from(data, size);
    try_query(ctx, input);
    try_cursor(ctx, input);
    try_match(ctx, input);
    try_body(ctx, input, true);
    try_body(ctx, input, false);
    talloc_free(ctx);
    return 0;
}
