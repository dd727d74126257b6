#include "runtime/page.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/codec.h"
#include "data/digest.h"
#include "runtime/language.h"
#include "runtime/template.h"

enum { FILE_MAX = 2 << 20, LOCALES_MAX = 64 };

struct named_template {
    const char *name;
    struct template *template;
};

struct asset {
    const char *name, *type, *etag;
    struct bytes content;
};

struct locale {
    const char *language;
    json_t *messages; /* key -> text */
};

struct page_set {
    struct named_template *templates;
    size_t template_count;
    struct asset *assets;
    size_t asset_count;
    struct locale *locales;
    size_t locale_count;
    char **languages;
};

/* --- loading --- */

static enum op_err read_file(const void *ctx, const char *path, struct bytes *ret, const char **ret_why)
{
    enum op_err err = OP_OK;
    struct stat st;
    uint8_t *data = NULL;
    size_t len = 0;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0 || fstat(fd, &st) != 0 || !S_ISREG(st.st_mode)) {
        *ret_why = mem_printf(ctx, "%s: %s", path, fd < 0 ? strerror(errno) : "is no file");
        err = OP_ABSENT;
        goto out;
    }
    if (st.st_size > FILE_MAX) {
        *ret_why = mem_printf(ctx, "%s: larger than 2 MiB", path);
        err = OP_INVALID;
        goto out;
    }
    data = mem_array(ctx, uint8_t, (size_t)st.st_size + 1);
    while (len < (size_t)st.st_size) {
        ssize_t n = read(fd, data + len, (size_t)st.st_size - len);
        if (n <= 0)
            break;
        len += (size_t)n;
    }
    *ret = bytes_from(data, len);
out:
    if (fd >= 0)
        close(fd);
    return err;
}

/* Calls each(pages, path, name, ret_why) for the files of a directory, hidden ones left out. */
typedef enum op_err each_file(struct page_set *pages, const char *path, const char *name, const char **ret_why);

static enum op_err load_directory(struct page_set *pages, const char *dir, each_file *each, const char **ret_why)
{
    struct dirent **entries = NULL;
    int count = scandir(dir, &entries, NULL, alphasort);
    if (count < 0) {
        *ret_why = mem_printf(pages, "%s: %s", dir, strerror(errno));
        return OP_ABSENT;
    }
    enum op_err err = OP_OK;
    for (int i = 0; i < count; i++) {
        if (err == OP_OK && entries[i]->d_name[0] != '.')
            err = each(pages, mem_printf(pages, "%s/%s", dir, entries[i]->d_name), entries[i]->d_name, ret_why);
        free(entries[i]);
    }
    free(entries);
    return err;
}

static enum op_err load_template(struct page_set *pages, const char *path, const char *name, const char **ret_why)
{
    size_t len = strlen(name);
    if (len <= 5 || strcmp(name + len - 5, ".html") != 0)
        return OP_OK;
    struct bytes text;
    struct template *template = NULL;
    const char *why = NULL;
    enum op_err err = read_file(pages, path, &text, ret_why);
    if (err != OP_OK)
        return err;
    err = template_parse(pages, text, &template, &why);
    if (err != OP_OK) {
        *ret_why = mem_printf(pages, "%s:%s", path, why);
        return err;
    }
    pages->templates = mem_grow(pages, pages->templates, struct named_template, pages->template_count + 1);
    pages->templates[pages->template_count++] =
        (struct named_template){.name = mem_strndup(pages, name, len - 5), .template = template};
    return OP_OK;
}

static const char *type_of(const char *name)
{
    static const char *const types[][2] = {
        {".css", "text/css; charset=utf-8"}, {".js", "text/javascript; charset=utf-8"}, {".svg", "image/svg+xml"},
        {".png", "image/png"},               {".jpg", "image/jpeg"},                    {".webp", "image/webp"},
        {".ico", "image/x-icon"},            {".woff2", "font/woff2"},
    };
    const char *suffix = strrchr(name, '.');
    for (size_t i = 0; suffix != NULL && i < sizeof types / sizeof *types; i++) {
        if (strcmp(suffix, types[i][0]) == 0)
            return types[i][1];
    }
    return NULL;
}

static enum op_err load_asset(struct page_set *pages, const char *path, const char *name, const char **ret_why)
{
    const char *type = type_of(name);
    if (type == NULL)
        return OP_OK;
    struct bytes content;
    enum op_err err = read_file(pages, path, &content, ret_why);
    if (err != OP_OK)
        return err;
    uint8_t digest[DIGEST_SHA256_LEN];
    digest_sha256(content, digest);
    const char *etag = mem_printf(pages, "\"%s\"", codec_base64url(pages, bytes_from(digest, 12)));
    pages->assets = mem_grow(pages, pages->assets, struct asset, pages->asset_count + 1);
    pages->assets[pages->asset_count++] =
        (struct asset){.name = mem_strdup(pages, name), .type = type, .etag = etag, .content = content};
    return OP_OK;
}

