/* What an operator does with accounts: checks, claims by merge patch, flows over several environments. */
#include "rows.h"

#include "operator/operate_user_claims.h"
#include "operator/operate_users.h"
#include "store/consents.h"
#include "store/credentials.h"
#include "store/families.h"
#include "store/sessions.h"
#include "store/users.h"
#include "store_home.h"

static const struct kv_store STORES[] = {
    {KV_USERS, true}, {KV_CREDENTIALS, true}, {KV_SESSIONS, true}, {KV_TOKENS, true}};

struct home {
    struct store_home home;
    void *ctx;
    struct kv *kv;
};

static int setup(void **state)
{
    struct home *home = mem_new(NULL, struct home);
    home->ctx = mem_root("test");
    store_home_make(&home->home, STORES, COUNT(STORES), 4 << 20);
    home->kv = store_home_open(&home->home, home->ctx, STORES, COUNT(STORES));
    *state = home;
    return 0;
}

static int teardown(void **state)
{
    struct home *home = *state;
    talloc_free(home->kv);
    store_home_remove(&home->home);
    talloc_free(home->ctx);
    talloc_free(home);
    return 0;
}

static json_t *json_of(const void *ctx, const char *text)
{
    json_t *value;
    assert_int_equal(json_read(ctx, bytes_of(text), &value), OP_OK);
    return value;
}

/* --- claims --- */

static void claims_are_merged(void **state)
{
    (void)state;
    static const char BEFORE[] = "{\"name\":\"A\",\"address\":{\"country\":\"DE\",\"locality\":\"Ulm\"},\"roles\":[\"a\"]}";
    static const struct {
        const char *patch, *after, *whole; /* NULL: refused, and member says of what */
        const char *member;
    } rows[] = {
        {"{}", BEFORE, BEFORE, NULL},
        {"{\"name\":null}", "{\"address\":{\"country\":\"DE\",\"locality\":\"Ulm\"},\"roles\":[\"a\"]}",
         "{\"address\":{\"country\":\"DE\",\"locality\":\"Ulm\"},\"roles\":[\"a\"]}", NULL},
        {"{\"address\":{\"locality\":null,\"region\":\"BW\"},\"name\":null,\"roles\":null}",
         "{\"address\":{\"country\":\"DE\",\"region\":\"BW\"}}", "{\"address\":{\"locality\":null,\"region\":\"BW\"}}", NULL},
        {"{\"roles\":[\"b\"],\"name\":null,\"address\":null}", "{\"roles\":[\"b\"]}", "{\"roles\":[\"b\"]}", NULL},
        {"{\"roles\":{\"b\":1},\"name\":null,\"address\":null}", "{\"roles\":{\"b\":1}}", "{\"roles\":{\"b\":1}}", NULL},
        {"{\"nothing\":null}", BEFORE, BEFORE, NULL},
        {"{\"sub\":null}", BEFORE, BEFORE, NULL}, /* there is none to take away */
        {"{\"sub\":\"x\"}", NULL, NULL, "claims/sub"},
        {"{\"name\":\"B\",\"iss\":\"x\"}", NULL, NULL, "claims/iss"},
        {"{\"address\":\"x\"}", NULL, NULL, "claims/address"},
        {"{\"name\":{\"a\":1}}", NULL, NULL, "claims/name"},
        {"{\"\":1}", NULL, NULL, "claims/"},
        {"{\"a b\":1}", NULL, NULL, "claims/a b"},
    };
    for (size_t i = 0; i < COUNT(rows) * 2; i++) {
        bool whole = i % 2 == 1;
        const char *patch = rows[i / 2].patch, *after = whole ? rows[i / 2].whole : rows[i / 2].after;
        void *ctx = mem_root("test");
        Rec__User *user = records_new(ctx, &rec__user__descriptor);
        struct refusal refusal = {0};
        assert_true(operate_user_claims_change(ctx, user, json_of(ctx, BEFORE), false, &refusal));
        bool good = operate_user_claims_change(ctx, user, json_of(ctx, patch), whole, &refusal);
        row_equal(patch, good, after != NULL);
        row_string(patch, refusal.member, rows[i / 2].member);
        if (good)
            row_string(patch, json_text(ctx, operate_user_claims_json(ctx, user)), after);
        talloc_free(ctx);
    }
}

