#include "client_fields.h"

#include <string.h>

#include "base/buf.h"
#include "base/num.h"
#include "data/form.h"
#include "protocol/client_metadata.h"
#include "protocol/device.h"
#include "protocol/params.h"
#include "runtime/conf_value.h"

enum { TEXT_MAX_LEN = 2048, LIST_MAX = 64, MAX_AGE_MAX = 366 * 24 * 3600 };

const char *const CLIENT_GRANTS[] = {"authorization_code", "refresh_token", "client_credentials", "device_code",
                                     DEVICE_GRANT_TYPE, NULL};
const char *const CLIENT_AUTH_METHODS[] = {"client_secret_basic", "client_secret_post", "private_key_jwt", "none", NULL};
const char *const CLIENT_ID_TOKEN_ALGS[] = {"RS256", "PS256", "ES256", "ES384", "EdDSA", NULL};
const char *const CLIENT_AUTH_ALGS[] = {"RS256", "PS256", "ES256", "ES384", "EdDSA", NULL};
const char *const CLIENT_CLEARABLE[] = {
    "redirect-uri", "post-logout-redirect-uri", "audience", "resource", "rotate",
    "refresh-token-idle-lifetime", "refresh-token-lifetime", "auth-alg", "jwks", "jwks-uri",
    "id-token-alg", "default-max-age", "client-uri", "logo-uri", "policy-uri", "tos-uri", "contact",
    "admin", NULL};

enum kind {
    TEXT,
    LIST,
    GRANTS,
    SCOPES, /* one string of words */
    WORDS,  /* a list of words, several of which may stand in one value */
    YES_NO,
    SECONDS,
    LIFETIME,
    KEYS,
    KIND, /* a word of the line beside the fields: client.c's */
};

static const struct field {
    const char *option, *member;
    enum kind kind;
} FIELDS[] = {
    {"name", "client_name", TEXT},
    {"redirect-uri", "redirect_uris", LIST},
    {"post-logout-redirect-uri", "post_logout_redirect_uris", LIST},
    {"grant", "grant_types", GRANTS},
    {"scope", "scope", SCOPES},
    {"audience", "audiences", LIST},
    {"resource", "resources", LIST},
    {"auth-method", "token_endpoint_auth_method", TEXT},
    {"auth-alg", "token_endpoint_auth_signing_alg", TEXT},
    {"jwks", "jwks", KEYS},
    {"jwks-uri", "jwks_uri", TEXT},
    {"rotate", "rotate_refresh_tokens", YES_NO},
    {"refresh-token-idle-lifetime", "refresh_token_idle_lifetime", LIFETIME},
    {"refresh-token-lifetime", "refresh_token_lifetime", LIFETIME},
    {"id-token-alg", "id_token_signed_response_alg", TEXT},
    {"default-max-age", "default_max_age", SECONDS},
    {"require-auth-time", "require_auth_time", YES_NO},
    {"require-par", "require_pushed_authorization_requests", YES_NO},
    {"introspection", "introspection_allowed", YES_NO},
    {"client-uri", "client_uri", TEXT},
    {"logo-uri", "logo_uri", TEXT},
    {"policy-uri", "policy_uri", TEXT},
    {"tos-uri", "tos_uri", TEXT},
    {"contact", "contacts", LIST},
    {"admin", "administration", WORDS},
    {"native", "application_type", KIND},
    {"first-party", "first_party", KIND},
};

struct reader {
    const void *ctx;
    const struct cli_line *line;
    const char *jwks;
    json_t *patch;
};

/* --- values --- */

/* What JSON could not say, or nobody would see. */
static const char *text_problem(const void *ctx, const char *option, const char *value)
{
    if (value[0] == '\0')
        return mem_printf(ctx, "--%s is empty", option);
    if (strlen(value) > TEXT_MAX_LEN)
        return mem_printf(ctx, "--%s is longer than %d bytes", option, TEXT_MAX_LEN);
    if (!form_is_utf8(bytes_of(value)))
        return mem_printf(ctx, "--%s is not UTF-8 text", option);
    if (!form_is_plain(bytes_of(value)))
        return mem_printf(ctx, "--%s has control characters, or others that nobody sees", option);
    return NULL;
}

/* "a,b" is written as easily as "a b". */
static char *without_commas(const void *ctx, const char *value)
{
    char *copy = mem_strdup(ctx, value);
    for (char *p = copy; *p != '\0'; p++)
        if (*p == ',')
            *p = ' ';
    return copy;
}

static void append_words(const void *ctx, json_t *list, const char *value)
{
    char *words = mem_strdup(ctx, value), *rest = words;
    for (char *word = strsep(&rest, " "); word != NULL; word = strsep(&rest, " "))
        json_append_string(list, word);
}

/* The short name of the device grant stands for its own, and either may be given twice. */
static void append_grant(json_t *list, const char *value)
{
    const char *grant = strcmp(value, "device_code") == 0 ? DEVICE_GRANT_TYPE : value;
    for (size_t i = 0; i < json_array_size(list); i++)
        if (strcmp(json_string_value(json_array_get(list, i)), grant) == 0)
            return;
    json_append_string(list, grant);
}

static char *joined(const void *ctx, char *const *values, size_t count)
{
    struct buf all = buf_make(ctx);
    for (size_t i = 0; i < count; i++)
        buf_printf(&all, "%s%s", i == 0 ? "" : " ", values[i]);
    return buf_string(&all);
}

