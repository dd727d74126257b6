#include "deploy.h"

#include <string.h>
#include <unistd.h>

#include "base/num.h"
#include "floor.h"
#include "rollout.h"

static const char CONFIG[] = "/etc/partita/partita.conf";

/* An option's number, or what it is without; false after having said what is wrong. */
static bool number_of(const struct app *app, const char *option, unsigned otherwise, unsigned max, unsigned *ret)
{
    const char *text = cli_value(&app->line, option);
    uint64_t value = otherwise;
    if (text != NULL && num_parse_u64(bytes_of(text), max, &value) != OP_OK) {
        app_usage(app, "--%s is a number from 0 to %u", option, max);
        return false;
    }
    *ret = (unsigned)value;
    return true;
}

/* The server that the line names, as it stands on this machine, kept to ourselves. */
static int look(struct app *app, struct rollout *rollout, struct rollout_state *state)
{
    const char *why;
    *rollout = (struct rollout){.app = app, .server = app->line.arguments[0]};
    if (!instances_is_server(rollout->server))
        return app_usage(app, "there is no server %s", rollout->server);
    if (!cli_has(&app->line, "dry-run") && geteuid() != 0)
        return app_fail("only root may start and stop servers: try again with sudo");
    if ((!cli_has(&app->line, "dry-run") && instances_lock(&why) != OP_OK) || instances_look(app->ctx, rollout->server, state, &why) != OP_OK)
        return app_fail("%s", why);
    return number_of(app, "ready-timeout", 60, 600, &rollout->ready_timeout) ? APP_OK : APP_USAGE;
}

static const char *config_of(const struct app *app)
{
    const char *config = cli_value(&app->line, "config");
    return config == NULL ? CONFIG : config;
}

/* What the version that runs says it follows; "" when nothing runs or it is gone. */
static const char *follows_now(const struct app *app, const struct rollout_state *state)
{
    for (size_t i = 0; i < state->count; i++) {
        const struct rollout_instance *instance = &state->instances[i];
        const char *follows, *why;
        if ((instance->enabled || instance->active) &&
            instances_ask_version(app->ctx, state->server, instance->version, config_of(app), &follows, &why) == OP_OK)
            return follows;
    }
    return "";
}

/* A version below the floor would refuse to start. Where no floor can be read that is left to the version itself: going
 * back has to work whatever is broken. */
static int check_floor(const struct app *app, const char *server, const char *version)
{
    const char *said, *program = mem_printf(app->ctx, "%s/%s", instances_version_dir(app->ctx, server, version), server);
    uint32_t format = instances_ask_format(app->ctx, program, &said);
    if (format == 0 || app_read_settings(app) != APP_OK)
        return APP_OK;
    struct floor_state floor = floor_now(app->ctx);
    if (format >= floor.floor)
        return APP_OK;
    return app_fail("%s %s knows record formats up to %u, and the floor of the environments is %u: it would refuse to "
                    "start; deploy %s", server, version, format, floor.floor, floor.who_may);
}

static int run_deploy(struct app *app)
{
    struct rollout rollout;
    struct rollout_state state;
    struct rollout_wish wish = {.version = app->line.arguments[1], .waive_rollback = cli_has(&app->line, "waive-rollback")};
    const char *why;
    if (strchr(wish.version, '/') != NULL)
        return app_usage(app, "%s is no version", wish.version);
    int status = look(app, &rollout, &state);
    if (status != APP_OK)
        return status;
    if (!number_of(app, "instances", 0, ROLLOUT_INSTANCES_MAX, &wish.count) ||
        !number_of(app, "watch", 90, 86400, &rollout.watch) ||
        !number_of(app, "margin", 5, 100, &rollout.limits.margin) ||
        !number_of(app, "min-errors", 5, 1000000, &rollout.limits.min_errors))
        return APP_USAGE;
    if (instances_ask_version(app->ctx, rollout.server, wish.version, config_of(app), &wish.follows, &why) != OP_OK)
        return app_fail("%s", why);
    wish.from_follows = follows_now(app, &state);
    if (rollout_plan_deploy(app->ctx, &state, &wish, &rollout.plan, &why) != OP_OK)
        return app_fail("%s", why);
    if ((status = check_floor(app, rollout.server, rollout.plan.to_version)) != APP_OK)
        return status;
    bool again = rollout.plan.to_side == rollout.plan.from_side;
    if (cli_has(&app->line, "dry-run"))
        return again ? rollout_tell_again(&rollout) : rollout_tell(&rollout);
    return again ? rollout_again(&rollout) : rollout_forward(&rollout);
}

