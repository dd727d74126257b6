#include "rollout_plan.h"

#include <string.h>

/* What stands about one side. */
struct side {
    unsigned links, active, enabled;
    const char *version; /* of its first instance; NULL without links */
};

static struct side look_at(const struct rollout_state *state, char name)
{
    struct side side = {0};
    for (size_t i = 0; i < state->count; i++) {
        const struct rollout_instance *instance = &state->instances[i];
        if (instance->side != name)
            continue;
        side.links++;
        side.active += instance->active;
        side.enabled += instance->enabled;
        if (side.version == NULL || instance->number == 1)
            side.version = instance->version;
    }
    return side;
}

static char other(char side)
{
    return side == 'a' ? 'b' : 'a';
}

/* The side that serves: the enabled one, else the one that runs; 0: neither. */
static char serving(const struct rollout_state *state)
{
    struct side a = look_at(state, 'a'), b = look_at(state, 'b');
    if (a.enabled != 0 || b.enabled != 0)
        return a.enabled != 0 ? 'a' : 'b';
    if (a.active != 0 || b.active != 0)
        return a.active != 0 ? 'a' : 'b';
    return 0;
}

static enum op_err interrupted(const void *ctx, const struct rollout_state *state, char side, const char **ret_why)
{
    *ret_why = mem_printf(ctx, "a deployment of %s %s was interrupted and its instances run beside the others: first "
                          "end it with opctl rollback %s", state->server, look_at(state, side).version, state->server);
    return OP_BUSY;
}

static bool skips(const struct rollout_wish *wish, const char *from)
{
    return strcmp(wish->follows, from) != 0 && strcmp(wish->from_follows, wish->version) != 0;
}

/* The same version: its instances are started anew, on their own side, so that the way back stays what it is. */
static enum op_err deploy_again(const void *ctx, const struct rollout_state *state, const struct rollout_wish *wish,
                                char from, struct rollout_plan *ret, const char **ret_why)
{
    struct side side = look_at(state, from);
    unsigned wanted = side.active != 0 ? side.active : side.enabled != 0 ? side.enabled : 1;
    if (wish->count != 0 && wish->count != wanted) {
        *ret_why = mem_printf(ctx, "%s %s runs already: opctl scale changes how many of it do", state->server, side.version);
        return OP_EXISTS;
    }
    if (wanted == ROLLOUT_INSTANCES_MAX) {
        *ret_why = mem_printf(ctx, "one more instance than %u has to run meanwhile: first opctl scale %s %u", wanted,
                              state->server, wanted - 1);
        return OP_FULL;
    }
    *ret = (struct rollout_plan){from, from, side.active, wanted, side.version, side.version};
    return OP_OK;
}

static enum op_err deploy_beside(const void *ctx, const struct rollout_state *state, const struct rollout_wish *wish,
                                 char from, struct rollout_plan *ret, const char **ret_why)
{
    struct side side = look_at(state, from);
    if (look_at(state, other(from)).active != 0)
        return interrupted(ctx, state, other(from), ret_why);
    if (strcmp(side.version, wish->version) == 0)
        return deploy_again(ctx, state, wish, from, ret, ret_why);
    if (skips(wish, side.version) && !wish->waive_rollback) {
        *ret_why = mem_printf(ctx, "%s %s follows %s, but %s runs: a release would be skipped, after which going back is "
                              "not promised; deploy the one between, or waive it with --waive-rollback", state->server,
                              wish->version, *wish->follows == '\0' ? "no release" : wish->follows, side.version);
        return OP_MISMATCH;
    }
    unsigned running = side.active == 0 ? 1 : side.active;
    *ret = (struct rollout_plan){from, other(from), side.active, wish->count == 0 ? running : wish->count, side.version,
                                 wish->version};
    return OP_OK;
}

enum op_err rollout_plan_deploy(const void *ctx, const struct rollout_state *state, const struct rollout_wish *wish,
                                struct rollout_plan *ret, const char **ret_why)
{
    char from = serving(state);
    if (from != 0)
        return deploy_beside(ctx, state, wish, from, ret, ret_why);
    *ret = (struct rollout_plan){.to_side = 'a', .to_count = wish->count == 0 ? 1 : wish->count,
                                 .to_version = wish->version};
    return OP_OK;
}

enum op_err rollout_plan_back(const void *ctx, const struct rollout_state *state, struct rollout_plan *ret,
                              const char **ret_why)
{
    char now = serving(state), to = now == 0 ? 0 : other(now);
    struct side side = to == 0 ? (struct side){0} : look_at(state, to);
    if (side.links == 0) {
        *ret_why = mem_printf(ctx, "there is no version of %s to go back to", state->server);
        return OP_ABSENT;
    }
    struct side present = look_at(state, now);
    if (side.active != 0 && present.enabled != 0) { /* interrupted: the enabled side is the one that has proved itself */
        *ret = (struct rollout_plan){to, now, side.active, present.enabled, side.version, present.version};
        return OP_OK;
    }
    unsigned wanted = present.active == 0 ? 1 : present.active;
    *ret = (struct rollout_plan){now, to, present.active, wanted < side.links ? wanted : side.links, present.version,
                                 side.version};
    return OP_OK;
}

enum op_err rollout_plan_scale(const void *ctx, const struct rollout_state *state, unsigned count,
                               struct rollout_plan *ret, const char **ret_why)
{
    char now = serving(state);
    if (now == 0) {
        *ret_why = mem_printf(ctx, "no version of %s is deployed: opctl deploy %s VERSION", state->server, state->server);
        return OP_ABSENT;
    }
    if (look_at(state, other(now)).active != 0)
        return interrupted(ctx, state, other(now), ret_why);
    struct side side = look_at(state, now);
    *ret = (struct rollout_plan){now, now, side.active, count, side.version, side.version};
    return OP_OK;
}
