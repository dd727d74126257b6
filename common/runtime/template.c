#include "runtime/template.h"

#include <inttypes.h>
#include <string.h>

enum node_kind { NODE_TEXT, NODE_VALUE, NODE_MESSAGE, NODE_SECTION, NODE_INVERTED, NODE_PART };

struct node {
    enum node_kind kind;
    unsigned line;
    const char *text; /* NODE_TEXT: the text; else the name */
    struct node *children;
    size_t child_count;
};

struct template {
    struct node *nodes;
    size_t count;
};

enum { NAME_MAX_LEN = 64, NESTING_MAX = 16 };

/* --- parsing --- */

struct cursor {
    const void *ctx;
    const char *at;
    unsigned line;
    unsigned depth;
    const char *why;
};

static enum op_err refuse(struct cursor *cursor, const char *what)
{
    cursor->why = mem_printf(cursor->ctx, "%u: %s", cursor->line, what);
    return OP_INVALID;
}

static struct node *append(const void *ctx, struct template *list, enum node_kind kind, unsigned line, const char *text)
{
    if ((list->count & (list->count - 1)) == 0) /* full at each power of two */
        list->nodes = mem_grow(ctx, list->nodes, struct node, list->count == 0 ? 1 : list->count * 2);
    struct node *node = &list->nodes[list->count++];
    *node = (struct node){.kind = kind, .line = line, .text = text};
    return node;
}

static void skip(struct cursor *cursor, const char *to)
{
    for (; cursor->at < to; cursor->at++) {
        if (*cursor->at == '\n')
            cursor->line++;
    }
}

