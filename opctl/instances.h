#pragma once
/* The instances of a server as they are on this machine: systemd units, the links that name their versions, the
 * versions that are installed. Everything here blocks (files, systemctl). */
#include "command.h"
#include "rollout_plan.h"

/* True for the name of one of the servers. */
bool instances_is_server(const char *name);
extern const char *const INSTANCES_SERVERS[]; /* NULL-terminated */

/* Reads links and units. OP_BROKEN: *ret_why says what cannot be read. Results are owned by ctx. */
must_check enum op_err instances_look(const void *ctx, const char *server, struct rollout_state *ret,
                                      const char **ret_why);

/* "op-token@a1"; owned by ctx. */
char *instances_name(const void *ctx, const char *server, char side, unsigned number);
/* Where its operator's socket is; owned by ctx. */
char *instances_socket(const void *ctx, const char *instance);
/* The directory of an installed version; owned by ctx. */
char *instances_version_dir(const void *ctx, const char *server, const char *version);

/* OP_ABSENT: it is not installed, and *ret_why says so; owned by ctx. */
must_check enum op_err instances_check(const void *ctx, const char *server, const char *version, const char **ret_why);
/* What an installed version says of itself. OP_ABSENT: it is not installed or does not run; OP_INVALID: its
 * configuration is refused, and *ret_why is what it said. Owned by ctx. */
must_check enum op_err instances_ask_version(const void *ctx, const char *server, const char *version,
                                             const char *config, const char **ret_follows, const char **ret_why);

/* The record format that a program knows, as its --version says; 0: it does not say. *ret_version is what it calls itself,
 * NULL when it does not; owned by ctx. */
uint32_t instances_ask_format(const void *ctx, const char *program, const char **ret_version);
/* The names of the versions of a server that are installed; owned by ctx. */
const char **instances_versions(const void *ctx, const char *server, size_t *ret_count);

/* Points the instance's link at the version, in one step. OP_BROKEN: *ret_why names the path. */
must_check enum op_err instances_link(const void *ctx, const char *instance, const char *server, const char *version,
                                      const char **ret_why);
/* Makes SERVER@1, which the socket starts when nothing runs, name the version. The version that it named before is kept
 * aside as the way back, or forgotten: then, where the way back is gone, that takes no room on the disk. */
must_check enum op_err instances_prove(const void *ctx, const char *server, const char *version, bool keep,
                                       const char **ret_why);

/* The version is no way back until it has proved itself anew. */
void instances_forget(const void *ctx, const char *server, const char *version);

/* Moves what starts at boot from one side to the other (0: nothing was). Files are renamed where there is one to
 * rename, which needs no room on the disk. */
must_check enum op_err instances_enable(const void *ctx, const char *server, const struct rollout_plan *plan,
                                        const char **ret_why);

/* systemctl start, which does not wait until they have; restarts are counted from here. OP_BROKEN: *ret_why. */
must_check enum op_err instances_start(const void *ctx, const char *const *names, size_t count, const char **ret_why);
/* systemctl stop, which tells the instances to drain and does not wait for it. */
must_check enum op_err instances_drain(const void *ctx, const char *const *names, size_t count, const char **ret_why);
/* How often systemd had to start it again, its state ("active", "failed") and its main process. */
struct instances_health {
    const char *state;
    long restarts, pid;
    bool has_job; /* it is going to be started or stopped */
};
struct instances_health instances_health(const void *ctx, const char *instance);
/* Why it says it could not start, in the journal since then (seconds since 1970), as ": WHY"; "" when it says nothing.
 * Owned by ctx. */
const char *instances_last_words(const void *ctx, const char *instance, int64_t since);

/* Keeps two deployments on this machine apart; released when the process ends. OP_BUSY. */
must_check enum op_err instances_lock(const char **ret_why);
