#include "admin_read.h"

#include <string.h>

#include "base/codec.h"
#include "base/num.h"

enum { PAIRS_MAX = 16, CURSOR_MAX = 1024, TAGS_MAX = 16, NAME_SHOWN_MAX = 64 };

static enum op_err refuse(const char *member, const char *what, struct refusal *ret_refusal)
{
    *ret_refusal = (struct refusal){.member = member, .what = what};
    return OP_INVALID;
}

/* --- query --- */

char *admin_cursor(const void *ctx, const struct admin_operation *operation, const char *after)
{
    return codec_base64url(ctx, bytes_of(mem_printf(ctx, "%s\n%s", operation->id, after)));
}

enum op_err admin_read_cursor(const void *ctx, const struct admin_operation *operation, const char *text,
                              const char **ret)
{
    struct bytes plain;
    if (strlen(text) > CURSOR_MAX || codec_from_base64url(ctx, bytes_of(text), &plain) != OP_OK)
        return OP_INVALID;
    size_t len = strlen(operation->id);
    if (plain.len < len + 2 || memcmp(plain.data, operation->id, len) != 0 || plain.data[len] != '\n' ||
        !form_is_plain(bytes_from(plain.data + len + 1, plain.len - len - 1)))
        return OP_INVALID;
    *ret = mem_strndup(ctx, (const char *)plain.data + len + 1, plain.len - len - 1);
    return OP_OK;
}

static const struct admin_filter *filter_named(const struct admin_operation *operation, const char *name)
{
    for (const struct admin_filter *filter = operation->filters; filter != NULL && filter->name != NULL; filter++)
        if (strcmp(filter->name, name) == 0)
            return filter;
    return NULL;
}

static enum op_err check_pair(const void *ctx, const struct admin_operation *operation, const struct form *form,
                              const struct form_pair *pair, struct refusal *ret_refusal)
{
    const struct admin_filter *filter = filter_named(operation, pair->name);
    bool of_list = operation->answer == ADMIN_GIVES_LIST &&
                   (strcmp(pair->name, "limit") == 0 || strcmp(pair->name, "cursor") == 0);
    const char *name = mem_strndup(ctx, pair->name, NAME_SHOWN_MAX);
    if (filter == NULL && !of_list)
        return refuse(name, "is no parameter of this operation", ret_refusal);
    if (form_count(form, pair->name) > 1)
        return refuse(name, "is there more than once", ret_refusal);
    if (filter != NULL && (pair->value[0] == '\0' || strlen(pair->value) > filter->max))
        return refuse(name, mem_printf(ctx, "is not 1 to %zu bytes", filter->max), ret_refusal);
    return OP_OK;
}

enum op_err admin_read_query(const void *ctx, const struct admin_operation *operation, struct bytes text,
                             struct form *ret_form, size_t *ret_limit, const char **ret_after,
                             struct refusal *ret_refusal)
{
    struct form form;
    uint64_t limit = ADMIN_LIMIT_DEFAULT;
    const char *after = NULL;
    if (form_parse(ctx, text, PAIRS_MAX, &form) != OP_OK)
        return refuse(NULL, "the query is not well-formed, or has too many parameters", ret_refusal);
    for (size_t i = 0; i < form.count; i++)
        if (check_pair(ctx, operation, &form, &form.pairs[i], ret_refusal) != OP_OK)
            return OP_INVALID;
    const char *limit_text = form_get(&form, "limit"), *cursor = form_get(&form, "cursor");
    if (limit_text != NULL && (num_parse_u64(bytes_of(limit_text), ADMIN_LIMIT_MAX, &limit) != OP_OK || limit == 0))
        return refuse("limit", mem_printf(ctx, "is not a number from 1 to %d", ADMIN_LIMIT_MAX), ret_refusal);
    if (cursor != NULL && admin_read_cursor(ctx, operation, cursor, &after) != OP_OK)
        return refuse("cursor", "is not one that this list has given", ret_refusal);
    *ret_form = form;
    *ret_limit = (size_t)limit;
    *ret_after = after;
    return OP_OK;
}

/* --- preconditions --- */

static const char *skip_space(const char *at)
{
    return at + strspn(at, " \t");
}

/* One entity tag; NULL when there is none. */
static const char *read_tag(const char *at, bool *ret_weak, struct bytes *ret_opaque)
{
    *ret_weak = strncmp(at, "W/", 2) == 0;
    if (*ret_weak)
        at += 2;
    if (*at != '"')
        return NULL;
    const char *end = ++at;
    while ((unsigned char)*end >= 0x21 && *end != '"' && *end != 0x7f)
        end++;
    if (*end != '"')
        return NULL;
    *ret_opaque = bytes_from(at, (size_t)(end - at));
    return end + 1;
}

enum op_err admin_read_match(const void *ctx, const char *field, bool weak, struct admin_match *ret)
{
    struct admin_match match = {.is_there = field != NULL, .versions = mem_array(ctx, uint64_t, TAGS_MAX)};
    if (field == NULL || strcmp(field, "*") == 0) {
        match.any = field != NULL;
        *ret = match;
        return OP_OK;
    }
    const char *at = skip_space(field);
    for (size_t i = 0; i < TAGS_MAX; i++) {
        bool is_weak;
        struct bytes opaque;
        at = read_tag(at, &is_weak, &opaque);
        if (at == NULL)
            return OP_INVALID;
        uint64_t version;
        if ((weak || !is_weak) && num_parse_u64(opaque, UINT64_MAX, &version) == OP_OK)
            match.versions[match.count++] = version;
        at = skip_space(at);
        if (*at == '\0') {
            *ret = match;
            return OP_OK;
        }
        if (*at != ',')
            return OP_INVALID;
        at = skip_space(at + 1);
    }
    return OP_INVALID;
}

