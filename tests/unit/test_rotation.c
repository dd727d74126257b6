/* When signing keys change: a row per rule. Times are relative to T0. */
#include "rows.h"

#include <stdio.h>

#include "base/buf.h"
#include "rotation.h"

enum { T0 = 1000000, INTERVAL = 1000, LEAD = 100, PUBLISHED = 50, KEPT = 500 };

static const enum jose_alg ONE[] = {JOSE_ES256}, BOTH[] = {JOSE_RS256, JOSE_ES256};

static struct rotation_rules rules_of(const enum jose_alg *algs, size_t count)
{
    return (struct rotation_rules){algs, count, INTERVAL, LEAD, PUBLISHED, KEPT};
}

static struct rotation_key key_of(const char *kid, enum rotation_state state, int64_t created, int64_t current)
{
    return (struct rotation_key){.kid = kid, .alg = JOSE_ES256, .state = state, .created_at = T0 + created,
                                 .current_at = T0 + current, .signs = true};
}

static struct rotation_key retired_key(const char *kid, int64_t retired)
{
    struct rotation_key key = key_of(kid, ROTATION_RETIRED, retired - 10, retired - 10);
    key.retired_at = T0 + retired;
    key.unpublish_at = T0 + retired + PUBLISHED;
    key.delete_at = T0 + retired + KEPT;
    return key;
}

/* "a:current b:next" with + for inserted, ~ for updated, - for deleted ones. */
static char *text_of(void *ctx, const struct rotation_plan *plan)
{
    static const char marks[] = {[ROTATION_KEEP] = ' ', [ROTATION_INSERT] = '+', [ROTATION_UPDATE] = '~',
                                 [ROTATION_DELETE] = '-'};
    static const char *const states[] = {"next", "current", "retired"};
    struct buf out = buf_make(ctx);
    for (size_t i = 0; i < plan->count; i++)
        buf_printf(&out, "%s%c%s:%s", i == 0 ? "" : " ", marks[plan->keys[i].change],
                   plan->keys[i].kid == NULL ? "new" : plan->keys[i].kid, states[plan->keys[i].state]);
    return buf_string(&out);
}

static void rules_one_by_one(void **state)
{
    (void)state;
    struct rotation_key current = key_of("a", ROTATION_CURRENT, 0, 0), next = key_of("b", ROTATION_NEXT, 0, INTERVAL);
    struct rotation_key young = key_of("b", ROTATION_NEXT, INTERVAL - 10, INTERVAL - 10 + LEAD);
    struct rotation_key no_private = current, next_no_private = next;
    struct rotation_key retired = retired_key("r", 0);
    no_private.signs = next_no_private.signs = retired.signs = false;
    const struct {
        const char *rule;
        struct rotation_key keys[4];
        size_t count;
        enum rotation_wish wish;
        int64_t now;
        const char *plan;
    } rows[] = {
        {"the first keys of all", {{0}}, 0, ROTATION_NO_WISH, 0, "+new:current +new:next"},
        {"nothing to do", {current, next}, 2, ROTATION_NO_WISH, 10, " a:current  b:next"},
        {"until the interval has passed", {current, next}, 2, ROTATION_NO_WISH, INTERVAL - 1, " a:current  b:next"},
        {"when it has passed, next signs", {current, next}, 2, ROTATION_NO_WISH, INTERVAL,
         "~a:retired ~b:current +new:next"},
        {"long after, too", {current, next}, 2, ROTATION_NO_WISH, 50 * INTERVAL, "~a:retired ~b:current +new:next"},
        {"not before next was published long enough", {current, young}, 2, ROTATION_NO_WISH, INTERVAL + LEAD - 11,
         " a:current  b:next"},
        {"but then", {current, young}, 2, ROTATION_NO_WISH, INTERVAL + LEAD - 10, "~a:retired ~b:current +new:next"},
        {"a next that is missing is made", {current}, 1, ROTATION_NO_WISH, 10, " a:current +new:next"},
        {"and is not used at once, however late it is", {current}, 1, ROTATION_NO_WISH, 5 * INTERVAL,
         " a:current +new:next"},
        {"without a current one, next signs at once", {next}, 1, ROTATION_NO_WISH, 1, "~b:current +new:next"},
        {"the operator says now", {current, next}, 2, ROTATION_NOW, 10, "~a:retired ~b:current +new:next"},
        {"now, without a next", {current}, 1, ROTATION_NOW, 10, "~a:retired +new:current +new:next"},
        {"now, without any", {{0}}, 0, ROTATION_NOW, 10, "+new:current +new:next"},
        {"the present keys leaked", {current, next}, 2, ROTATION_AT_ONCE, 10,
         "-a:current -b:next +new:current +new:next"},
        {"leaked, without any", {{0}}, 0, ROTATION_AT_ONCE, 10, "+new:current +new:next"},
        {"a current key that cannot sign retires", {no_private, next}, 2, ROTATION_NO_WISH, 10,
         "~a:retired ~b:current +new:next"},
        {"a next key that could not sign goes", {current, next_no_private}, 2, ROTATION_NO_WISH, 10,
         " a:current -b:next +new:next"},
        {"of two current keys the newer one stays", {current, key_of("c", ROTATION_CURRENT, 5, 5), next}, 3,
         ROTATION_NO_WISH, 10,
         "~a:retired  c:current ~b:next"},
        {"of two next keys one stays", {current, key_of("c", ROTATION_NEXT, 0, INTERVAL - 1), next}, 3,
         ROTATION_NO_WISH, 10,
         " a:current -c:next  b:next"},
        {"a retired key stays as long as it may be asked for", {current, next, retired_key("r", 0)}, 3,
         ROTATION_NO_WISH, KEPT - 1,
         " a:current  b:next  r:retired"},
        {"and is forgotten then", {current, next, retired_key("r", 0)}, 3, ROTATION_NO_WISH, KEPT,
         " a:current  b:next -r:retired"},
        {"leaked: also one that retired a moment ago", {current, next, retired_key("r", 0)}, 3, ROTATION_AT_ONCE, 10,
         "-a:current -b:next -r:retired +new:current +new:next"},
        {"and one that retired long before, as long as it is published", {current, next, retired}, 3, ROTATION_AT_ONCE,
         PUBLISHED - 1, "-a:current -b:next -r:retired +new:current +new:next"},
        {"but not one that only hints are held against", {current, next, retired}, 3, ROTATION_AT_ONCE, PUBLISHED,
         "-a:current -b:next  r:retired +new:current +new:next"},
        {"the clock went back", {current, next}, 2, ROTATION_NO_WISH, -5000, " a:current  b:next"},
    };
    void *ctx = mem_root("test");
    struct rotation_rules rules = rules_of(ONE, COUNT(ONE));
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct rotation_plan plan = rotation_decide(ctx, rows[i].keys, rows[i].count, rows[i].wish, T0 + rows[i].now,
                                                    &rules);
        row_string(rows[i].rule, text_of(ctx, &plan), rows[i].plan);
        row_equal(rows[i].rule, plan.changes, strpbrk(rows[i].plan, "+~-") != NULL);
    }
    talloc_free(ctx);
}

