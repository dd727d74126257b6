#pragma once
/* Everything that was ever handed out is dead. */
#include "app.h"

/* In the environments of app->kv, which has clients, users, sessions and tokens open for writing: ends every session,
 * revokes every family, and moves the `since` of every user and client, so that tokens which nobody stored are dead
 * too. *ret_families: how many were revoked. Returns an exit status. Blocks. */
int revoke_all(const struct app *app, int64_t *ret_families);

extern const struct cli_command REVOKE_ALL_COMMANDS[];
