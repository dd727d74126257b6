/* Cookies: whatever stands in the fields, a value found is part of one field, and of two with one name neither is taken. */
#include <stdlib.h>
#include <string.h>

#include "runtime/http.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool ok)
{
    if (!ok)
        abort();
}

/* The input's lines are the request's Cookie fields. */
static struct http_request *make_request(const uint8_t *data, size_t size)
{
    enum { FIELDS_MAX = 4 };
    struct http_request *req = mem_new(NULL, struct http_request);
    struct http_field *fields = mem_array(req, struct http_field, FIELDS_MAX);
    char *text = mem_strndup(req, (const char *)data, size), *rest = text;
    while (rest != NULL && req->field_count < FIELDS_MAX)
        fields[req->field_count++] = (struct http_field){"cookie", strsep(&rest, "\n")};
    req->fields = fields;
    return req;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *const names[] = {"partita", "__Host-partita", "a", ""};
    struct http_request *req = make_request(data, size);
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        const char *value = http_cookie(req, names[i]);
        bool inside = value == NULL;
        for (size_t f = 0; f < req->field_count && !inside; f++)
            inside = strstr(req->fields[f].value, value) != NULL;
        require(inside);
        require(value == NULL || strchr(value, ';') == NULL);
    }
    talloc_free(req);
    return 0;
}