static void times_are_recorded(void **state)
{
    (void)state;
    void *ctx = mem_root("test");
    struct rotation_rules rules = rules_of(ONE, COUNT(ONE));
    struct rotation_key keys[] = {key_of("a", ROTATION_CURRENT, 0, 0), key_of("b", ROTATION_NEXT, 0, INTERVAL)};
    struct rotation_plan plan = rotation_decide(ctx, keys, 2, ROTATION_NO_WISH, T0 + 2000, &rules);
    assert_int_equal(plan.keys[0].retired_at, T0 + 2000);
    assert_int_equal(plan.keys[0].unpublish_at, T0 + 2000 + PUBLISHED);
    assert_int_equal(plan.keys[0].delete_at, T0 + 2000 + KEPT);
    assert_int_equal(plan.keys[1].current_at, T0 + 2000);
    assert_int_equal(plan.keys[2].created_at, T0 + 2000);
    assert_int_equal(plan.keys[2].current_at, T0 + 2000 + INTERVAL);
    assert_int_equal(plan.look_at, T0 + 2000 + KEPT);
    plan = rotation_decide(ctx, keys, 2, ROTATION_NO_WISH, T0 + 10, &rules);
    assert_int_equal(plan.look_at, T0 + INTERVAL);
    rules.interval = 500; /* the operator changed the setting */
    plan = rotation_decide(ctx, keys, 2, ROTATION_NO_WISH, T0 + 10, &rules);
    assert_string_equal(text_of(ctx, &plan), " a:current ~b:next");
    assert_int_equal(plan.keys[1].current_at, T0 + 500);
    talloc_free(ctx);
}