static void claims_are_bounded_together(void **state)
{
    (void)state;
    void *ctx = mem_root("test");
    Rec__User *user = records_new(ctx, &rec__user__descriptor);
    struct refusal refusal = {0};
    char *text = mem_array(ctx, char, 16001);
    memset(text, 'a', 16000);
    for (int i = 0; i < 5; i++) {
        json_t *patch = json_make_object(ctx);
        json_set_string(patch, mem_printf(ctx, "c%d", i), text);
        assert_int_equal(operate_user_claims_change(ctx, user, patch, false, &refusal), i < 4);
    }
    assert_string_equal(refusal.member, "claims");
    talloc_free(ctx);
}

static void names_and_passwords_are_judged(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        bool name, password;
    } rows[] = {
        {"alice", true, false},    {"", false, false},          {" alice", false, false}, {"alice ", false, false},
        {"al ice is", true, true}, {"J\xc3\xbcrgen", true, false}, {"\xff\xff\xff\xff\xff\xff\xff\xff", false, false},
        {"tab\tbetween", false, false}, {"eightaaa", true, true}, {"sevenaa", true, false}, {" spaces around ", false, true},
        {"\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4", true, false}, /* four characters in eight bytes */
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        row_equal(rows[i].text, operate_username_problem(rows[i].text) == NULL, rows[i].name);
        row_equal(rows[i].text, operate_password_problem(rows[i].text) == NULL, rows[i].password);
    }
}

/* --- flows --- */

static enum op_err run(const struct home *home, void (*make)(struct operate_user_job *, struct operate_flow *),
                       struct operate_user_job *job)
{
    struct operate_flow flow;
    job->ctx = home->ctx;
    make(job, &flow);
    return operate_flow_wait(home->kv, &flow);
}

static char *added(const struct home *home, const char *username)
{
    struct operate_user_change change = {.username = username, .phc = "$hash"};
    struct operate_user_job job = {.change = &change};
    assert_int_equal(run(home, operate_user_add, &job), OP_OK);
    assert_true(job.user->version == 1 && job.has_set_password && strlen(job.user_id) == 22);
    return mem_strdup(home->ctx, job.user_id);
}

enum { SESSIONS = 300, FAMILIES = 20 };

struct things {
    const struct home *home;
    char *user_id;
    size_t sessions, families, consents;
    bool has_password, has_user;
    Rec__User *user;
};

static enum op_err add_sessions(struct kv_txn *txn, void *arg)
{
    const struct things *things = arg;
    enum op_err err = OP_OK;
    for (int i = 0; err == OP_OK && i < SESSIONS; i++) {
        Rec__Session *session = records_new(things->home->ctx, &rec__session__descriptor);
        session->sid = mem_printf(session, "s%d", i);
        session->user_id = things->user_id;
        session->has_idle_expires_at = session->has_expires_at = true;
        session->idle_expires_at = session->expires_at = kv_now(txn) + 1000;
        err = sessions_insert(txn, session);
    }
    Rec__Consent *consent = records_new(things->home->ctx, &rec__consent__descriptor);
    consent->user_id = things->user_id;
    consent->client_id = mem_strdup(consent, "c");
    return err == OP_OK ? consents_put(txn, consent) : err;
}

static enum op_err add_families(struct kv_txn *txn, void *arg)
{
    const struct things *things = arg;
    enum op_err err = OP_OK;
    for (uint8_t i = 0; err == OP_OK && i < FAMILIES; i++) {
        Rec__Family *family = records_new(things->home->ctx, &rec__family__descriptor);
        uint8_t *id = mem_array(family, uint8_t, FAMILY_ID_LEN);
        id[0] = i;
        family->has_family_id = true;
        family->family_id = (ProtobufCBinaryData){.len = FAMILY_ID_LEN, .data = id};
        family->grant = records_new(family, &rec__grant__descriptor);
        family->grant->user_id = things->user_id;
        family->has_idle_expires_at = family->has_expires_at = true;
        family->idle_expires_at = family->expires_at = kv_now(txn) + 100000;
        err = families_insert(txn, family);
    }
    return err;
}