enum op_err page_add_asset(struct page_set *pages, const char *name, const char *path, const char **ret_name,
                           const char **ret_why)
{
    const char *suffix = strrchr(path, '.');
    if (suffix == NULL || type_of(path) == NULL) {
        *ret_why = mem_printf(pages, "%s: not a kind of file that pages can show (svg, png, jpg, webp)", path);
        return OP_INVALID;
    }
    const char *whole = mem_printf(pages, "%s%s", name, suffix);
    enum op_err err = load_asset(pages, path, whole, ret_why);
    if (err == OP_OK)
        *ret_name = whole;
    return err;
}

/* One line of a catalogue: "key = text", a comment (# or ;) or nothing. */
static const char *read_message(const void *ctx, char *line, json_t *messages)
{
    line += strspn(line, " \t");
    size_t len = strlen(line);
    while (len > 0 && strchr(" \t\r", line[len - 1]) != NULL)
        line[--len] = '\0';
    if (len == 0 || *line == '#' || *line == ';')
        return NULL;
    char *equals = strchr(line, '=');
    if (equals == NULL || equals == line)
        return "not of the form key = text";
    const char *text = equals + 1 + strspn(equals + 1, " \t");
    while (equals > line && strchr(" \t", equals[-1]) != NULL)
        equals--;
    const char *key = mem_strndup(ctx, line, (size_t)(equals - line));
    if (json_object_get(messages, key) != NULL)
        return "this key was here before";
    json_t *value = json_string(text);
    if (value == NULL)
        return "not UTF-8";
    if (json_object_set_new(messages, key, value) != 0)
        return "the key is not UTF-8";
    return NULL;
}

static enum op_err load_locale(struct page_set *pages, const char *dir, const char *language, struct locale *ret,
                               const char **ret_why)
{
    const char *path = mem_printf(pages, "%s/%s.ini", dir, language);
    struct bytes text;
    enum op_err err = read_file(pages, path, &text, ret_why);
    if (err != OP_OK)
        return err;
    struct locale locale = {.language = mem_strdup(pages, language), .messages = json_make_object(pages)};
    char *rest = mem_strndup(pages, (const char *)text.data, text.len);
    for (unsigned number = 1; rest != NULL; number++) {
        const char *why = read_message(pages, strsep(&rest, "\n"), locale.messages);
        if (why != NULL) {
            *ret_why = mem_printf(pages, "%s:%u: %s", path, number, why);
            return OP_INVALID;
        }
    }
    *ret = locale;
    return OP_OK;
}

/* Every other language may lack keys of the first, but has none of its own: such a key is a slip. */
static enum op_err check_locale(struct page_set *pages, const char *dir, const struct locale *locale,
                                const char **ret_why)
{
    const char *key = NULL;
    json_t *text = NULL;
    json_object_foreach(locale->messages, key, text) {
        if (json_object_get(pages->locales[0].messages, key) == NULL) {
            *ret_why = mem_printf(pages, "%s/%s.ini: %s is no key of %s.ini", dir, locale->language, key,
                                  pages->locales[0].language);
            return OP_INVALID;
        }
    }
    return OP_OK;
}

static enum op_err load_locales(struct page_set *pages, const char *dir, char *const *locales, size_t count,
                                const char **ret_why)
{
    if (count == 0 || count > LOCALES_MAX) {
        *ret_why = "locales: at least one language is needed, and at most 64";
        return OP_INVALID;
    }
    pages->locales = mem_array(pages, struct locale, count);
    pages->languages = mem_array(pages, char *, count);
    for (size_t i = 0; i < count; i++) {
        if (strchr(locales[i], '/') != NULL) {
            *ret_why = mem_printf(pages, "locales: %s is no language", locales[i]);
            return OP_INVALID;
        }
        enum op_err err = load_locale(pages, dir, locales[i], &pages->locales[i], ret_why);
        if (err == OP_OK)
            err = check_locale(pages, dir, &pages->locales[i], ret_why);
        if (err != OP_OK)
            return err;
        pages->languages[i] = mem_strdup(pages, locales[i]);
        pages->locale_count = i + 1;
    }
    return OP_OK;
}

/* --- finding --- */

struct voice {
    const struct page_set *pages;
    const struct locale *locale;
};

static const char *find_message(const void *arg, const char *key)
{
    const struct voice *voice = arg;
    const char *text = json_string_value(json_object_get(voice->locale->messages, key));
    return text != NULL ? text : json_string_value(json_object_get(voice->pages->locales[0].messages, key));
}

static const struct template *find_template(const struct page_set *pages, const char *name)
{
    for (size_t i = 0; i < pages->template_count; i++) {
        if (strcmp(pages->templates[i].name, name) == 0)
            return pages->templates[i].template;
    }
    return NULL;
}

static const struct template *find_part(const void *arg, const char *name)
{
    const struct voice *voice = arg;
    return find_template(voice->pages, name);
}

static struct voice voice_of(const struct page_set *pages, const char *language)
{
    struct voice voice = {.pages = pages, .locale = &pages->locales[0]};
    for (size_t i = 0; i < pages->locale_count; i++) {
        if (strcasecmp(pages->locales[i].language, language) == 0)
            voice.locale = &pages->locales[i];
    }
    return voice;
}

