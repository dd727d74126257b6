#include "rollout_plan.h"
#include "rows.h"

/* "a1 0.1.0 EA": side and number, version, E enabled, A active. "1 0.2.0 -" is what SERVER@1 names, "p 0.1.0 -" what it
 * named before. */
static struct rollout_state read_state(const void *ctx, const char *text, struct rollout_instance *ret)
{
    struct rollout_state state = {"op-token", ret, 0, NULL, NULL};
    char *words = mem_strdup(ctx, text), *save, *word;
    for (word = strtok_r(words, " ", &save); word != NULL; word = strtok_r(NULL, " ", &save)) {
        char *version = strtok_r(NULL, " ", &save), *flags = strtok_r(NULL, " ", &save);
        if (*word == '1')
            state.proven = version;
        else if (*word == 'p')
            state.previous = version;
        else
            ret[state.count++] = (struct rollout_instance){word[0], (unsigned)atoi(word + 1), version,
                                                           strchr(flags, 'E') != NULL, strchr(flags, 'A') != NULL};
    }
    return state;
}

/* "a2 0.1.0 > b2 0.2.0" */
static char *plan_text(const void *ctx, const struct rollout_plan *plan)
{
    const char *from = plan->from_side == 0 ? "nothing"
                                            : mem_printf(ctx, "%c%u %s", plan->from_side, plan->from_count, plan->from_version);
    return mem_printf(ctx, "%s > %c%u %s", from, plan->to_side, plan->to_count, plan->to_version);
}

enum what { DEPLOY, BACK, SCALE };

