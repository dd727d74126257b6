#pragma once
#include "app.h"

/* The environments that the line's arguments name; all when it names none. Returns APP_OK, or APP_USAGE after having
 * said which word is none. */
int env_names_read(const struct app *app, bool wanted[KV_ENV_COUNT]);
