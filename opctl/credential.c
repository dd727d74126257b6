#include "credential.h"

#include <stdio.h>
#include <string.h>

#include "app.h"
#include "base/buf.h"
#include "base/codec.h"
#include "copy.h"
#include "credentials.h"
#include "data/digest.h"
#include "file.h"
#include "sealed.h"

enum { EXPORT_MAX = 64 * 1024, FINGERPRINT_LEN = 8 };

static const char DEFAULT_DIR[] = "/etc/partita/credentials";

struct secret {
    const char *name;
    struct bytes value;
    enum op_err present; /* OP_OK: this very one is there; OP_ABSENT: none; OP_MISMATCH: another */
};

static const char *dir_of(const struct app *app)
{
    const char *dir = cli_value(&app->line, "dir");
    return dir == NULL ? DEFAULT_DIR : dir;
}

/* Which of two secrets it is, and nothing else. */
static char *fingerprint(const void *ctx, struct bytes secret)
{
    uint8_t digest[DIGEST_SHA256_LEN];
    digest_sha256(secret, digest);
    return codec_hex(ctx, bytes_from(digest, FINGERPRINT_LEN));
}

/* --- list --- */

static int run_list(struct app *app)
{
    static const char *const columns[] = {"name", "fingerprint", "problem", NULL};
    const char **names, *why;
    if (sealed_names(app->ctx, dir_of(app), &names, &why) != OP_OK)
        return app_fail("%s", why);
    json_t *array = json_make_array(app->ctx);
    for (size_t i = 0; names[i] != NULL; i++) {
        json_t *row = json_make_object(app->ctx);
        struct bytes secret;
        json_set_string(row, "name", names[i]);
        if (sealed_open(app->ctx, dir_of(app), names[i], &secret, &why) == OP_OK)
            json_set_string(row, "fingerprint", fingerprint(app->ctx, secret));
        else
            json_set_string(row, "problem", why);
        json_array_append(array, row);
    }
    return app_list(app, array, columns);
}

/* --- make --- */

static bool is_made_here(const char *name)
{
    for (size_t i = 0; CREDENTIALS_NAMES[i] != NULL; i++)
        if (strcmp(CREDENTIALS_NAMES[i], name) == 0)
            return true;
    return false;
}

static int run_make(struct app *app)
{
    bool replace = cli_has(&app->line, "replace");
    const char *const *names = app->line.argument_count > 0 ? app->line.arguments : CREDENTIALS_NAMES;
    size_t count = app->line.argument_count > 0 ? app->line.argument_count : CREDENTIALS_COUNT;
    if (replace && app->line.argument_count == 0)
        return app_usage(app, "--replace needs the name of what leaked");
    for (size_t i = 0; i < count; i++)
        if (!is_made_here(names[i]))
            return app_usage(app, "%s is none of seal-key, token-key and form-key", names[i]);
    json_t *object = json_make_object(app->ctx), *made = json_make_array(app->ctx), *there = json_make_array(app->ctx);
    for (size_t i = 0; i < count; i++) {
        const char *why;
        struct bytes secret = credentials_fresh(app->ctx);
        enum op_err err = sealed_put(app->ctx, dir_of(app), names[i], secret, replace, &why);
        if (err != OP_OK && err != OP_EXISTS)
            return app_fail("%s", why);
        json_append_string(err == OP_OK ? made : there, names[i]);
    }
    json_set(object, "made", made);
    json_set(object, "there", there);
    return app_say(app, object, "%zu made, %zu there already, in %s%s", json_array_size(made), json_array_size(there),
                   dir_of(app), replace ? "; what was replaced is kept beside, and instances go on with it until they are "
                                          "started anew" : "");
}

/* --- export --- */

static char *export_text(const struct app *app, size_t *ret_count, const char **ret_why)
{
    const char **names;
    struct buf out = buf_make(app->ctx);
    if (sealed_names(app->ctx, dir_of(app), &names, ret_why) != OP_OK)
        return NULL;
    buf_add(&out, "# Partita's secrets in the clear: with them and a copy of the environments, tokens can be forged.\n"
                  "# opctl credential import FILE seals them to another machine.\n");
    size_t count = 0;
    for (; names[count] != NULL; count++) {
        struct bytes secret;
        if (sealed_open(app->ctx, dir_of(app), names[count], &secret, ret_why) != OP_OK)
            return NULL;
        char *text = mem_secret(codec_base64(app->ctx, secret));
        buf_printf(&out, "%s %s\n", names[count], text);
    }
    *ret_count = count;
    return mem_secret(buf_string(&out));
}

static int run_export(struct app *app)
{
    const char *to = app->line.arguments[0], *why = NULL;
    size_t count = 0;
    char *text = export_text(app, &count, &why);
    if (text == NULL)
        return app_fail("%s", why);
    if (count == 0)
        return app_fail("there are no credentials in %s", dir_of(app));
    fputs("opctl: these are the secrets themselves: keep them where neither this host nor its backups are\n", stderr);
    if (strcmp(to, "-") == 0)
        return fputs(text, stdout) < 0 ? app_fail("standard output cannot be written") : APP_OK;
    if (copy_text(app->ctx, text, to, &why) != OP_OK)
        return app_fail("%s", why);
    json_t *object = json_make_object(app->ctx);
    json_set_string(object, "file", to);
    json_set_int(object, "exported", (int64_t)count);
    return app_say(app, object, "%zu credentials written to %s, readable by you alone", count, to);
}

