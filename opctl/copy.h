#pragma once
/* Files and directories that must be whole and on disk, or not there. *ret_why is one line owned by ctx: OP_ABSENT,
 * OP_EXISTS, OP_FULL (no room), OP_BROKEN. Everything blocks. */
#include "base/err.h"
#include "base/mem.h"

/* Reads a file, and writes the same to a new one (0600) on disk unless `to` is NULL. Gives its length, and its SHA-256
 * in hexadecimal digits, owned by ctx. What was begun is removed when it fails. */
must_check enum op_err copy_file(const void *ctx, const char *from, const char *to, uint64_t *ret_len,
                                 const char **ret_sha256, const char **ret_why);
/* A new file (0600) with this text, on disk. */
must_check enum op_err copy_text(const void *ctx, const char *text, const char *to, const char **ret_why);
/* What the directory says is on disk. */
must_check enum op_err copy_sync_dir(const void *ctx, const char *dir, const char **ret_why);
/* The directory in which path lies; owned by ctx. */
char *copy_parent(const void *ctx, const char *path);
/* The present second, for the name of what is kept aside: 20260131T235959Z; owned by ctx. */
char *copy_stamp(const void *ctx);
/* Path without slashes at its end; owned by ctx. */
char *copy_plain(const void *ctx, const char *path);