static int run_rollback(struct app *app)
{
    struct rollout rollout;
    struct rollout_state state;
    const char *why;
    int status = look(app, &rollout, &state);
    if (status != APP_OK)
        return status;
    if (rollout_plan_back(app->ctx, &state, &rollout.plan, &why) != OP_OK)
        return app_fail("%s", why);
    if (instances_check(app->ctx, rollout.server, rollout.plan.to_version, &why) != OP_OK)
        return app_fail("%s", why);
    if ((status = check_floor(app, rollout.server, rollout.plan.to_version)) != APP_OK)
        return status;
    return cli_has(&app->line, "dry-run") ? rollout_tell(&rollout) : rollout_back(&rollout);
}

static int run_scale(struct app *app)
{
    struct rollout rollout;
    struct rollout_state state;
    const char *why, *text = app->line.arguments[1];
    uint64_t count;
    if (num_parse_u64(bytes_of(text), ROLLOUT_INSTANCES_MAX, &count) != OP_OK || count == 0)
        return app_usage(app, "%s is no number of instances from 1 to %d", text, ROLLOUT_INSTANCES_MAX);
    int status = look(app, &rollout, &state);
    if (status != APP_OK)
        return status;
    if (rollout_plan_scale(app->ctx, &state, (unsigned)count, &rollout.plan, &why) != OP_OK)
        return app_fail("%s", why);
    return cli_has(&app->line, "dry-run") ? rollout_tell(&rollout) : rollout_scale(&rollout);
}

#define DRY_RUN {"dry-run", NULL, false, "say what would be done and stop", NULL}
#define READY_TIMEOUT {"ready-timeout", "SECONDS", false, "how long an instance may take until it is ready (default 60)", NULL}

static const struct cli_option DEPLOY_OPTIONS[] = {
    DRY_RUN,
    READY_TIMEOUT,
    {"instances", "N", false, "how many (default: as many as run now)", NULL},
    {"watch", "SECONDS", false, "how long the first new instance is watched beside the old ones (default 90)", NULL},
    {"margin", "PERCENT", false, "by how many percent points its share of an error may be higher than theirs (default 5)", NULL},
    {"min-errors", "N", false, "fewer errors than these are no reason to go back (default 5)", NULL},
    {"waive-rollback", NULL, false, "a release may be skipped, though going back is then not promised", NULL},
};
static const struct cli_option COMMON[] = {DRY_RUN, READY_TIMEOUT};

const struct cli_command DEPLOY_COMMANDS[] = {
    {"deploy", NULL, CLI_ARGUMENTS("SERVER VERSION", 2, 2), CLI_OPTIONS(DEPLOY_OPTIONS), .changes = "", .run = run_deploy,
     .help = "Put an installed version of a server to work, one instance at a time beside the old ones; go back by itself when it does worse. The version that runs is started anew, with the configuration and secrets as they are now."},
    {"rollback", NULL, CLI_ARGUMENTS("SERVER", 1, 1), CLI_OPTIONS(COMMON), .changes = "", .run = run_rollback,
     .help = "Go back to the version of a server that served before: start it, then drain the present one."},
    {"scale", NULL, CLI_ARGUMENTS("SERVER N", 2, 2), CLI_OPTIONS(COMMON), .changes = "", .run = run_scale,
     .help = "Run this many instances of a server."},
    {0},
};