static bool name_is_valid(const char *name)
{
    static const char allowed[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_.-";
    size_t len = strlen(name);
    return len > 0 && len <= NAME_MAX_LEN && strspn(name, allowed) == len;
}

/* Reads "{{...}}" at the cursor: its sign ('\0' for a plain value, 't' for a message) and its name. */
static enum op_err read_tag(struct cursor *cursor, char *ret_sign, const char **ret_name)
{
    const char *end = strstr(cursor->at, "}}");
    if (end == NULL)
        return refuse(cursor, "a tag without }}");
    const char *start = cursor->at + 2;
    char sign = '\0';
    if (start < end && strchr("#^/>!", *start) != NULL)
        sign = *start++;
    else if (end - start > 2 && start[0] == 't' && start[1] == ':')
        sign = 't', start += 2;
    const char *name = mem_strndup(cursor->ctx, start, (size_t)(end - start));
    if (sign != '!' && !name_is_valid(name))
        return refuse(cursor, "a tag whose name is not of letters, digits and _ . -");
    skip(cursor, end + 2);
    *ret_sign = sign;
    *ret_name = name;
    return OP_OK;
}

static enum op_err read_nodes(struct cursor *cursor, const char *closes, struct template *ret);

static enum op_err read_section(struct cursor *cursor, struct template *list, char sign, const char *name)
{
    unsigned line = cursor->line;
    if (++cursor->depth > NESTING_MAX)
        return refuse(cursor, "sections nest too deep");
    struct template inside = {0};
    enum op_err err = read_nodes(cursor, name, &inside);
    cursor->depth--;
    if (err != OP_OK)
        return err;
    struct node *node = append(cursor->ctx, list, sign == '#' ? NODE_SECTION : NODE_INVERTED, line, name);
    node->children = inside.nodes;
    node->child_count = inside.count;
    return OP_OK;
}

static void read_text(struct cursor *cursor, struct template *list)
{
    const char *open = strstr(cursor->at, "{{");
    size_t len = open == NULL ? strlen(cursor->at) : (size_t)(open - cursor->at);
    if (len == 0)
        return;
    append(cursor->ctx, list, NODE_TEXT, cursor->line, mem_strndup(cursor->ctx, cursor->at, len));
    skip(cursor, cursor->at + len);
}

/* Reads up to {{/closes}}, or to the end when closes is NULL. */
static enum op_err read_nodes(struct cursor *cursor, const char *closes, struct template *ret)
{
    struct template list = {0};
    for (;;) {
        read_text(cursor, &list);
        if (*cursor->at == '\0') {
            if (closes != NULL)
                return refuse(cursor, mem_printf(cursor->ctx, "section %s is not closed", closes));
            break;
        }
        unsigned line = cursor->line;
        char sign = '\0';
        const char *name = NULL;
        enum op_err err = read_tag(cursor, &sign, &name);
        if (err != OP_OK)
            return err;
        if (sign == '/') {
            if (closes == NULL || strcmp(closes, name) != 0)
                return refuse(cursor, mem_printf(cursor->ctx, "%s is closed but was not opened", name));
            break;
        }
        if (sign == '#' || sign == '^') {
            err = read_section(cursor, &list, sign, name);
            if (err != OP_OK)
                return err;
        } else if (sign != '!') {
            append(cursor->ctx, &list, sign == 't' ? NODE_MESSAGE : sign == '>' ? NODE_PART : NODE_VALUE, line, name);
        }
    }
    *ret = list;
    return OP_OK;
}

enum op_err template_parse(const void *ctx, struct bytes text, struct template **ret, const char **ret_why)
{
    struct template *template = mem_new(ctx, struct template);
    struct cursor cursor = {.ctx = template, .line = 1};
    cursor.at = mem_strndup(template, text.len == 0 ? "" : (const char *)text.data, text.len);
    if (strlen(cursor.at) != text.len) {
        *ret_why = mem_strdup(ctx, "1: a NUL byte");
        talloc_free(template);
        return OP_INVALID;
    }
    enum op_err err = read_nodes(&cursor, NULL, template);
    if (err != OP_OK) {
        *ret_why = mem_strdup(ctx, cursor.why);
        talloc_free(template);
        return err;
    }
    *ret = template;
    return OP_OK;
}

/* --- filling --- */

/* The values a name is looked up in, the innermost first. */
struct scope {
    const json_t *value;
    const struct scope *outer;
};

static const json_t *lookup(const struct scope *scope, const char *name)
{
    char part[NAME_MAX_LEN + 1];
    if (strcmp(name, ".") == 0)
        return scope->value;
    size_t len = strcspn(name, ".");
    memcpy(part, name, len);
    part[len] = '\0';
    const json_t *found = NULL;
    for (; scope != NULL && found == NULL; scope = scope->outer)
        found = json_object_get(scope->value, part);
    for (name += len; *name == '.' && found != NULL; name += len) {
        name++;
        len = strcspn(name, ".");
        memcpy(part, name, len);
        part[len] = '\0';
        found = json_object_get(found, part);
    }
    return found;
}

static bool is_shown(const json_t *value)
{
    switch (value == NULL ? JSON_NULL : json_typeof(value)) {
    case JSON_NULL:
    case JSON_FALSE: return false;
    case JSON_STRING: return json_string_length(value) > 0;
    case JSON_ARRAY: return json_array_size(value) > 0;
    default: return true;
    }
}

static void add_value(struct buf *out, const json_t *value, bool html)
{
    if (json_is_integer(value))
        buf_printf(out, "%" PRId64, (int64_t)json_integer_value(value));
    else if (json_is_string(value) && html)
        buf_add_html(out, json_string_value(value));
    else if (json_is_string(value))
        buf_add(out, json_string_value(value));
}

/* The name of the placeholder at "{", NULL when it is none. */
static const char *placeholder(const char *at, char name[NAME_MAX_LEN + 1])
{
    const char *end = strchr(at, '}');
    size_t len = end == NULL ? 0 : (size_t)(end - at - 1);
    if (len == 0 || len > NAME_MAX_LEN)
        return NULL;
    memcpy(name, at + 1, len);
    name[len] = '\0';
    return name_is_valid(name) ? end + 1 : NULL;
}

static void fill(struct buf *out, const char *message, const struct scope *scope, bool html)
{
    while (*message != '\0') {
        size_t len = strcspn(message, "{");
        const char *text = mem_strndup(out->ctx, message, len);
        if (html)
            buf_add_html(out, text);
        else
            buf_add(out, text);
        message += len;
        if (*message == '\0')
            return;
        char name[NAME_MAX_LEN + 1];
        const char *after = placeholder(message, name);
        if (after != NULL)
            add_value(out, lookup(scope, name), html);
        else
            buf_add_char(out, '{');
        message = after != NULL ? after : message + 1;
    }
}

struct filler {
    struct buf *out;
    const struct template_source *source;
    unsigned depth;
};

static void render_nodes(struct filler *filler, const struct node *nodes, size_t count, const struct scope *scope);

static void render_section(struct filler *filler, const struct node *node, const struct scope *scope)
{
    const json_t *value = lookup(scope, node->text);
    if (is_shown(value) != (node->kind == NODE_SECTION))
        return;
    if (node->kind == NODE_INVERTED || !json_is_array(value)) {
        struct scope inner = {.value = value, .outer = scope};
        render_nodes(filler, node->children, node->child_count, json_is_object(value) ? &inner : scope);
        return;
    }
    for (size_t i = 0; i < json_array_size(value); i++) {
        struct scope inner = {.value = json_array_get(value, i), .outer = scope};
        render_nodes(filler, node->children, node->child_count, &inner);
    }
}

static void render_part(struct filler *filler, const char *name, const struct scope *scope)
{
    const struct template *part = filler->source->part(filler->source->arg, name);
    if (part == NULL || filler->depth >= NESTING_MAX)
        return;
    filler->depth++;
    render_nodes(filler, part->nodes, part->count, scope);
    filler->depth--;
}

static void render_node(struct filler *filler, const struct node *node, const struct scope *scope)
{
    const char *message = NULL;
    switch (node->kind) {
    case NODE_TEXT:
        buf_add(filler->out, node->text);
        break;
    case NODE_VALUE:
        add_value(filler->out, lookup(scope, node->text), true);
        break;
    case NODE_MESSAGE:
        message = filler->source->message(filler->source->arg, node->text);
        if (message != NULL)
            fill(filler->out, message, scope, true);
        break;
    case NODE_SECTION:
    case NODE_INVERTED:
        render_section(filler, node, scope);
        break;
    case NODE_PART:
        render_part(filler, node->text, scope);
        break;
    }
}

static void render_nodes(struct filler *filler, const struct node *nodes, size_t count, const struct scope *scope)
{
    for (size_t i = 0; i < count; i++)
        render_node(filler, &nodes[i], scope);
}

void template_render(struct buf *out, const struct template *template, const struct template_source *source,
                     const json_t *values)
{
    struct filler filler = {.out = out, .source = source};
    struct scope scope = {.value = values};
    render_nodes(&filler, template->nodes, template->count, &scope);
}

void template_fill(struct buf *out, const char *message, const json_t *values)
{
    struct scope scope = {.value = values};
    fill(out, message, &scope, false);
}

static const char *missing_in(const void *ctx, const struct node *nodes, size_t count,
                              const struct template_source *source)
{
    for (size_t i = 0; i < count; i++) {
        const struct node *node = &nodes[i];
        if (node->kind == NODE_MESSAGE && source->message(source->arg, node->text) == NULL)
            return mem_printf(ctx, "%u: no message %s", node->line, node->text);
        if (node->kind == NODE_PART && source->part(source->arg, node->text) == NULL)
            return mem_printf(ctx, "%u: no part %s", node->line, node->text);
        const char *inside = missing_in(ctx, node->children, node->child_count, source);
        if (inside != NULL)
            return inside;
    }
    return NULL;
}

const char *template_missing(const void *ctx, const struct template *template, const struct template_source *source)
{
    return missing_in(ctx, template->nodes, template->count, source);
}
