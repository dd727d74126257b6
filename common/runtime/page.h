#pragma once
/* Pages for people: HTML templates and message catalogues from files in share_dir, loaded at start.
 *
 * Templates (share_dir/pages/NAME.html) are HTML with: {{name}} a value, escaped; {{a.b}} a member;
 * {{t:message}} a message of the catalogue, whose own {name} placeholders are filled (escaped) from
 * the values; {{#list}}...{{/list}} for each item, or once when true; {{^name}}...{{/name}} when absent,
 * false or empty; {{>part}} another template. There is no way to insert unescaped text.
 *
 * Catalogues (share_dir/locales/LANG.ini): key = text, UTF-8. A key missing in a language is taken
 * from the first one, and all of it is checked when loaded. */
#include "data/json.h"
#include "runtime/http.h"

struct page_set;

/* Loads all templates, the named locales, and the static files of share_dir/assets. OP_INVALID or
 * OP_ABSENT with *ret_why naming file and line. Blocks (file I/O): only at start. */
must_check enum op_err page_load(const void *ctx, const char *share_dir, char *const *locales, size_t locale_count,
                                 struct page_set **ret, const char **ret_why);

/* The best language for a request: ui_locales (space-separated, may be NULL), else Accept-Language,
 * else the first. Never NULL. */
const char *page_language(const struct page_set *pages, const char *ui_locales, const char *accept_language);

/* Fills a template. Owned by ctx. A missing template or value is "" (templates are checked in tests). */
char *page_render(const void *ctx, const struct page_set *pages, const char *name, const char *language, const json_t *values);

/* One message with its placeholders filled, as plain text. */
char *page_message(const void *ctx, const struct page_set *pages, const char *language, const char *key, const json_t *values);

/* Sends a page: text/html, no-store, CSP (default-src 'none'; style-src, img-src, font-src 'self'; no
 * script; frame-ancestors 'none'; base-uri 'none'), X-Content-Type-Options, Referrer-Policy:
 * no-referrer, Cross-Origin-Opener-Policy. Frees req. */
void page_reply(struct http_request *req, const struct page_set *pages, int status, const char *name, const char *language,
                const json_t *values);

/* Answers /assets/...: type by suffix, ETag, Cache-Control, 304. 404 when there is none. Frees req. */
void page_reply_asset(struct http_request *req, const struct page_set *pages, const char *name);
