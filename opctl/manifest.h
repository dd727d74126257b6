#pragma once
/* What a backup says of itself: DIR/manifest.json beside a file ENVIRONMENT.mdb for each durable environment.
 * Everything blocks. */
#include "data/json.h"
#include "store/kv.h"

struct manifest_file {
    uint64_t map_size; /* of the environment */
    uint64_t bytes;
    const char *sha256; /* hexadecimal digits */
    json_t *records;    /* table -> count; NULL when read */
};

struct manifest {
    const char *issuer, *version; /* of opctl */
    const char *taken_at;         /* RFC 3339 */
    uint64_t families_alive;
    struct manifest_file files[KV_ENV_COUNT]; /* of the durable ones */
};

/* DIR/ENVIRONMENT.mdb and DIR/manifest.json; owned by ctx. */
char *manifest_file_path(const void *ctx, const char *dir, enum kv_env env);
char *manifest_path(const void *ctx, const char *dir);

/* As it is written and shown. */
json_t *manifest_json(const void *ctx, const struct manifest *manifest);
/* Writes DIR/manifest.json; it is on disk then. OP_EXISTS, OP_FULL, OP_BROKEN with *ret_why, a line owned by ctx. */
must_check enum op_err manifest_write(const void *ctx, const char *dir, const struct manifest *manifest,
                                      const char **ret_why);
/* Reads it and holds it against its own digest. OP_ABSENT: there is no backup; OP_DENIED: a newer version made it;
 * OP_BROKEN: it was changed or cut. *ret_why is a line owned by ctx, as the rest is. */
must_check enum op_err manifest_read(const void *ctx, const char *dir, struct manifest *ret, const char **ret_why);
/* Holds each file against its length and digest. OP_BROKEN with *ret_why. */
must_check enum op_err manifest_verify(const void *ctx, const char *dir, const struct manifest *manifest,
                                       const char **ret_why);
/* One of them, whose length and digest these are. */
must_check enum op_err manifest_compare(const void *ctx, const char *path, const struct manifest_file *file,
                                        uint64_t bytes, const char *sha256, const char **ret_why);
