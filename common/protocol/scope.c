#include "protocol/scope.h"

#include <string.h>

#include "base/buf.h"

static bool holds(char *const *items, size_t count, struct bytes word)
{
    for (size_t i = 0; i < count; i++)
        if (bytes_equal(bytes_of(items[i]), word))
            return true;
    return false;
}

/* Splits text at each of the separators, empty words left out. */
static struct scope_list split(const void *ctx, const char *text, const char *separators)
{
    struct scope_list list = {.items = mem_array(ctx, char *, strlen(text) / 2 + 1)};
    while (*text != '\0') {
        size_t len = strcspn(text, separators);
        if (len > 0 && !holds(list.items, list.count, bytes_from(text, len)))
            list.items[list.count++] = mem_strndup(list.items, text, len);
        text += len;
        text += strspn(text, separators);
    }
    return list;
}

struct scope_list scope_parse(const void *ctx, const char *text)
{
    return split(ctx, text == NULL ? "" : text, " ");
}

char *scope_text(const void *ctx, char *const *items, size_t count)
{
    struct buf buf = buf_make(ctx);
    for (size_t i = 0; i < count; i++) {
        if (i > 0)
            buf_add_char(&buf, ' ');
        buf_add(&buf, items[i]);
    }
    return buf_string(&buf);
}

bool scope_has(const struct scope_list *list, const char *scope)
{
    return holds(list->items, list->count, bytes_of(scope));
}

bool scope_is_subset(const struct scope_list *part, const struct scope_list *whole)
{
    for (size_t i = 0; i < part->count; i++)
        if (!scope_has(whole, part->items[i]))
            return false;
    return true;
}

struct scope_list scope_intersect(const void *ctx, const struct scope_list *asked, const struct scope_list *allowed)
{
    struct scope_list list = {.items = mem_array(ctx, char *, asked->count)};
    for (size_t i = 0; i < asked->count; i++)
        if (scope_has(allowed, asked->items[i]))
            list.items[list.count++] = mem_strdup(list.items, asked->items[i]);
    return list;
}

/* OpenID Connect Core §5.4 and §11. */
static const char *const STANDARD[] = {
    "openid",
    ("profile:name:family_name:given_name:middle_name:nickname:preferred_username:profile:picture:website:gender:"
     "birthdate:zoneinfo:locale:updated_at"),
    "email:email:email_verified",
    "address:address",
    "phone:phone_number:phone_number_verified",
    "offline_access",
};

/* A scope-token without the colon, which separates here (RFC 6749 §3.3); claim names are held to the same. */
static bool is_line(const char *line)
{
    if (*line == ':' || *line == '\0')
        return false;
    for (char before = ':'; *line != '\0'; before = *line++)
        if (*line <= 0x20 || *line > 0x7e || *line == '"' || *line == '\\' ||
            (*line == ':' && (before == ':' || line[1] == '\0')))
            return false;
    return true;
}

static void extend(struct scope_definition *definition, const void *ctx, char *const *claims, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (holds(definition->claims, definition->claim_count, bytes_of(claims[i])))
            continue;
        definition->claims = mem_grow(ctx, definition->claims, char *, definition->claim_count + 1);
        definition->claims[definition->claim_count++] = claims[i];
    }
}

/* Adds a line SCOPE[:CLAIM...]; a scope that is there already gets the claims too. */
static void define(struct scope_catalogue *catalogue, const void *ctx, const char *line)
{
    size_t len = strcspn(line, ":");
    char *scope = mem_strndup(ctx, line, len);
    struct scope_list claims = split(ctx, line + len, ":");
    for (size_t i = 0; i < catalogue->count; i++) {
        if (strcmp(catalogue->items[i].scope, scope) == 0) {
            extend(&catalogue->items[i], ctx, claims.items, claims.count);
            return;
        }
    }
    catalogue->items[catalogue->count++] = (struct scope_definition){scope, claims.items, claims.count};
}

enum op_err scope_catalogue_make(const void *ctx, char *const *custom, size_t custom_count,
                                 struct scope_catalogue *ret, const char **ret_why)
{
    const size_t standard = sizeof STANDARD / sizeof *STANDARD;
    for (size_t i = 0; i < custom_count; i++) {
        if (!is_line(custom[i]) || strchr(custom[i], ':') == NULL) {
            *ret_why = mem_printf(ctx, "'%s' is not SCOPE:CLAIM[:CLAIM...]", custom[i]);
            return OP_INVALID;
        }
    }
    struct scope_catalogue catalogue = {.items = mem_array(ctx, struct scope_definition, standard + custom_count)};
    for (size_t i = 0; i < standard; i++)
        define(&catalogue, ctx, STANDARD[i]);
    for (size_t i = 0; i < custom_count; i++)
        define(&catalogue, ctx, custom[i]);
    *ret = catalogue;
    return OP_OK;
}

const struct scope_definition *scope_find(const struct scope_catalogue *catalogue, const char *scope)
{
    for (size_t i = 0; i < catalogue->count; i++)
        if (strcmp(catalogue->items[i].scope, scope) == 0)
            return &catalogue->items[i];
    return NULL;
}
