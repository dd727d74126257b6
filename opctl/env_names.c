#include "env_names.h"

#include <string.h>

int env_names_read(const struct app *app, bool wanted[KV_ENV_COUNT])
{
    for (unsigned e = 0; e < KV_ENV_COUNT; e++)
        wanted[e] = app->line.argument_count == 0;
    for (size_t i = 0; i < app->line.argument_count; i++) {
        unsigned e = 0;
        while (e < KV_ENV_COUNT && strcmp(kv_env_name((enum kv_env)e), app->line.arguments[i]) != 0)
            e++;
        if (e < KV_ENV_COUNT)
            wanted[e] = true;
        else
            return app_usage(app, "there is no environment %s", app->line.arguments[i]);
    }
    return APP_OK;
}