/* --- import --- */

/* "NAME BASE64"; false: it is not. */
static bool read_line(const void *ctx, char *line, struct secret *ret)
{
    char *space = strchr(line, ' ');
    if (space == NULL)
        return false;
    *space = '\0';
    *ret = (struct secret){.name = line, .present = OP_ABSENT};
    return sealed_is_name(line) && codec_from_base64(ctx, bytes_of(space + 1), &ret->value) == OP_OK &&
           ret->value.len > 0 && ret->value.len <= SEALED_SECRET_MAX;
}

/* All lines of the file. Returns an exit status. */
static int read_secrets(const struct app *app, struct secret **ret, size_t *ret_count)
{
    const char *from = app->line.arguments[0], *why;
    char *text, *rest;
    struct secret *secrets = NULL;
    size_t count = 0;
    if (file_read_text(app->ctx, strcmp(from, "-") == 0 ? "/dev/stdin" : from, EXPORT_MAX, &text, &why) != OP_OK)
        return app_fail("%s", why);
    mem_secret(text);
    for (char *line = strtok_r(text, "\r\n", &rest); line != NULL; line = strtok_r(NULL, "\r\n", &rest)) {
        if (*line == '#')
            continue;
        secrets = mem_grow(app->ctx, secrets, struct secret, count + 1);
        if (!read_line(app->ctx, line, &secrets[count++]))
            return app_fail("%s: line %zu of its secrets is not NAME and BASE64, as opctl credential export writes them",
                            from, count);
    }
    if (count == 0)
        return app_fail("%s holds no secrets", from);
    *ret = secrets;
    *ret_count = count;
    return APP_OK;
}

/* What is there of each already. Returns an exit status. */
static int compare(const struct app *app, struct secret *secrets, size_t count)
{
    bool replace = cli_has(&app->line, "replace");
    for (size_t i = 0; i < count; i++) {
        struct bytes there;
        const char *why;
        enum op_err err = sealed_open(app->ctx, dir_of(app), secrets[i].name, &there, &why);
        if (err == OP_OK && (there.len != secrets[i].value.len ||
                             memcmp(there.data, secrets[i].value.data, there.len) != 0))
            err = OP_MISMATCH;
        if (err == OP_MISMATCH && !replace)
            return app_fail("%s is another one on this machine: nothing was changed (--replace keeps that one aside)",
                            secrets[i].name);
        if (err == OP_BROKEN && !replace)
            return app_fail("%s: nothing was changed (--replace keeps it aside)", why);
        secrets[i].present = err == OP_BROKEN ? OP_MISMATCH : err;
    }
    return APP_OK;
}

static int run_import(struct app *app)
{
    struct secret *secrets = NULL;
    size_t count = 0;
    int status = read_secrets(app, &secrets, &count);
    if (status == APP_OK)
        status = compare(app, secrets, count);
    json_t *object = json_make_object(app->ctx), *sealed = json_make_array(app->ctx), *there = json_make_array(app->ctx);
    for (size_t i = 0; i < count && status == APP_OK; i++) {
        const char *why;
        bool same = secrets[i].present == OP_OK;
        if (!same && sealed_put(app->ctx, dir_of(app), secrets[i].name, secrets[i].value,
                                secrets[i].present == OP_MISMATCH, &why) != OP_OK)
            return app_fail("%s", why);
        json_append_string(same ? there : sealed, secrets[i].name);
    }
    if (status != APP_OK)
        return status;
    json_set(object, "sealed", sealed);
    json_set(object, "there", there);
    return app_say(app, object, "%zu sealed to this machine, %zu there already, in %s", json_array_size(sealed),
                   json_array_size(there), dir_of(app));
}

/* --- the table --- */

#define DIR {"dir", "DIR", false, "where they lie (default /etc/partita/credentials)", NULL}
#define REPLACE {"replace", NULL, false, "another one that is there is kept beside it", NULL}

static const struct cli_option LIST_OPTIONS[] = {DIR};
static const struct cli_option CHANGE_OPTIONS[] = {REPLACE, DIR};

const struct cli_command CREDENTIAL_COMMANDS[] = {
    {"credential", "list", CLI_ARGUMENTS("", 0, 0), CLI_OPTIONS(LIST_OPTIONS), .run = run_list,
     .help = "List the secrets that are sealed to this machine for its servers, with fingerprints that tell them apart."},
    {"credential", "make", CLI_ARGUMENTS("[NAME...]", 0, CREDENTIALS_COUNT), CLI_OPTIONS(CHANGE_OPTIONS), .changes = "", .run = run_make,
     .help = "Make those of seal-key, token-key and form-key that are not there, sealed to this machine; never in the clear."},
    {"credential", "export", CLI_ARGUMENTS("FILE", 1, 1), CLI_OPTIONS(LIST_OPTIONS), .changes = "", .run = run_export,
     .help = "Write the secrets in the clear to a new file (0600), or to standard output for -, to be kept elsewhere: a "
             "backup without them is lost with the host."},
    {"credential", "import", CLI_ARGUMENTS("FILE", 1, 1), CLI_OPTIONS(CHANGE_OPTIONS), .changes = "", .run = run_import,
     .help = "Seal the secrets of an export (- for standard input) to this machine."},
    {0},
};
