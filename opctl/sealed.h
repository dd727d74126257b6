#pragma once
/* Secrets sealed to this machine: files NAME.cred in one directory, made and opened by systemd-creds(1), which their units
 * load as credentials. Everything blocks. *ret_why is one line owned by ctx. */
#include "base/err.h"
#include "base/mem.h"

enum { SEALED_SECRET_MAX = 1024 };

/* Letters of lower case, digits and dashes, at most 64. */
bool sealed_is_name(const char *name);
/* The names of those in dir, sorted, NULL-terminated, owned by ctx. OP_BROKEN: the directory cannot be read. */
must_check enum op_err sealed_names(const void *ctx, const char *dir, const char ***ret, const char **ret_why);
/* Owned by ctx and wiped with it. OP_ABSENT: there is none; OP_BROKEN: it cannot be opened on this machine. */
must_check enum op_err sealed_open(const void *ctx, const char *dir, const char *name, struct bytes *ret,
                                   const char **ret_why);
/* OP_EXISTS: there is one, unless it is to be replaced; it is then kept beside it, as NAME.cred.replaced-TIME.
 * OP_BROKEN: it cannot be sealed or written. A crash leaves the old one or the new one. */
must_check enum op_err sealed_put(const void *ctx, const char *dir, const char *name, struct bytes secret, bool replace,
                                  const char **ret_why);
