#pragma once
/* Where environments lie and whose their files are (ARCHITECTURE.md, "Servers and environments"). Blocks (files). */
#include "base/err.h"
#include "store/kv.h"

/* state_dir/NAME or runtime_dir/NAME; owned by ctx. */
char *layout_dir(const void *ctx, enum kv_env env);

/* Whether both of the environment's groups exist. OP_ABSENT: *ret_why names the missing one and what makes it. */
must_check enum op_err layout_check_groups(const void *ctx, enum kv_env env, const char **ret_why);

/* Makes the environment's directory when it is not there, and sets its owner, group and mode: root:partita-ENV
 * 0750; unowned: 0700, owner and group left. The directory above is made too, 0755. OP_BROKEN with *ret_why. */
must_check enum op_err layout_make_dir(const void *ctx, enum kv_env env, bool unowned, const char **ret_why);

/* The same for the files kv_create made: data.mdb and bell root:partita-ENV-w 0664, lock.mdb root:partita-ENV
 * 0660; unowned: 0600. */
must_check enum op_err layout_set_files(const void *ctx, enum kv_env env, bool unowned, const char **ret_why);