static const char *read_list(struct reader *r, const struct field *field)
{
    json_t *list = json_make_array(r->ctx);
    size_t count;
    char **values = cli_values(r->ctx, r->line, field->option, &count);
    if (count > LIST_MAX)
        return mem_printf(r->ctx, "--%s is given more than %d times", field->option, LIST_MAX);
    for (size_t i = 0; i < count; i++) {
        bool words = field->kind == SCOPES || field->kind == WORDS;
        if (field->kind == WORDS)
            values[i] = without_commas(r->ctx, values[i]);
        const char *wrong = text_problem(r->ctx, field->option, values[i]);
        if (wrong == NULL && words && !param_is_scope(values[i]))
            wrong = mem_printf(r->ctx, "--%s %s is not a list of words separated by single spaces", field->option,
                               values[i]);
        if (wrong != NULL)
            return wrong;
        if (field->kind == GRANTS)
            append_grant(list, values[i]);
        else if (words)
            append_words(r->ctx, list, values[i]);
        else
            json_append_string(list, values[i]);
    }
    if (field->kind == SCOPES)
        json_set_string(r->patch, field->member, joined(r->ctx, values, count));
    else
        json_set(r->patch, field->member, list);
    return NULL;
}

static const char *read_seconds(struct reader *r, const struct field *field, const char *value)
{
    uint64_t seconds;
    if (num_parse_u64(bytes_of(value), MAX_AGE_MAX, &seconds) != OP_OK)
        return mem_printf(r->ctx, "--%s is a number of seconds, at most a year", field->option);
    json_set_int(r->patch, field->member, (int64_t)seconds);
    return NULL;
}

static const char *read_lifetime(struct reader *r, const struct field *field, const char *value)
{
    int64_t seconds;
    const struct conf_item item = {.name = field->option, .type = CONF_DURATION, .max = CLIENT_LIFETIME_MAX,
                                   .target = &seconds};
    const char *wrong = conf_value_read(r->ctx, &item, value);
    if (wrong != NULL)
        return mem_printf(r->ctx, "--%s: %s", field->option, wrong);
    json_set_int(r->patch, field->member, seconds);
    return NULL;
}

/* Keys by value and by address exclude each other. */
static const char *read_keys(struct reader *r, const struct field *field)
{
    json_t *jwks;
    if (cli_has(r->line, "jwks-uri"))
        return "--jwks and --jwks-uri exclude each other";
    if (json_read(r->ctx, bytes_of(r->jwks), &jwks) != OP_OK)
        return "--jwks is no JWK Set";
    json_set(r->patch, field->member, jwks);
    return NULL;
}

static const char *read_field(struct reader *r, const struct field *field)
{
    const char *value = cli_value(r->line, field->option), *wrong = NULL;
    switch (field->kind) {
    case TEXT:
        wrong = text_problem(r->ctx, field->option, value);
        if (wrong == NULL)
            json_set_string(r->patch, field->member, value);
        return wrong;
    case LIST:
    case GRANTS:
    case SCOPES:
    case WORDS:
        return read_list(r, field);
    case YES_NO:
        json_set_bool(r->patch, field->member, cli_yes(r->line, field->option, false));
        return NULL;
    case SECONDS:
        return read_seconds(r, field, value);
    case LIFETIME:
        return read_lifetime(r, field, value);
    case KEYS:
        return read_keys(r, field);
    case KIND:
        break;
    }
    return NULL;
}

/* --- the line --- */

static const struct field *find(const char *option)
{
    for (size_t i = 0; i < sizeof FIELDS / sizeof *FIELDS; i++)
        if (strcmp(FIELDS[i].option, option) == 0)
            return &FIELDS[i];
    return NULL;
}

static const char *read_cleared(struct reader *r)
{
    size_t count;
    char **cleared = cli_values(r->ctx, r->line, "clear", &count);
    for (size_t i = 0; i < count; i++) {
        const struct field *field = find(cleared[i]);
        if (cli_has(r->line, cleared[i]))
            return mem_printf(r->ctx, "--%s is given and cleared in one line", cleared[i]);
        if (field != NULL)
            json_set(r->patch, field->member, json_null());
    }
    return NULL;
}

const char *client_fields_read(const void *ctx, const struct cli_line *line, const char *jwks, json_t **ret)
{
    struct reader r = {.ctx = ctx, .line = line, .jwks = jwks, .patch = json_make_object(ctx)};
    const char *wrong = read_cleared(&r);
    for (size_t i = 0; i < sizeof FIELDS / sizeof *FIELDS && wrong == NULL; i++)
        if (cli_has(line, FIELDS[i].option))
            wrong = read_field(&r, &FIELDS[i]);
    if (wrong == NULL)
        *ret = r.patch;
    return wrong;
}

char *client_fields_refusal(const void *ctx, const struct refusal *refusal)
{
    if (refusal->member == NULL)
        return mem_strdup(ctx, refusal->what);
    for (size_t i = 0; i < sizeof FIELDS / sizeof *FIELDS; i++)
        if (strcmp(FIELDS[i].member, refusal->member) == 0)
            return mem_printf(ctx, "--%s %s", FIELDS[i].option, refusal->what);
    return mem_printf(ctx, "%s %s", refusal->member, refusal->what);
}