static enum op_err look(struct kv_txn *txn, void *arg)
{
    struct things *things = arg;
    const void *ctx = things->home->ctx;
    Rec__Session **sessions;
    Rec__Family **families;
    Rec__Consent **consents;
    size_t family_count;
    things->families = 0;
    enum op_err err = sessions_list_of_user(txn, ctx, things->user_id, NULL, 1000, &sessions, &things->sessions);
    if (err == OP_OK)
        err = families_list_of_user(txn, ctx, things->user_id, bytes_of(NULL), 1000, &families, &family_count);
    for (size_t i = 0; err == OP_OK && i < family_count; i++)
        things->families += !families[i]->dead;
    if (err == OP_OK)
        err = consents_list_of_user(txn, ctx, things->user_id, NULL, 1000, &consents, &things->consents);
    if (err == OP_OK)
        err = operate_users_has_password(txn, ctx, things->user_id, &things->has_password);
    things->has_user = users_get(txn, ctx, things->user_id, &things->user) == OP_OK;
    return err;
}

static struct things with_things(const struct home *home, const char *username)
{
    struct things things = {.home = home, .user_id = added(home, username)};
    assert_int_equal(kv_run_wait(home->kv, KV_SESSIONS, add_sessions, &things), OP_OK);
    assert_int_equal(kv_run_wait(home->kv, KV_TOKENS, add_families, &things), OP_OK);
    assert_int_equal(kv_run_wait(home->kv, KV_READ_ONLY, look, &things), OP_OK);
    assert_true(things.sessions == SESSIONS && things.families == FAMILIES && things.consents == 1);
    return things;
}

static void disabling_ends_everything(void **state)
{
    const struct home *home = *state;
    struct things things = with_things(home, "alice");
    struct operate_user_change change = {.disable = true};
    struct operate_user_job job = {.user_id = things.user_id, .change = &change};
    assert_int_equal(run(home, operate_user_change, &job), OP_OK);
    assert_true(job.sessions_ended == SESSIONS && job.families_revoked == FAMILIES && job.since > 0);
    assert_int_equal(kv_run_wait(home->kv, KV_READ_ONLY, look, &things), OP_OK);
    assert_true(things.sessions == 0 && things.families == 0 && things.consents == 1 && things.has_password);
    assert_true(things.user->disabled && things.user->since == job.since && things.user->version == 2);
    int64_t first = job.since;
    job = (struct operate_user_job){.user_id = things.user_id, .change = &change};
    assert_int_equal(run(home, operate_user_change, &job), OP_OK);
    assert_true(job.since > first && job.sessions_ended == 0 && job.families_revoked == 0);
    change = (struct operate_user_change){.enable = true};
    job = (struct operate_user_job){.user_id = things.user_id, .change = &change};
    assert_int_equal(run(home, operate_user_change, &job), OP_OK);
    assert_true(!job.user->disabled && job.since == 0 && job.user->since > first);
}

static void another_password_moves_since_twice(void **state)
{
    const struct home *home = *state;
    struct things things = with_things(home, "alice");
    struct operate_user_change change = {.phc = "$other"};
    struct operate_user_job job = {.user_id = things.user_id, .change = &change};
    assert_int_equal(run(home, operate_user_change, &job), OP_OK);
    assert_true(job.has_set_password && job.user->version == 3 && job.sessions_ended == SESSIONS);
    assert_false(job.user->has_updated_at && job.user->updated_at != job.user->created_at);
}

static void removing_leaves_nothing(void **state)
{
    const struct home *home = *state;
    struct things things = with_things(home, "alice");
    struct operate_user_job job = {.user_id = things.user_id};
    assert_int_equal(run(home, operate_user_remove, &job), OP_OK);
    assert_true(job.sessions_ended == SESSIONS && job.families_revoked == FAMILIES);
    assert_int_equal(kv_run_wait(home->kv, KV_READ_ONLY, look, &things), OP_OK);
    assert_true(!things.has_user && !things.has_password && things.sessions == 0 && things.families == 0);
    assert_int_equal(things.consents, 0);
    job = (struct operate_user_job){.user_id = things.user_id};
    assert_int_equal(run(home, operate_user_remove, &job), OP_ABSENT);
    added(home, "ALICE"); /* the name is free */
}