static const struct row {
    const char *name, *state;
    enum what what;
    struct rollout_wish wish; /* for SCALE: count */
    enum op_err err;
    const char *plan; /* or words of the refusal */
} ROWS[] = {
    {"first", "", DEPLOY, {"0.1.0", "", "", 0, false}, OP_OK, "nothing > a1 0.1.0"},
    {"first, three", "", DEPLOY, {"0.1.0", "", "", 3, false}, OP_OK, "nothing > a3 0.1.0"},
    {"a first one that failed", "a1 0.1.0 -", DEPLOY, {"0.1.0", "", "", 0, false}, OP_OK, "nothing > a1 0.1.0"},
    {"to the other side", "a1 0.1.0 EA", DEPLOY, {"0.2.0", "0.1.0", "", 0, false}, OP_OK, "a1 0.1.0 > b1 0.2.0"},
    {"and back to the first", "a1 0.1.0 - b1 0.2.0 EA", DEPLOY, {"0.3.0", "0.2.0", "0.1.0", 0, false}, OP_OK, "b1 0.2.0 > a1 0.3.0"},
    {"as many as run", "a1 0.1.0 EA a2 0.1.0 EA a3 0.1.0 E", DEPLOY, {"0.2.0", "0.1.0", "", 0, false}, OP_OK, "a2 0.1.0 > b2 0.2.0"},
    {"another number", "a1 0.1.0 EA a2 0.1.0 EA", DEPLOY, {"0.2.0", "0.1.0", "", 1, false}, OP_OK, "a2 0.1.0 > b1 0.2.0"},
    {"enabled, none runs", "a1 0.1.0 E", DEPLOY, {"0.2.0", "0.1.0", "", 0, false}, OP_OK, "a0 0.1.0 > b1 0.2.0"},
    {"the same", "a1 0.1.0 EA", DEPLOY, {"0.1.0", "", "", 0, false}, OP_OK, "a1 0.1.0 > a1 0.1.0"},
    {"the same beside the way back", "a1 0.1.0 - b1 0.2.0 EA b2 0.2.0 EA", DEPLOY, {"0.2.0", "0.1.0", "0.1.0", 2, false}, OP_OK,
     "b2 0.2.0 > b2 0.2.0"},
    {"the same, interrupted before", "a1 0.1.0 EA a2 0.1.0 A", DEPLOY, {"0.1.0", "", "", 0, false}, OP_OK, "a2 0.1.0 > a1 0.1.0"},
    {"the same, none runs", "a1 0.1.0 E", DEPLOY, {"0.1.0", "", "", 0, false}, OP_OK, "a0 0.1.0 > a1 0.1.0"},
    {"the same, more of it", "a1 0.1.0 EA", DEPLOY, {"0.1.0", "", "", 2, false}, OP_EXISTS, "opctl scale"},
    {"a release is skipped", "a1 0.1.0 EA", DEPLOY, {"0.3.0", "0.2.0", "", 0, false}, OP_MISMATCH, "--waive-rollback"},
    {"and that was waived", "a1 0.1.0 EA", DEPLOY, {"0.3.0", "0.2.0", "", 0, true}, OP_OK, "a1 0.1.0 > b1 0.3.0"},
    {"one step down", "a1 0.2.0 EA", DEPLOY, {"0.1.0", "", "0.1.0", 0, false}, OP_OK, "a1 0.2.0 > b1 0.1.0"},
    {"two steps down", "a1 0.3.0 EA", DEPLOY, {"0.1.0", "", "0.2.0", 0, false}, OP_MISMATCH, "skipped"},
    {"an interrupted one stands", "a1 0.1.0 EA b1 0.2.0 A", DEPLOY, {"0.2.0", "0.1.0", "", 0, false}, OP_BUSY, "opctl rollback"},
    {"back", "1 0.2.0 - p 0.1.0 - a1 0.1.0 - b1 0.2.0 EA", BACK, {0}, OP_OK, "b1 0.2.0 > a1 0.1.0"},
    {"back with as many", "1 0.2.0 - p 0.1.0 - a1 0.1.0 - b1 0.2.0 EA b2 0.2.0 EA", BACK, {0}, OP_OK, "b2 0.2.0 > a2 0.1.0"},
    {"back when none runs any more", "1 0.2.0 - p 0.1.0 - a1 0.1.0 - b1 0.2.0 E", BACK, {0}, OP_OK, "b0 0.2.0 > a1 0.1.0"},
    {"back when the first was stopped by hand", "1 0.2.0 - p 0.1.0 - a1 0.1.0 - b1 0.2.0 E b2 0.2.0 EA", BACK, {0}, OP_OK,
     "b2 0.2.0 > a2 0.1.0"},
    {"back to what served, not to what did not do since", "1 0.2.0 - p 0.1.0 - a1 0.3.0 - b1 0.2.0 EA", BACK, {0}, OP_OK,
     "b1 0.2.0 > a1 0.1.0"},
    {"back to nothing", "1 0.1.0 - a1 0.1.0 EA", BACK, {0}, OP_ABSENT, "opctl deploy op-token VERSION"},
    {"back to what did not do", "1 0.1.0 - a1 0.1.0 EA b1 0.2.0 -", BACK, {0}, OP_ABSENT, "served before 0.1.0"},
    {"back when nothing was", "", BACK, {0}, OP_ABSENT, "no version"},
    {"back from an interrupted one", "1 0.1.0 - a1 0.1.0 EA b1 0.2.0 A", BACK, {0}, OP_OK, "b1 0.2.0 > a1 0.1.0"},
    {"of the third release", "1 0.2.0 - p 0.1.0 - a1 0.3.0 A b1 0.2.0 EA", BACK, {0}, OP_OK, "a1 0.3.0 > b1 0.2.0"},
    {"whose old ones were drained", "1 0.1.0 - a1 0.1.0 E a2 0.1.0 EA b1 0.2.0 A", BACK, {0}, OP_OK, "b1 0.2.0 > a2 0.1.0"},
    {"that lacked only what the socket starts", "1 0.1.0 - p 0.0.9 - a1 0.1.0 - b1 0.2.0 EA", BACK, {0}, OP_OK,
     "b1 0.2.0 > a1 0.1.0"},
    {"half of it written", "1 0.1.0 - p 0.1.0 - a1 0.1.0 - b1 0.2.0 EA", BACK, {0}, OP_OK, "b1 0.2.0 > a1 0.1.0"},
    {"an interrupted going back goes on", "1 0.2.0 - p 0.1.0 - a1 0.1.0 A b1 0.2.0 EA", BACK, {0}, OP_OK, "b1 0.2.0 > a1 0.1.0"},
    {"also at its last step", "1 0.2.0 - p 0.1.0 - a1 0.1.0 EA b1 0.2.0 A", BACK, {0}, OP_OK, "b1 0.2.0 > a1 0.1.0"},
    {"and when all was drained that it left", "1 0.2.0 - p 0.1.0 - a1 0.1.0 A a2 0.1.0 A b1 0.2.0 E b2 0.2.0 E", BACK, {0}, OP_OK,
     "b0 0.2.0 > a2 0.1.0"},
    {"and when half of it starts at boot", "1 0.2.0 - p 0.1.0 - a1 0.1.0 EA a2 0.1.0 A b1 0.2.0 - b2 0.2.0 E", BACK, {0}, OP_OK,
     "b0 0.2.0 > a2 0.1.0"},
    {"and when nothing else is left of it", "1 0.2.0 - p 0.1.0 - a1 0.1.0 EA b1 0.2.0 -", BACK, {0}, OP_OK, "b0 0.2.0 > a1 0.1.0"},
    {"one between was stopped by hand", "a1 0.1.0 - a2 0.1.0 EA", SCALE, {.count = 1}, OP_OK, "a2 0.1.0 > a1 0.1.0"},
    {"more", "a1 0.1.0 EA", SCALE, {.count = 3}, OP_OK, "a1 0.1.0 > a3 0.1.0"},
    {"fewer", "b1 0.1.0 EA b2 0.1.0 EA b3 0.1.0 EA", SCALE, {.count = 1}, OP_OK, "b3 0.1.0 > b1 0.1.0"},
    {"of nothing", "", SCALE, {.count = 1}, OP_ABSENT, "opctl deploy"},
    {"of an interrupted one", "a1 0.1.0 EA b1 0.2.0 A", SCALE, {.count = 2}, OP_BUSY, "opctl rollback"},
};

static void plans(void **unused)
{
    (void)unused;
    for (size_t i = 0; i < COUNT(ROWS); i++) {
        const struct row *row = &ROWS[i];
        void *ctx = mem_root("test");
        struct rollout_instance instances[8];
        struct rollout_state state = read_state(ctx, row->state, instances);
        struct rollout_plan plan;
        const char *why = "";
        enum op_err err = row->what == DEPLOY ? rollout_plan_deploy(ctx, &state, &row->wish, &plan, &why)
                          : row->what == BACK ? rollout_plan_back(ctx, &state, &plan, &why)
                                              : rollout_plan_scale(ctx, &state, row->wish.count, &plan, &why);
        row_equal(row->name, err, row->err);
        if (err == OP_OK)
            row_string(row->name, plan_text(ctx, &plan), row->plan);
        else if (strstr(why, row->plan) == NULL)
            fail_msg("%s: %s", row->name, why);
        talloc_free(ctx);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(plans)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