static void a_decision_carried_out_needs_no_other(void **state)
{
    (void)state;
    static const enum rotation_wish wishes[] = {ROTATION_NO_WISH, ROTATION_NOW, ROTATION_AT_ONCE};
    void *ctx = mem_root("test");
    struct rotation_rules rules = rules_of(BOTH, COUNT(BOTH));
    struct rotation_key keys[128];
    size_t count = 0;
    for (int64_t now = T0; now < T0 + 20 * INTERVAL; now += 37) {
        enum rotation_wish wish = wishes[(now / 37) % 11 == 0 ? 1 + (now / 37) % 2 : 0];
        struct rotation_plan plan = rotation_decide(ctx, keys, count, wish, now, &rules);
        count = 0;
        size_t current[2] = {0}, next[2] = {0};
        for (size_t i = 0; i < plan.count; i++) {
            if (plan.keys[i].change == ROTATION_DELETE)
                continue;
            struct rotation_key *key = &keys[count++];
            *key = plan.keys[i];
            key->kid = mem_printf(ctx, "%zu@%lld", count, (long long)now);
            key->signs = key->state != ROTATION_RETIRED;
            current[key->alg == JOSE_ES256] += key->state == ROTATION_CURRENT;
            next[key->alg == JOSE_ES256] += key->state == ROTATION_NEXT;
        }
        assert_true(count < COUNT(keys) - 8);
        for (size_t i = 0; i < 2; i++)
            assert_true(current[i] == 1 && next[i] == 1);
        assert_false(rotation_decide(ctx, keys, count, ROTATION_NO_WISH, now, &rules).changes);
    }
    talloc_free(ctx);
}

static void unwanted_algorithms_end(void **state)
{
    (void)state;
    void *ctx = mem_root("test");
    struct rotation_rules rules = rules_of(ONE, COUNT(ONE));
    struct rotation_key keys[] = {key_of("a", ROTATION_CURRENT, 0, 0), key_of("b", ROTATION_NEXT, 0, INTERVAL),
                                  key_of("r", ROTATION_CURRENT, 0, 0), key_of("s", ROTATION_NEXT, 0, INTERVAL)};
    keys[2].alg = keys[3].alg = JOSE_RS256;
    struct rotation_plan plan = rotation_decide(ctx, keys, 4, ROTATION_NO_WISH, T0 + 10, &rules);
    assert_string_equal(text_of(ctx, &plan), " a:current  b:next ~r:retired -s:next");
    plan = rotation_decide(ctx, keys, 4, ROTATION_AT_ONCE, T0 + 10, &rules);
    assert_string_equal(text_of(ctx, &plan), "-a:current -b:next -r:current -s:next +new:current +new:next");
    rules = rules_of(BOTH, COUNT(BOTH));
    plan = rotation_decide(ctx, keys, 2, ROTATION_NO_WISH, T0 + 10, &rules);
    assert_string_equal(text_of(ctx, &plan), " a:current  b:next +new:current +new:next");
    assert_int_equal(plan.keys[2].alg, JOSE_RS256);
    talloc_free(ctx);
}

static void retired_keys_are_bounded(void **state)
{
    (void)state;
    void *ctx = mem_root("test");
    struct rotation_rules rules = rules_of(ONE, COUNT(ONE));
    struct rotation_key keys[ROTATION_RETIRED_MAX + 4];
    for (size_t i = 0; i < COUNT(keys); i++)
        keys[i] = retired_key(mem_printf(ctx, "r%zu", i), 100 - (int64_t)i); /* the last ones retired first */
    keys[0] = key_of("a", ROTATION_CURRENT, 0, 0);
    keys[1] = key_of("b", ROTATION_NEXT, 0, INTERVAL);
    struct rotation_plan plan = rotation_decide(ctx, keys, COUNT(keys), ROTATION_NO_WISH, T0 + 101, &rules);
    size_t deleted = 0;
    for (size_t i = 0; i < plan.count; i++)
        deleted += plan.keys[i].change == ROTATION_DELETE;
    assert_int_equal(deleted, 2);
    assert_int_equal(plan.keys[COUNT(keys) - 1].change, ROTATION_DELETE);
    assert_int_equal(plan.keys[COUNT(keys) - 2].change, ROTATION_DELETE);
    talloc_free(ctx);
}

static void published_are_next_current_and_just_retired(void **state)
{
    (void)state;
    struct rotation_key next = key_of("n", ROTATION_NEXT, 0, 0), current = key_of("c", ROTATION_CURRENT, 0, 0),
        retired = retired_key("r", 0);
    assert_true(rotation_is_published(&next, T0));
    assert_true(rotation_is_published(&current, T0 + 100 * INTERVAL));
    assert_true(rotation_is_published(&retired, T0 + PUBLISHED - 1));
    assert_false(rotation_is_published(&retired, T0 + PUBLISHED));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rules_one_by_one),
        cmocka_unit_test(times_are_recorded),
        cmocka_unit_test(a_decision_carried_out_needs_no_other),
        cmocka_unit_test(unwanted_algorithms_end),
        cmocka_unit_test(retired_keys_are_bounded),
        cmocka_unit_test(published_are_next_current_and_just_retired),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