static enum op_err check_templates(struct page_set *pages, const char *dir, const char **ret_why)
{
    struct voice voice = {.pages = pages, .locale = &pages->locales[0]};
    struct template_source source = {.message = find_message, .part = find_part, .arg = &voice};
    for (size_t i = 0; i < pages->template_count; i++) {
        const char *missing = template_missing(pages, pages->templates[i].template, &source);
        if (missing != NULL) {
            *ret_why = mem_printf(pages, "%s/%s.html:%s", dir, pages->templates[i].name, missing);
            return OP_INVALID;
        }
    }
    return OP_OK;
}

enum op_err page_load(const void *ctx, const char *share_dir, char *const *locales, size_t locale_count,
                      struct page_set **ret, const char **ret_why)
{
    struct page_set *pages = mem_new(ctx, struct page_set);
    const char *templates = mem_printf(pages, "%s/pages", share_dir);
    const char *assets = mem_printf(pages, "%s/assets", share_dir);
    const char *catalogues = mem_printf(pages, "%s/locales", share_dir);
    const char *why = NULL;
    enum op_err err = load_directory(pages, templates, load_template, &why);
    if (err == OP_OK)
        err = load_directory(pages, assets, load_asset, &why);
    if (err == OP_OK)
        err = load_locales(pages, catalogues, locales, locale_count, &why);
    if (err == OP_OK)
        err = check_templates(pages, templates, &why);
    if (err != OP_OK) {
        *ret_why = mem_strdup(ctx, why);
        talloc_free(pages);
        return err;
    }
    *ret = pages;
    return OP_OK;
}

/* --- answering --- */

const char *page_language(const struct page_set *pages, const char *ui_locales, const char *accept_language)
{
    return language_choose(pages->languages, pages->locale_count, ui_locales, accept_language);
}

char *page_render(const void *ctx, const struct page_set *pages, const char *name, const char *language,
                  const json_t *values)
{
    struct buf out = buf_make(ctx);
    struct voice voice = voice_of(pages, language);
    struct template_source source = {.message = find_message, .part = find_part, .arg = &voice};
    const struct template *template = find_template(pages, name);
    json_t *all = json_make_object(ctx);
    if (values != NULL)
        json_object_update(all, (json_t *)values);
    json_set_string(all, "lang", voice.locale->language);
    if (template != NULL)
        template_render(&out, template, &source, all);
    return buf_string(&out);
}

char *page_message(const void *ctx, const struct page_set *pages, const char *language, const char *key,
                   const json_t *values)
{
    struct buf out = buf_make(ctx);
    struct voice voice = voice_of(pages, language);
    const char *message = find_message(&voice, key);
    if (message != NULL)
        template_fill(&out, message, values);
    return buf_string(&out);
}

static void reply(struct http_request *req, const struct page_set *pages, int status, const char *name,
                  const char *language, const json_t *values, const char *script_src)
{
    char *html = page_render(req, pages, name, language, values);
    http_set_fieldf(req, "Content-Security-Policy",
                    "default-src 'none'; style-src 'self'; img-src 'self'; font-src 'self'; %sframe-ancestors 'none'; "
                    "base-uri 'none'",
                    script_src);
    http_set_field(req, "X-Content-Type-Options", "nosniff");
    http_set_field(req, "X-Frame-Options", "DENY");
    http_set_field(req, "Referrer-Policy", "no-referrer");
    http_set_field(req, "Cache-Control", "no-store");
    http_set_field(req, "Content-Language", voice_of(pages, language).locale->language);
    http_reply(req, status, "text/html; charset=utf-8", bytes_of(html));
}

void page_reply(struct http_request *req, const struct page_set *pages, int status, const char *name,
                const char *language, const json_t *values)
{
    reply(req, pages, status, name, language, values, "");
}

void page_reply_with_script(struct http_request *req, const struct page_set *pages, int status, const char *name,
                            const char *language, const json_t *values)
{
    reply(req, pages, status, name, language, values, "script-src 'self'; ");
}

void page_reply_asset(struct http_request *req, const struct page_set *pages, const char *name)
{
    const struct asset *asset = NULL;
    for (size_t i = 0; i < pages->asset_count; i++) {
        if (strcmp(pages->assets[i].name, name) == 0)
            asset = &pages->assets[i];
    }
    http_set_field(req, "X-Content-Type-Options", "nosniff");
    if (asset == NULL) {
        http_set_field(req, "Cache-Control", "no-store");
        http_reply(req, 404, "text/plain; charset=utf-8", bytes_of("not found\n"));
        return;
    }
    http_set_field(req, "ETag", asset->etag);
    http_set_field(req, "Cache-Control", "public, max-age=600");
    /* A picture that somebody opens by itself runs nothing either. */
    http_set_field(req, "Content-Security-Policy",
                   "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'");
    const char *known = http_field(req, "if-none-match");
    if (known != NULL && strstr(known, asset->etag) != NULL)
        http_reply(req, 304, NULL, bytes_of(NULL));
    else
        http_reply(req, 200, asset->type, asset->content);
}
