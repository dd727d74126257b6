#include "browser.h"

#include <string.h>

#include "base/rand.h"
#include "data/uri.h"

enum { SECRET_BYTES = 32, SECRET_CHARS = 43 };

static const char *session_name = "__Host-partita";
static const char *browser_name = "__Host-partita-browser";
static const char *attributes = "; Path=/; Secure; HttpOnly; SameSite=Lax";

enum op_err browser_setup(const void *ctx, const char *issuer)
{
    struct uri uri;
    enum op_err err = uri_parse(ctx, issuer, &uri);
    if (err != OP_OK)
        return err;
    if (strcmp(uri.scheme, "https") == 0)
        return OP_OK;
    if (uri.host == NULL || !uri_host_is_loopback(uri.host))
        return OP_INVALID;
    session_name = "partita";
    browser_name = "partita-browser";
    attributes = "; Path=/; HttpOnly; SameSite=Lax";
    return OP_OK;
}

static const char *secret_cookie(struct http_request *req, const char *name)
{
    static const char allowed[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    const char *value = http_cookie(req, name);
    if (value == NULL || strlen(value) != SECRET_CHARS || strspn(value, allowed) != SECRET_CHARS)
        return NULL;
    return value;
}

const char *browser_session(struct http_request *req)
{
    return secret_cookie(req, session_name);
}

void browser_set_session(struct http_request *req, const char *secret)
{
    http_set_fieldf(req, "Set-Cookie", "%s=%s%s", session_name, secret, attributes);
}

void browser_clear_session(struct http_request *req)
{
    http_set_fieldf(req, "Set-Cookie", "%s=%s; Max-Age=0", session_name, attributes);
}

const char *browser_id(struct http_request *req)
{
    return secret_cookie(req, browser_name);
}

/* What this reply sets already: a page may hold several forms. */
static const char *id_just_made(const struct http_request *req)
{
    size_t len = strlen(browser_name);
    for (size_t i = 0; i < req->reply_field_count; i++) {
        const char *value = req->reply_fields[i].value;
        if (strcmp(req->reply_fields[i].name, "Set-Cookie") == 0 && strncmp(value, browser_name, len) == 0 &&
            value[len] == '=')
            return mem_strndup(req, value + len + 1, SECRET_CHARS);
    }
    return NULL;
}

const char *browser_id_or_new(struct http_request *req)
{
    const char *id = browser_id(req);
    if (id == NULL)
        id = id_just_made(req);
    if (id != NULL)
        return id;
    id = rand_token(req, SECRET_BYTES);
    http_set_fieldf(req, "Set-Cookie", "%s=%s%s", browser_name, id, attributes);
    return id;
}