bool admin_matches(const struct admin_match *match, uint64_t version)
{
    for (size_t i = 0; i < match->count; i++)
        if (match->versions[i] == version)
            return true;
    return match->any;
}

/* --- body --- */

static const char *text_problem(const void *ctx, const struct admin_member *member, const json_t *value)
{
    if (!json_is_string(value))
        return "is not a string";
    for (const char *const *choice = member->choices; choice != NULL && *choice != NULL; choice++)
        if (strcmp(*choice, json_string_value(value)) == 0)
            return NULL;
    if (member->choices != NULL)
        return "is none of the words it may be";
    if (json_string_length(value) > (size_t)member->max)
        return mem_printf(ctx, "is longer than %lld bytes", (long long)member->max);
    return NULL;
}

static const char *texts_problem(const void *ctx, const struct admin_member *member, const json_t *value)
{
    if (!json_is_array(value))
        return "is not an array";
    if (json_array_size(value) > (size_t)member->max)
        return mem_printf(ctx, "has more than %lld items", (long long)member->max);
    struct admin_member item = {.max = ADMIN_LINE_MAX, .choices = member->choices};
    for (size_t i = 0; i < json_array_size(value); i++)
        if (text_problem(ctx, &item, json_array_get(value, i)) != NULL)
            return "has an item that is no string, too long a one, or none of the words it may be";
    return NULL;
}

static const char *value_problem(const void *ctx, const struct admin_member *member, const json_t *value)
{
    switch (member->type) {
    case ADMIN_TEXT:
        return text_problem(ctx, member, value);
    case ADMIN_TIME: {
        const struct admin_member time = {.max = 40};
        return text_problem(ctx, &time, value);
    }
    case ADMIN_TEXTS:
        return texts_problem(ctx, member, value);
    case ADMIN_BOOL:
        return json_is_boolean(value) ? NULL : "is neither true nor false";
    case ADMIN_NUMBER:
        if (!json_is_integer(value) || json_integer_value(value) < 0 || json_integer_value(value) > member->max)
            return mem_printf(ctx, "is not a whole number from 0 to %lld", (long long)member->max);
        return NULL;
    case ADMIN_OBJECT:
        return json_is_object(value) ? NULL : "is not an object";
    }
    return "cannot be read";
}

/* A name may have several rows, of different uses: the one of this use, else any. */
static const struct admin_member *member_named(const struct admin_schema *schema, const char *name, unsigned use)
{
    const struct admin_member *found = NULL;
    for (const struct admin_member *member = schema->members; member->name != NULL; member++)
        if (strcmp(member->name, name) == 0 && (found == NULL || (member->use & use) != 0))
            found = member;
    return found;
}

static const char *member_problem(const void *ctx, const struct admin_member *member, enum admin_use use,
                                  const json_t *value)
{
    if (member == NULL)
        return "is not known here";
    if ((member->use & use) == 0)
        return use == ADMIN_NEW ? "cannot be set here" : "cannot be changed here";
    if (json_is_null(value) && use == ADMIN_CHANGE && (member->use & ADMIN_CLEAR) != 0)
        return NULL;
    if (json_is_null(value))
        return use == ADMIN_NEW ? "is null: leave it out instead" : "cannot be taken away";
    return value_problem(ctx, member, value);
}

static enum op_err check_members(const void *ctx, const struct admin_schema *schema, enum admin_use use,
                                 const json_t *object, struct refusal *ret_refusal)
{
    const char *name;
    json_t *value;
    json_object_foreach ((json_t *)(uintptr_t)object, name, value) {
        const char *problem = member_problem(ctx, member_named(schema, name, use), use, value);
        if (problem != NULL)
            return refuse(mem_strndup(ctx, name, NAME_SHOWN_MAX), problem, ret_refusal);
    }
    for (const struct admin_member *member = schema->members; use == ADMIN_NEW && member->name != NULL; member++)
        if ((member->use & ADMIN_NEEDED) != 0 && json_object_get(object, member->name) == NULL)
            return refuse(member->name, "is missing", ret_refusal);
    return OP_OK;
}

enum op_err admin_read_body(const void *ctx, const struct admin_schema *schema, enum admin_use use, struct bytes text,
                            json_t **ret, struct refusal *ret_refusal)
{
    json_t *value;
    const char *why, *member = NULL;
    if (json_read_explained(ctx, text, &value, &why, &member) != OP_OK)
        return refuse(member, member != NULL ? why : mem_printf(ctx, "the body is not JSON that is read here: %s", why),
                      ret_refusal);
    if (!json_is_object(value))
        return refuse(NULL, "the body is not a JSON object", ret_refusal);
    enum op_err err = check_members(ctx, schema, use, value, ret_refusal);
    if (err == OP_OK)
        *ret = value;
    return err;
}
