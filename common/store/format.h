#pragma once
/* The version contract of an environment (docs/versions.md): which versions may open it. Its record holds the floor, the
 * lowest record format whose versions may, and which migrations were applied to it. Nothing blocks. */
#include "store/environment.h"

/* What a version can do with environments. */
struct format_program {
    const char *version;
    uint32_t format;   /* the newest record format that it knows */
    uint32_t oldest;   /* the lowest floor that it works above */
    uint32_t required; /* it works only where migrations up to this number were applied; 0: none */
};
extern const struct format_program FORMAT_HERE; /* this program */

/* The lowest format that may open the environment: 1 when nothing was ever raised. */
uint32_t format_floor(const Rec__Environment *record);
bool format_has_migration(const Rec__Environment *record, uint32_t number);

/* "version 0.2.0 or a newer one"; owned by ctx. */
const char *format_who_may(const void *ctx, const Rec__Environment *record);

/* Whether the program is too old for the environment in dir: NULL, or one line that says what to do, owned by ctx. */
const char *format_too_old(const void *ctx, const struct format_program *program, const char *dir,
                           const Rec__Environment *record);
/* Whether it is too new. Volatile environments are never too old for anybody: they are made at each start of the
 * machine, and what is in them is gone in minutes. */
const char *format_too_new(const void *ctx, const struct format_program *program, const char *dir, bool is_volatile,
                           const Rec__Environment *record);

/* What a new environment's record says: the floor that this program needs, and all migrations, since it is empty. */
void format_fill(Rec__Environment *record);

/* Raises the floor in the environment that is being written. OP_EXISTS: it is as high already, or higher. */
must_check enum op_err format_raise_floor(struct kv_txn *txn, enum kv_env env, uint32_t floor);
/* Notes that a migration was applied. OP_EXISTS: it was before. */
must_check enum op_err format_add_migration(struct kv_txn *txn, enum kv_env env, uint32_t number);
