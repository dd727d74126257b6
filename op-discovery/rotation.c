#include "rotation.h"

#include <string.h>

struct rotation {
    struct rotation_plan plan;
    enum rotation_wish wish;
    int64_t now;
    const struct rotation_rules *rules;
};

static int64_t later(int64_t a, int64_t b)
{
    return a > b ? a : b;
}

static void change(struct rotation_key *key, enum rotation_change how)
{
    if (key->change != ROTATION_INSERT || how == ROTATION_DELETE)
        key->change = how;
}

static void retire(const struct rotation *r, struct rotation_key *key)
{
    key->state = ROTATION_RETIRED;
    key->retired_at = r->now;
    key->unpublish_at = r->now + r->rules->published;
    key->delete_at = r->now + later(r->rules->published, r->rules->kept);
    change(key, ROTATION_UPDATE);
}

static struct rotation_key *insert(struct rotation *r, enum jose_alg alg, enum rotation_state state)
{
    struct rotation_key *key = &r->plan.keys[r->plan.count++];
    *key = (struct rotation_key){.alg = alg, .state = state, .created_at = r->now, .current_at = r->now, .signs = true,
                                 .change = ROTATION_INSERT};
    return key;
}

/* The key of this state that is to stay, the newest that can sign; all others of it end. */
static struct rotation_key *only_one(struct rotation *r, enum jose_alg alg, enum rotation_state state)
{
    struct rotation_key *best = NULL;
    for (size_t i = 0; i < r->plan.count; i++) {
        struct rotation_key *key = &r->plan.keys[i];
        if (key->alg == alg && key->state == state && key->signs &&
            (best == NULL || key->current_at > best->current_at))
            best = key;
    }
    for (size_t i = 0; i < r->plan.count; i++) {
        struct rotation_key *key = &r->plan.keys[i];
        if (key->alg != alg || key->state != state || key == best)
            continue;
        if (state == ROTATION_CURRENT)
            retire(r, key);
        else
            change(key, ROTATION_DELETE);
    }
    return best;
}

static bool is_due(const struct rotation *r, const struct rotation_key *current, const struct rotation_key *next)
{
    if (current == NULL || r->wish == ROTATION_NOW)
        return true;
    return next != NULL && r->now >= current->current_at + r->rules->interval &&
        r->now >= next->created_at + r->rules->lead;
}

static struct rotation_key *succeed(struct rotation *r, enum jose_alg alg, struct rotation_key *current,
                                    struct rotation_key *next)
{
    if (current != NULL)
        retire(r, current);
    if (next == NULL)
        return insert(r, alg, ROTATION_CURRENT);
    next->state = ROTATION_CURRENT;
    next->current_at = r->now;
    change(next, ROTATION_UPDATE);
    return next;
}

static void decide_alg(struct rotation *r, enum jose_alg alg)
{
    struct rotation_key *current = only_one(r, alg, ROTATION_CURRENT), *next = only_one(r, alg, ROTATION_NEXT);
    if (r->wish == ROTATION_AT_ONCE) {
        if (current != NULL)
            change(current, ROTATION_DELETE);
        if (next != NULL)
            change(next, ROTATION_DELETE);
        current = next = NULL;
    }
    if (is_due(r, current, next)) {
        current = succeed(r, alg, current, next);
        next = NULL;
    }
    if (next == NULL)
        next = insert(r, alg, ROTATION_NEXT);
    int64_t due = later(current->current_at + r->rules->interval, next->created_at + r->rules->lead);
    if (next->current_at != due) {
        next->current_at = due;
        change(next, ROTATION_UPDATE);
    }
}

static bool is_kept(const struct rotation_rules *rules, enum jose_alg alg)
{
    for (size_t i = 0; i < rules->alg_count; i++)
        if (rules->algs[i] == alg)
            return true;
    return false;
}

/* Keys of algorithms that are no longer wanted. */
static void end_unwanted(struct rotation *r)
{
    for (size_t i = 0; i < r->plan.count; i++) {
        struct rotation_key *key = &r->plan.keys[i];
        if (is_kept(r->rules, key->alg) || key->state == ROTATION_RETIRED)
            continue;
        if (key->state == ROTATION_CURRENT && r->wish != ROTATION_AT_ONCE)
            retire(r, key);
        else
            change(key, ROTATION_DELETE);
    }
}

static struct rotation_key *longest_retired(struct rotation *r, size_t *ret_count)
{
    struct rotation_key *oldest = NULL;
    *ret_count = 0;
    for (size_t i = 0; i < r->plan.count; i++) {
        struct rotation_key *key = &r->plan.keys[i];
        if (key->state != ROTATION_RETIRED || key->change == ROTATION_DELETE)
            continue;
        ++*ret_count;
        if (oldest == NULL || key->retired_at < oldest->retired_at)
            oldest = key;
    }
    return oldest;
}

/* After a leak: whoever believes tokens of it would believe forged ones. One that is no longer published is believed in
 * hints alone, unless its private half is still there. */
static bool is_dangerous(const struct rotation *r, const struct rotation_key *key)
{
    return r->wish == ROTATION_AT_ONCE && (key->signs || rotation_is_published(key, r->now));
}

static void forget_retired(struct rotation *r)
{
    for (size_t i = 0; i < r->plan.count; i++) {
        struct rotation_key *key = &r->plan.keys[i];
        if (key->state != ROTATION_RETIRED)
            continue;
        if (r->now >= key->delete_at || is_dangerous(r, key))
            change(key, ROTATION_DELETE);
    }
    size_t count;
    for (struct rotation_key *oldest = longest_retired(r, &count); count > ROTATION_RETIRED_MAX;
         oldest = longest_retired(r, &count))
        change(oldest, ROTATION_DELETE);
}

static void look_again_at(struct rotation *r, int64_t when)
{
    if (when > r->now && when < r->plan.look_at)
        r->plan.look_at = when;
}

static void sum_up(struct rotation *r)
{
    r->plan.look_at = INT64_MAX;
    for (size_t i = 0; i < r->plan.count; i++) {
        const struct rotation_key *key = &r->plan.keys[i];
        r->plan.changes = r->plan.changes || key->change != ROTATION_KEEP;
        if (key->change == ROTATION_DELETE)
            continue;
        if (key->state == ROTATION_NEXT)
            look_again_at(r, key->current_at);
        if (key->state == ROTATION_RETIRED)
            look_again_at(r, key->delete_at);
    }
}

struct rotation_plan rotation_decide(const void *ctx, const struct rotation_key *keys, size_t count,
                                     enum rotation_wish wish, int64_t now, const struct rotation_rules *rules)
{
    struct rotation r = {.wish = wish, .now = now, .rules = rules};
    r.plan.keys = mem_array(ctx, struct rotation_key, count + 2 * rules->alg_count);
    r.plan.count = count;
    for (size_t i = 0; i < count; i++) {
        r.plan.keys[i] = keys[i];
        r.plan.keys[i].change = ROTATION_KEEP;
    }
    for (size_t i = 0; i < rules->alg_count; i++)
        decide_alg(&r, rules->algs[i]);
    end_unwanted(&r);
    forget_retired(&r);
    sum_up(&r);
    return r.plan;
}

bool rotation_is_published(const struct rotation_key *key, int64_t now)
{
    return key->state != ROTATION_RETIRED || now < key->unpublish_at;
}
