#include "runtime/site.h"

#include <limits.h>
#include <string.h>
#include <unistd.h>

#include "runtime/settings.h"

static void set_contact(const void *ctx, json_t *facts)
{
    const char *contact = settings.contact;
    if (*contact == '\0')
        return;
    bool is_url = strncmp(contact, "https://", 8) == 0 || strncmp(contact, "http://", 7) == 0;
    json_set_string(facts, "contact", contact);
    json_set_string(facts, "contact_href", is_url ? contact : mem_printf(ctx, "mailto:%s", contact));
}

/* Versions are installed side by side, and links point at the one that runs: its own pages lie beside it. */
static const char *share_dir(const void *ctx)
{
    char path[PATH_MAX];
    if (*settings.share_dir != '\0')
        return settings.share_dir;
    ssize_t len = readlink("/proc/self/exe", path, sizeof path - 1);
    if (len < 0)
        return "share";
    path[len] = '\0';
    *strrchr(path, '/') = '\0';
    return mem_printf(ctx, "%s/share", path);
}

enum op_err site_load(const void *ctx, struct site *ret, const char **ret_why)
{
    struct site site = {.facts = json_make_object(ctx)};
    const char *logo = "partita.svg";
    enum op_err err = page_load(ctx, share_dir(ctx), settings.locales.items, settings.locales.count,
                                &site.pages, ret_why);
    if (err == OP_OK && *settings.logo != '\0')
        err = page_add_asset(site.pages, "logo", settings.logo, &logo, ret_why);
    if (err != OP_OK)
        return err;
    const char *path = strchr(strstr(settings.issuer, "://") + 3, '/'); /* its check saw to the scheme */
    site.base = path == NULL ? "" : path;
    json_set_string(site.facts, "name", settings.name);
    json_set_string(site.facts, "base", site.base);
    json_set_string(site.facts, "logo", mem_printf(ctx, "%s/assets/%s", site.base, logo));
    set_contact(ctx, site.facts);
    *ret = site;
    return OP_OK;
}

json_t *site_values(struct http_request *req, const struct site *site)
{
    json_t *values = json_make_object(req);
    json_set(values, "site", site->facts);
    json_set_string(values, "request_id", req->request_id);
    return values;
}

static const char *language_of(struct http_request *req, const struct site *site, const char *ui_locales)
{
    return page_language(site->pages, ui_locales, http_field(req, "accept-language"));
}

void site_page(struct http_request *req, const struct site *site, int status, const char *template,
               const char *ui_locales, const json_t *values)
{
    page_reply(req, site->pages, status, template, language_of(req, site, ui_locales), values);
}

char *site_message(struct http_request *req, const struct site *site, const char *ui_locales, const char *key,
                   const json_t *values)
{
    return page_message(req, site->pages, language_of(req, site, ui_locales), key, values);
}

void site_redirect(struct http_request *req, const struct site *site, const char *url)
{
    http_set_fieldf(req, "Location", "%s%s", *url == '/' ? site->base : "", url);
    http_set_field(req, "Cache-Control", "no-store");
    http_set_field(req, "Referrer-Policy", "no-referrer");
    http_reply(req, 303, "text/plain; charset=utf-8", bytes_of(""));
}
