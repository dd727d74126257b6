#include "manifest.h"

#include <stdlib.h>
#include <string.h>

#include "base/codec.h"
#include "copy.h"
#include "data/digest.h"
#include "file.h"

/* A backup of a higher format is not read: formats grow when an older opctl would get something wrong. */
enum { FORMAT = 1, MANIFEST_MAX = 64 * 1024 };

char *manifest_file_path(const void *ctx, const char *dir, enum kv_env env)
{
    return mem_printf(ctx, "%s/%s.mdb", dir, kv_env_name(env));
}

char *manifest_path(const void *ctx, const char *dir)
{
    return mem_printf(ctx, "%s/manifest.json", dir);
}

json_t *manifest_json(const void *ctx, const struct manifest *manifest)
{
    json_t *object = json_make_object(ctx), *files = json_make_array(ctx);
    json_set_int(object, "format", FORMAT);
    json_set_string(object, "version", manifest->version);
    json_set_string(object, "issuer", manifest->issuer);
    json_set_string(object, "taken_at", manifest->taken_at);
    json_set_int(object, "families_alive", (int64_t)manifest->families_alive);
    for (unsigned e = 0; e < KV_ENV_COUNT; e++) {
        if (kv_env_is_volatile((enum kv_env)e))
            continue;
        const struct manifest_file *file = &manifest->files[e];
        json_t *entry = json_make_object(ctx);
        json_set_string(entry, "name", kv_env_name((enum kv_env)e));
        json_set_int(entry, "map_size", (int64_t)file->map_size);
        json_set_int(entry, "bytes", (int64_t)file->bytes);
        json_set_string(entry, "sha256", file->sha256);
        json_set(entry, "records", file->records);
        json_array_append(files, entry);
    }
    json_set(object, "environments", files);
    return object;
}

/* Of the text that the members in their order are. */
static char *digest_of(const void *ctx, const json_t *object)
{
    struct bytes digest = digest_sha256_of(ctx, json_text(ctx, object));
    return codec_hex(ctx, digest);
}

enum op_err manifest_write(const void *ctx, const char *dir, const struct manifest *manifest, const char **ret_why)
{
    json_t *object = manifest_json(ctx, manifest);
    json_set_string(object, "manifest_sha256", digest_of(ctx, object));
    char *text = json_dumps(object, JSON_INDENT(2));
    if (text == NULL)
        abort();
    enum op_err err = copy_text(ctx, mem_printf(ctx, "%s\n", text), manifest_path(ctx, dir), ret_why);
    free(text);
    return err;
}

/* --- reading --- */

static bool read_count(const json_t *object, const char *key, uint64_t *ret)
{
    int64_t value;
    if (json_get_int(object, key, &value) != OP_OK || value < 0)
        return false;
    *ret = (uint64_t)value;
    return true;
}

static bool read_file(const json_t *entry, struct manifest *manifest)
{
    const char *name;
    if (json_get_string(entry, "name", &name) != OP_OK)
        return false;
    for (unsigned e = 0; e < KV_ENV_COUNT; e++) {
        struct manifest_file *file = &manifest->files[e];
        if (strcmp(name, kv_env_name((enum kv_env)e)) == 0)
            return !kv_env_is_volatile((enum kv_env)e) && file->sha256 == NULL &&
                   json_get_string(entry, "sha256", &file->sha256) == OP_OK &&
                   read_count(entry, "map_size", &file->map_size) && read_count(entry, "bytes", &file->bytes);
    }
    return false;
}

static bool read_members(const json_t *object, struct manifest *manifest)
{
    const json_t *files = json_object_get(object, "environments");
    size_t i;
    json_t *entry;
    if (json_get_string(object, "issuer", &manifest->issuer) != OP_OK ||
        json_get_string(object, "version", &manifest->version) != OP_OK ||
        json_get_string(object, "taken_at", &manifest->taken_at) != OP_OK ||
        !read_count(object, "families_alive", &manifest->families_alive) || !json_is_array(files))
        return false;
    json_array_foreach(files, i, entry)
        if (!read_file(entry, manifest))
            return false;
    for (unsigned e = 0; e < KV_ENV_COUNT; e++)
        if (!kv_env_is_volatile((enum kv_env)e) && manifest->files[e].sha256 == NULL)
            return false;
    return true;
}

static bool is_unchanged(const void *ctx, json_t *object)
{
    const char *said;
    if (json_get_string(object, "manifest_sha256", &said) != OP_OK)
        return false;
    const char *copy = mem_strdup(ctx, said);
    json_object_del(object, "manifest_sha256");
    return strcmp(copy, digest_of(ctx, object)) == 0;
}

enum op_err manifest_read(const void *ctx, const char *dir, struct manifest *ret, const char **ret_why)
{
    const char *path = manifest_path(ctx, dir);
    char *text;
    json_t *object;
    int64_t format = 0;
    struct manifest manifest = {0};
    if (file_read_text(ctx, path, MANIFEST_MAX, &text, ret_why) != OP_OK) {
        *ret_why = mem_printf(ctx, "%s is no backup: %s", dir, *ret_why);
        return OP_ABSENT;
    }
    enum op_err err = json_read(ctx, bytes_of(text), &object) == OP_OK && json_is_object(object) ? OP_OK : OP_BROKEN;
    if (err == OP_OK && json_get_int(object, "format", &format) == OP_OK && format > FORMAT) {
        *ret_why = mem_printf(ctx, "%s was written by a newer version of Partita: use that one's opctl", path);
        return OP_DENIED;
    }
    if (err != OP_OK || !is_unchanged(ctx, object) || !read_members(object, &manifest)) {
        *ret_why = mem_printf(ctx, "%s was changed or cut short: this backup cannot be trusted", path);
        return OP_BROKEN;
    }
    *ret = manifest;
    return OP_OK;
}

enum op_err manifest_compare(const void *ctx, const char *path, const struct manifest_file *file, uint64_t bytes,
                             const char *sha256, const char **ret_why)
{
    if (bytes != file->bytes)
        *ret_why = mem_printf(ctx, "%s has %ju bytes and not %ju: this backup was cut short or changed", path,
                              (uintmax_t)bytes, (uintmax_t)file->bytes);
    else if (strcmp(sha256, file->sha256) != 0)
        *ret_why = mem_printf(ctx, "%s has another SHA-256 than manifest.json says: this backup was changed", path);
    else
        return OP_OK;
    return OP_BROKEN;
}

enum op_err manifest_verify(const void *ctx, const char *dir, const struct manifest *manifest, const char **ret_why)
{
    enum op_err err = OP_OK;
    for (unsigned e = 0; e < KV_ENV_COUNT && err == OP_OK; e++) {
        uint64_t bytes;
        const char *sha256, *path = manifest_file_path(ctx, dir, (enum kv_env)e);
        if (kv_env_is_volatile((enum kv_env)e))
            continue;
        err = copy_file(ctx, path, NULL, &bytes, &sha256, ret_why);
        if (err == OP_OK)
            err = manifest_compare(ctx, path, &manifest->files[e], bytes, sha256, ret_why);
    }
    return err == OP_OK ? OP_OK : OP_BROKEN;
}