static enum op_err nobody_may(const Rec__User *user, void *arg)
{
    *(uint64_t *)arg = user->version;
    return OP_MISMATCH;
}

static void what_is_not_admitted_changes_nothing(void **state)
{
    const struct home *home = *state;
    struct things things = with_things(home, "alice");
    added(home, "bob");
    const struct operate_user_change good = {.disable = true}, taken = {.username = "BOB"}, bad = {.username = " "};
    static const struct {
        const char *what;
        enum op_err result;
        const char *member;
    } rows[] = {
        {"a version that is not the one", OP_MISMATCH, NULL}, {"a name that is taken", OP_EXISTS, "username"},
        {"a name that is none", OP_INVALID, "username"}, {"a removal of another version", OP_MISMATCH, NULL},
    };
    const struct operate_user_change *changes[] = {&good, &taken, &bad, &good};
    for (size_t i = 0; i < COUNT(rows); i++) {
        uint64_t version = 0;
        struct operate_user_job job = {.user_id = things.user_id, .change = changes[i]};
        if (rows[i].result == OP_MISMATCH) {
            job.admit = nobody_may;
            job.admit_arg = &version;
        }
        row_equal(rows[i].what, run(home, i == 3 ? operate_user_remove : operate_user_change, &job), rows[i].result);
        row_string(rows[i].what, job.refusal.member, rows[i].member);
        row_equal(rows[i].what, (long)version, rows[i].result == OP_MISMATCH ? 1 : 0);
        assert_int_equal(kv_run_wait(home->kv, KV_READ_ONLY, look, &things), OP_OK);
        assert_true(things.sessions == SESSIONS && things.families == FAMILIES && things.user->version == 1);
    }
    struct operate_user_job job = {.user_id = "nobody", .change = &good};
    assert_int_equal(run(home, operate_user_change, &job), OP_ABSENT);
}

static enum op_err list_all(struct kv_txn *txn, void *arg)
{
    const struct home *home = arg;
    const char *after = NULL, *previous = "";
    size_t count = 0, parts = 0;
    struct operate_users_filter filter = {.prefix = "LIST"};
    struct listing listing;
    do {
        if (operate_users_list(txn, home->ctx, &filter, after, 2, &listing) != OP_OK || ++parts > 10)
            return OP_BROKEN;
        for (size_t i = 0; i < json_array_size(listing.items); i++, count++) {
            const char *user_id;
            if (json_get_string(json_array_get(listing.items, i), "user_id", &user_id) != OP_OK ||
                strcmp(previous, user_id) >= 0)
                return OP_BROKEN;
            previous = user_id;
        }
        after = listing.next;
    } while (after != NULL);
    filter = (struct operate_users_filter){.username = "List-3"};
    if (operate_users_list(txn, home->ctx, &filter, NULL, 2, &listing) != OP_OK ||
        json_array_size(listing.items) != 1 || listing.next != NULL)
        return OP_BROKEN;
    return count == 5 ? OP_OK : OP_MISMATCH;
}

static void lists_go_on(void **state)
{
    struct home *home = *state;
    for (int i = 0; i < 5; i++) {
        added(home, mem_printf(home->ctx, "list-%d", i));
        added(home, mem_printf(home->ctx, "other-%d", i));
    }
    assert_int_equal(kv_run_wait(home->kv, KV_READ_ONLY, list_all, home), OP_OK);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(claims_are_merged),
        cmocka_unit_test(claims_are_bounded_together),
        cmocka_unit_test(names_and_passwords_are_judged),
        cmocka_unit_test_setup_teardown(disabling_ends_everything, setup, teardown),
        cmocka_unit_test_setup_teardown(another_password_moves_since_twice, setup, teardown),
        cmocka_unit_test_setup_teardown(removing_leaves_nothing, setup, teardown),
        cmocka_unit_test_setup_teardown(what_is_not_admitted_changes_nothing, setup, teardown),
        cmocka_unit_test_setup_teardown(lists_go_on, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
