#include "import_json.h"

#include <string.h>

#include "base/buf.h"

#define WHY_UNENDED "a string or an object does not end before the file does"

/* A value while it is cut out. */
struct cut {
    struct import_source *source;
    struct buf text; /* kept up to the limit */
    size_t depth;
    bool too_large;
    const char *why; /* it is cut off, ... */
    bool at_line;    /* ... but the next line may be sound */
    char string[8]; /* the beginning of the last string, to know the name of a member by */
    size_t string_len;
};

void import_json_start(struct import_json *json, struct import_source *source)
{
    *json = (struct import_json){.source = source};
}

static int take(struct cut *cut)
{
    int c = import_take(cut->source);
    if (cut->text.len >= IMPORT_RECORD_MAX)
        cut->too_large = true;
    else if (c != EOF)
        buf_add_char(&cut->text, (char)c);
    return c;
}

static bool refuse(struct cut *cut, const char *why)
{
    cut->why = why;
    return false;
}

/* What follows the opening quote, to the closing one. */
static bool cut_string(struct cut *cut)
{
    for (cut->string_len = 0;;) {
        int c = take(cut);
        if (c == '"')
            return true;
        cut->at_line = c == '\n';
        if (c == EOF || c == '\n')
            return refuse(cut, cut->at_line ? "a string does not end before its line does" : WHY_UNENDED);
        if (cut->string_len < sizeof cut->string)
            cut->string[cut->string_len++] = (char)c;
        if (c == '\\' && take(cut) == EOF)
            return refuse(cut, WHY_UNENDED);
    }
}

/* Goes on until the brackets that are open are closed. When users is set it is made true, and the cut ends, behind the
 * bracket that opens the array of a member users of the outermost object. */
static bool cut_open(struct cut *cut, bool *users)
{
    bool is_name = false; /* the last thing was the string "users" */
    bool is_value = false; /* ... with a colon behind it */
    while (cut->depth > 0) {
        int c = take(cut);
        if (c == EOF)
            return refuse(cut, WHY_UNENDED);
        if (c == ' ' || c == '\t' || c == '\r' || c == '\n')
            continue;
        if (c == '[' && is_value && users != NULL) {
            *users = true;
            return true;
        }
        is_value = is_name && c == ':';
        is_name = false;
        if (c == '{' || c == '[')
            cut->depth++;
        else if (c == '}' || c == ']')
            cut->depth--;
        else if (c == '"' && !cut_string(cut))
            return false;
        else if (c == '"')
            is_name = cut->depth == 1 && cut->string_len == 5 && memcmp(cut->string, "users", 5) == 0;
    }
    return true;
}

/* Numbers, words, and whatever else is no value. */
static void cut_word(struct cut *cut)
{
    do
        take(cut);
    while (strchr(" \t\r\n,]}[{\"", import_peek(cut->source)) == NULL && import_peek(cut->source) != EOF);
}

static bool cut_value(struct cut *cut, bool *users)
{
    int c = import_peek(cut->source);
    if (c != '{' && c != '[' && c != '"') {
        cut_word(cut);
        return true;
    }
    take(cut);
    if (c == '"')
        return cut_string(cut);
    cut->depth = 1;
    return cut_open(cut, c == '{' ? users : NULL);
}

static enum op_err break_off(struct import_json *json, const char *why, const char **ret_why)
{
    json->broken = true;
    *ret_why = why;
    return OP_INVALID;
}

/* What an object holds behind its users. */
static bool leave_object(struct import_json *json)
{
    void *scratch = mem_root("leave_object");
    struct cut cut = {.source = json->source, .text = buf_make(scratch), .depth = 1};
    bool ok = cut_open(&cut, NULL);
    talloc_free(scratch);
    json->in_object = false;
    return ok;
}

/* OP_OK: an element begins here; OP_ABSENT: the array has ended. */
static enum op_err step_in_array(struct import_json *json, const char **ret_why)
{
    bool comma = json->after_value && import_skip_space(json->source) == ',';
    if (comma)
        import_take(json->source);
    int c = import_skip_space(json->source);
    json->source->record_line = json->source->line;
    if (c == EOF)
        return break_off(json, WHY_UNENDED, ret_why);
    if (json->after_value && (c == ']') == comma)
        return break_off(json, comma ? "a comma stands before the end of the array" : "a comma is missing", ret_why);
    if (c != ']')
        return OP_OK;
    import_take(json->source);
    json->in_array = false;
    if (json->in_object && !leave_object(json))
        return break_off(json, WHY_UNENDED, ret_why);
    return OP_ABSENT;
}

static void enter_array(struct import_json *json, bool in_object)
{
    json->in_array = true;
    json->in_object = in_object;
    json->after_value = false;
}

/* Between values, outside of an array. OP_ABSENT: an array was entered, try again. */
static enum op_err step_outside(struct import_json *json, int c, const char **ret_why)
{
    if (c == '{')
        return OP_OK;
    if (c == '[') {
        import_take(json->source);
        enter_array(json, false);
        return OP_ABSENT;
    }
    json->source->record_line = json->source->line;
    import_skip_line(json->source);
    *ret_why = "an object { or an array [ was expected";
    return OP_INVALID;
}

static enum op_err cut_next(struct import_json *json, const void *ctx, struct bytes *ret, const char **ret_why)
{
    struct cut cut = {.source = json->source, .text = buf_make(ctx)};
    bool users = false;
    json->source->record_line = json->source->line;
    if (!cut_value(&cut, json->in_array ? NULL : &users)) {
        if (json->in_array || !cut.at_line)
            return break_off(json, cut.why, ret_why);
        *ret_why = cut.why;
        return OP_INVALID;
    }
    if (users) {
        enter_array(json, true);
        return OP_ABSENT;
    }
    json->after_value = true;
    if (cut.too_large)
        return OP_TOO_LARGE;
    *ret = buf_bytes(&cut.text);
    return OP_OK;
}

enum op_err import_json_next(struct import_json *json, const void *ctx, struct bytes *ret, const char **ret_why)
{
    for (;;) {
        enum op_err err;
        int c = json->broken ? EOF : import_skip_space(json->source);
        if (json->broken || (c == EOF && !json->in_array))
            return OP_ABSENT;
        err = json->in_array ? step_in_array(json, ret_why) : step_outside(json, c, ret_why);
        if (err == OP_OK)
            err = cut_next(json, ctx, ret, ret_why);
        if (err != OP_ABSENT)
            return err;
    }
}
