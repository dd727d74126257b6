/* What handlers ask of a request, and what they collect for its reply (http.h). */
#include <assert.h>
#include <stdarg.h>
#include <string.h>
#include <strings.h>

#include "runtime/http.h"

enum { REPLY_FIELDS_STEP = 8 };

const char *http_field(const struct http_request *req, const char *name)
{
    for (size_t i = 0; i < req->field_count; i++)
        if (strcmp(req->fields[i].name, name) == 0)
            return req->fields[i].value;
    return NULL;
}

size_t http_field_count(const struct http_request *req, const char *name)
{
    size_t count = 0;
    for (size_t i = 0; i < req->field_count; i++)
        count += strcmp(req->fields[i].name, name) == 0 ? 1 : 0;
    return count;
}

/* Looks for name in one Cookie field; counts it and remembers its value. */
static size_t find_cookie(const char *field, const char *name, struct bytes *ret)
{
    size_t found = 0, name_len = strlen(name);
    const char *at = field;
    for (;;) {
        at += strspn(at, " \t");
        size_t len = strcspn(at, ";");
        if (len > name_len && at[name_len] == '=' && memcmp(at, name, name_len) == 0) {
            *ret = bytes_from(at + name_len + 1, len - name_len - 1);
            found++;
        }
        if (at[len] == '\0')
            return found;
        at += len + 1;
    }
}

const char *http_cookie(struct http_request *req, const char *name)
{
    struct bytes value = {0};
    size_t found = 0;
    for (size_t i = 0; i < req->field_count; i++)
        if (strcmp(req->fields[i].name, "cookie") == 0)
            found += find_cookie(req->fields[i].value, name, &value);
    if (found != 1)
        return NULL;
    while (value.len > 0 && (value.data[value.len - 1] == ' ' || value.data[value.len - 1] == '\t'))
        value.len--;
    return mem_secret(mem_strndup(req, (const char *)value.data, value.len));
}

bool http_content_type_is(const struct http_request *req, const char *media_type)
{
    const char *value = http_field(req, "content-type");
    if (value == NULL || http_field_count(req, "content-type") != 1)
        return false;
    size_t len = strcspn(value, "; \t"), wanted = strlen(media_type);
    const char *rest = value + len + strspn(value + len, " \t");
    return len == wanted && strncasecmp(value, media_type, len) == 0 && (*rest == ';' || *rest == '\0');
}

static bool is_field_text(const char *text)
{
    for (; *text != '\0'; text++)
        if (((unsigned char)*text < ' ' && *text != '\t') || *text == 0x7f)
            return false;
    return true;
}

void http_set_field(struct http_request *req, const char *name, const char *value)
{
    assert(is_field_text(name) && is_field_text(value));
    if (req->reply_field_count % REPLY_FIELDS_STEP == 0)
        req->reply_fields = mem_grow(req, req->reply_fields, struct http_field,
                                     req->reply_field_count + REPLY_FIELDS_STEP);
    req->reply_fields[req->reply_field_count++] =
        (struct http_field){.name = mem_strdup(req, name), .value = mem_secret(mem_strdup(req, value))};
}

void http_set_fieldf(struct http_request *req, const char *name, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    char *value = talloc_vasprintf(req, format, args);
    va_end(args);
    if (value == NULL)
        value = mem_strdup(req, ""); /* aborts when memory is out */
    http_set_field(req, name, value);
    talloc_free(mem_secret(value)); /* Set-Cookie and Location carry secrets */
}
