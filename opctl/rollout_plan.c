#include "rollout_plan.h"

#include <string.h>

/* What stands about one side. */
struct side {
    unsigned active, enabled; /* the highest number of one that is: those below may have been stopped by hand */
    const char *version; /* of its first instance; NULL without links */
};

static struct side look_at(const struct rollout_state *state, char name)
{
    struct side side = {0};
    for (size_t i = 0; i < state->count; i++) {
        const struct rollout_instance *instance = &state->instances[i];
        if (instance->side != name)
            continue;
        side.active = instance->active && instance->number > side.active ? instance->number : side.active;
        side.enabled = instance->enabled && instance->number > side.enabled ? instance->number : side.enabled;
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

static enum op_err nothing_deployed(const void *ctx, const struct rollout_state *state, const char **ret_why)
{
    *ret_why = mem_printf(ctx, "no version of %s is deployed: opctl deploy %s VERSION", state->server, state->server);
    return OP_ABSENT;
}

static bool skips(const struct rollout_wish *wish, const char *from)
{
    return strcmp(wish->follows, from) != 0 && strcmp(wish->from_follows, wish->version) != 0;
}

static bool same(const char *a, const char *b)
{
    return a != NULL && b != NULL && strcmp(a, b) == 0;
}

/* The version that served before the present one: what SERVER@1 still names when a deployment was interrupted just before
 * its end. */
static const char *way_back(const struct rollout_state *state, const char *present)
{
    return state->proven == NULL || same(state->proven, present) ? state->previous : state->proven;
}

/* The same version: its instances are started anew, on their own side, so that the way back stays what it is. */
static enum op_err deploy_again(const void *ctx, const struct rollout_state *state, const struct rollout_wish *wish,
                                char from, struct rollout_plan *ret, const char **ret_why)
{
    struct side side = look_at(state, from);
    unsigned wanted = side.enabled != 0 ? side.enabled : side.active; /* one more may run, of a time that was interrupted */
    if (wish->count != 0 && wish->count != wanted) {
        *ret_why = mem_printf(ctx, "%s %s runs already: opctl scale changes how many of it do", state->server, side.version);
        return OP_EXISTS;
    }
    if (wanted == ROLLOUT_INSTANCES_MAX) {
        *ret_why = mem_printf(ctx, "one more instance than %u has to run meanwhile: first opctl scale %s %u", wanted,
                              state->server, wanted - 1);
        return OP_FULL;
    }
    *ret = (struct rollout_plan){from, from, side.active, wanted, side.version, side.version, state->previous};
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
    const char *back = way_back(state, side.version);
    *ret = (struct rollout_plan){from, other(from), side.active, wish->count == 0 ? running : wish->count, side.version,
                                 wish->version, same(back, wish->version) ? NULL : back};
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

/* What ends an interrupted change by going to the enabled side: a new version beside it that has not proved itself, or a
 * going back that lacks only its last step. */
static bool stays(const struct rollout_state *state, const struct side *present, const struct side *rest)
{
    bool went_back = same(state->previous, present->version) && !same(state->proven, present->version);
    bool beside = rest->active != 0 && present->enabled != 0 && !same(rest->version, way_back(state, present->version));
    return went_back || beside;
}

enum op_err rollout_plan_back(const void *ctx, const struct rollout_state *state, struct rollout_plan *ret,
                              const char **ret_why)
{
    char now = serving(state), to = other(now);
    if (now == 0)
        return nothing_deployed(ctx, state, ret_why);
    struct side present = look_at(state, now), rest = look_at(state, to);
    unsigned wanted = present.active > present.enabled ? present.active : present.enabled;
    const char *back = way_back(state, present.version);
    if (stays(state, &present, &rest)) {
        *ret = (struct rollout_plan){to, now, rest.active, wanted, rest.version,
                                     present.version, back};
        return OP_OK;
    }
    if (back == NULL || same(back, present.version)) {
        *ret_why = mem_printf(ctx, "no version of %s served before %s, to go back to: deploy one with opctl deploy %s VERSION",
                              state->server, present.version, state->server);
        return OP_ABSENT;
    }
    *ret = (struct rollout_plan){now, to, present.active, wanted, present.version, back, back};
    return OP_OK;
}

enum op_err rollout_plan_scale(const void *ctx, const struct rollout_state *state, unsigned count,
                               struct rollout_plan *ret, const char **ret_why)
{
    char now = serving(state);
    if (now == 0)
        return nothing_deployed(ctx, state, ret_why);
    if (look_at(state, other(now)).active != 0)
        return interrupted(ctx, state, other(now), ret_why);
    struct side side = look_at(state, now);
    *ret = (struct rollout_plan){now, now, side.active, count, side.version, side.version, way_back(state, side.version)};
    return OP_OK;
}
