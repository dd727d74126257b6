#pragma once
/* Where a new state directory is made, and how it takes the place of the one that is there: in one step, so that
 * whatever ends the process leaves either the old one or the new one, whole. Everything blocks. */
#include "base/err.h"
#include "store/kv.h"

struct place {
    const char *state_dir; /* as it is on disk, no symbolic link */
    const char *building;  /* beside it; within it when it is the root of a file system */
    bool is_there;         /* state_dir is a directory now */
    bool has_state;        /* with environments in it */
    bool is_mounted;
    int lock;
};

/* Looks at the state directory and makes an empty one beside it, kept from other processes until this one ends. What a
 * restore that was killed has left there is removed, or moved aside when it may be a state. *ret_why is a line owned by
 * ctx: OP_BUSY: another process is making one; OP_INVALID: the directory cannot be replaced; OP_BROKEN. */
must_check enum op_err place_begin(const void *ctx, const char *state_dir, struct place *ret, const char **ret_why);
/* Puts what was made in its place. What was there is kept: *ret_aside is its name, owned by ctx (NULL: there was
 * nothing). */
must_check enum op_err place_switch(const void *ctx, const struct place *place, const char **ret_aside,
                                    const char **ret_why);
/* Puts each volatile environment that was made below `from` in its place below `to`, and removes what was there and
 * `from`. OP_BROKEN with *ret_why: each is the old or the new one. */
must_check enum op_err place_put_volatile(const void *ctx, const char *from, const char *to, const char **ret_why);
/* Removes environments below dir, and dir itself when nothing else is in it. */
void place_clear(const void *ctx, const char *dir);
/* Removes what was made, while it is not in its place. */
void place_abandon(const void *ctx, const struct place *place);
