#pragma once
/* What deploying, going back and scaling mean for the instances of one server. Pure.
 *
 * A server has two sides, a and b, whose instances are SERVER@a1, SERVER@a2, ... A side runs one version; a deployment
 * starts the other side with the new one beside it, then stops this one, whose links stay, so that going back is
 * starting it again. The side whose instances are enabled is the one that starts at boot. SERVER@1 is neither: it is
 * what the socket starts when nothing runs. */
#include "base/err.h"
#include "base/mem.h"

enum { ROLLOUT_INSTANCES_MAX = 64 };

struct rollout_instance {
    char side;           /* 'a' or 'b' */
    unsigned number;     /* from 1 */
    const char *version; /* what its link names */
    bool enabled;        /* starts at boot */
    bool active;         /* systemd has it running or starting */
};

struct rollout_state {
    const char *server;
    const struct rollout_instance *instances;
    size_t count;
    const char *proven;   /* the version that SERVER@1 names; NULL: none has proved itself */
    const char *previous; /* the one that served before it; NULL: there is no way back */
};

struct rollout_plan {
    char from_side;           /* what serves now; 0: nothing does */
    char to_side;
    unsigned from_count;      /* the highest number of an instance that runs */
    unsigned to_count;        /* instances that will */
    const char *from_version; /* NULL with from_side 0 */
    const char *to_version;
    const char *back_version; /* the way back as it was before this plan; NULL: there was none */
};

struct rollout_wish {
    const char *version;
    const char *follows;      /* the release before it, as its program says; "" for none */
    const char *from_follows; /* the same of the version that runs; "" for none */
    unsigned count;           /* instances; 0: as many as run now, or one */
    bool waive_rollback;      /* a release may be skipped */
};

/* OP_OK; to_side is from_side when this version runs already and is to be started anew, OP_EXISTS when another number of it
 * is wanted, OP_FULL when no instance more can run meanwhile; OP_MISMATCH: it would skip a release; OP_BUSY: an earlier deployment was
 * interrupted. *ret_why is a sentence, owned by ctx. */
must_check enum op_err rollout_plan_deploy(const void *ctx, const struct rollout_state *state,
                                           const struct rollout_wish *wish, struct rollout_plan *ret,
                                           const char **ret_why);
/* Back to the version that served before, never to one that did not do or was left by going back; an interrupted
 * deployment is ended and an interrupted going back is gone on with. OP_ABSENT: there is none. */
must_check enum op_err rollout_plan_back(const void *ctx, const struct rollout_state *state, struct rollout_plan *ret,
                                         const char **ret_why);
/* The same side with another number of instances: from_side is to_side. OP_ABSENT: nothing is deployed; OP_BUSY. */
must_check enum op_err rollout_plan_scale(const void *ctx, const struct rollout_state *state, unsigned count,
                                          struct rollout_plan *ret, const char **ret_why);
