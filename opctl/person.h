#pragma once
/* Accounts by what an operator types. */
#include "app.h"

/* The user_id behind a username or a user_id. Returns APP_OK, or an exit status after having said why. */
int person_id(const struct app *app, const char *name, const char **ret);
