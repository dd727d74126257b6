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

/* Loads all templates, the named locales, and the static files of share_dir/assets (.css, .js, .svg, .png,
 * .jpg, .webp, .ico, .woff2). OP_INVALID or OP_ABSENT with *ret_why naming file and line: among them a
 * message or part that a template names and nobody has, and a key that the first language lacks. Owned by
 * ctx. Blocks (file I/O): only at start. */
must_check enum op_err page_load(const void *ctx, const char *share_dir, char *const *locales, size_t locale_count,
                                 struct page_set **ret, const char **ret_why);

/* Adds a file from elsewhere (the operator's logo) to the assets under name and the file's suffix, whose
 * whole name is *ret_name (owned by pages). OP_ABSENT, OP_INVALID with *ret_why. Blocks: only at start. */
must_check enum op_err page_add_asset(struct page_set *pages, const char *name, const char *path, const char **ret_name,
                                      const char **ret_why);

/* The best language for a request: ui_locales (space-separated, may be NULL), else Accept-Language,
 * else the first. Never NULL. */
const char *page_language(const struct page_set *pages, const char *ui_locales, const char *accept_language);

/* Fills a template; {{lang}} is the language. Owned by ctx. A missing template or value is "". */
char *page_render(const void *ctx, const struct page_set *pages, const char *name, const char *language,
                  const json_t *values);

/* One message with its placeholders filled, as plain text; "" when there is none of this key. values may be NULL. */
char *page_message(const void *ctx, const struct page_set *pages, const char *language, const char *key,
                   const json_t *values);

/* Sends a page: text/html, no-store, CSP (default-src 'none'; style-src, img-src, font-src 'self'; no
 * script; frame-ancestors 'none'; base-uri 'none'), X-Content-Type-Options, Referrer-Policy:
 * no-referrer. (No Cross-Origin-Opener-Policy: it would cut off clients that open sign-in as a popup.) Frees req. */
void page_reply(struct http_request *req, const struct page_set *pages, int status, const char *name,
                const char *language, const json_t *values);
/* The same for the one page that carries a script of ours: script-src 'self' is added. */
void page_reply_with_script(struct http_request *req, const struct page_set *pages, int status, const char *name,
                            const char *language, const json_t *values);

/* Answers /assets/...: type by suffix, ETag, Cache-Control, 304. 404 when there is none. Frees req. */
void page_reply_asset(struct http_request *req, const struct page_set *pages, const char *name);
