/* The store in one process: tables, results, expiry, scans, snapshots, files. Queues are in test_kv_writer.c,
 * full maps in test_kv_full.c, what takes several processes in test_kv_processes.c and test_kv_trouble.c. */
#include <assert.h>
#include <sys/stat.h>

#include "kv_fixture.h"
#include "store/environment.h"

static void the_verbs_do_what_they_say(void **state)
{
    struct fixture *f = *state;
    PLAY(f, KV_TOKENS, &COLOURS, {GET, "red", NULL, OP_ABSENT}, {TAKE, "red", NULL, OP_ABSENT},
         {DELETE, "red", NULL, OP_ABSENT}, {REPLACE, "red", "2", OP_ABSENT, 0, "1"}, {INSERT, "red", "1", OP_OK},
         {GET, "red", "1", OP_OK}, {INSERT, "red", "2", OP_EXISTS}, {GET, "red", "1", OP_OK},
         {REPLACE, "red", "3", OP_MISMATCH, 0, "2"}, {GET, "red", "1", OP_OK}, {REPLACE, "red", "3", OP_OK, 0, "1"},
         {GET, "red", "3", OP_OK}, {PUT, "red", "", OP_OK}, {GET, "red", "", OP_OK}, {TAKE, "red", "", OP_OK},
         {GET, "red", NULL, OP_ABSENT}, {TAKE, "red", NULL, OP_ABSENT}, {PUT, "blue", "4", OP_OK},
         {DELETE, "blue", NULL, OP_OK}, {DELETE, "blue", NULL, OP_ABSENT}, {PUT, "green", "5", OP_OK});
    PLAY(f, KV_TOKENS, &SHAPES, {GET, "green", NULL, OP_ABSENT});
    PLAY(f, KV_READ_ONLY, &COLOURS, {GET, "green", "5", OP_OK});
}

struct read_one {
    void *ctx;
    struct bytes found;
};

static enum op_err read_red(struct kv_txn *txn, void *arg)
{
    struct read_one *one = arg;
    return kv_get(txn, &COLOURS, key("red"), one->ctx, &one->found);
}

static void values_outlive_the_transaction(void **state)
{
    struct fixture *f = *state;
    struct read_one one = {.ctx = f->ctx};
    PLAY(f, KV_TOKENS, &COLOURS, {PUT, "red", "first", OP_OK});
    assert_int_equal(kv_run_wait(f->kv, KV_READ_ONLY, read_red, &one), OP_OK);
    PLAY(f, KV_TOKENS, &COLOURS, {PUT, "red", "other", OP_OK});
    assert_string_equal((const char *)one.found.data, "first");
    assert_int_equal(one.found.len, 5);
}

static char long_key[402];

static void keys_have_bounds(void **state)
{
    struct fixture *f = *state;
    memset(long_key, 'k', 401);
    char *longest = mem_strndup(f->ctx, long_key, 400);
    PLAY(f, KV_TOKENS, &COLOURS, {PUT, longest, "1", OP_OK, 100}, {GET, longest, "1", OP_OK},
         {GET, long_key, NULL, OP_ABSENT}, {GET, "", NULL, OP_ABSENT}, {TAKE, long_key, NULL, OP_ABSENT},
         {DELETE, "", NULL, OP_ABSENT},
         {TAKE, longest, "1", OP_OK});
}

static enum op_err write_a_long_key(struct kv_txn *txn, void *arg)
{
    kv_put(txn, &COLOURS, key("before"), key("1"), 0);
    kv_put(txn, &COLOURS, key(arg), key("2"), 0); /* its result is not looked at: it is latched */
    struct bytes unused;
    assert(kv_get(txn, &COLOURS, key("before"), NULL, &unused) == OP_TOO_LARGE);
    assert(kv_put(txn, &COLOURS, key("after"), key("3"), 0) == OP_TOO_LARGE);
    return OP_OK;
}

static void hard_errors_are_latched(void **state)
{
    struct fixture *f = *state;
    memset(long_key, 'k', 401);
    assert_int_equal(kv_run_wait(f->kv, KV_TOKENS, write_a_long_key, long_key), OP_TOO_LARGE);
    PLAY(f, KV_READ_ONLY, &COLOURS, {GET, "before", NULL, OP_ABSENT}, {GET, "after", NULL, OP_ABSENT});
}

/* --- expiry --- */

struct sweep {
    size_t limit, removed;
};

static enum op_err sweep(struct kv_txn *txn, void *arg)
{
    struct sweep *sweep = arg;
    sweep->removed = kv_sweep(txn, KV_TOKENS, sweep->limit);
    return OP_OK;
}

static size_t sweep_tokens(struct fixture *f, size_t limit)
{
    struct sweep job = {.limit = limit};
    assert_int_equal(kv_run_wait(f->kv, KV_TOKENS, sweep, &job), OP_OK);
    return job.removed;
}

static void the_expired_are_absent(void **state)
{
    struct fixture *f = *state;
    PLAY(f, KV_TOKENS, &COLOURS, {PUT, "red", "1", OP_OK, -1}, {GET, "red", NULL, OP_ABSENT},
         {TAKE, "red", NULL, OP_ABSENT}, {REPLACE, "red", "2", OP_ABSENT, 0, "1"}, {DELETE, "red", NULL, OP_ABSENT});
    PLAY(f, KV_TOKENS, &COLOURS, {PUT, "red", "1", OP_OK, -1}, {INSERT, "red", "2", OP_OK, 100},
         {GET, "red", "2", OP_OK}, {INSERT, "red", "3", OP_EXISTS, 100});
    assert_int_equal(sweep_tokens(f, 100), 0); /* nothing of the first red is left in the index */
}

static void put_ephemeral(struct kv_txn *txn, int from, int to, int64_t seconds)
{
    for (int i = from; i < to; i++) {
        char name[16];
        snprintf(name, sizeof name, "%d", i);
        kv_put(txn, &COLOURS, key(name), key("x"), kv_now(txn) + seconds);
    }
}

static enum op_err put_seven(struct kv_txn *txn, void *arg)
{
    (void)arg;
    put_ephemeral(txn, 0, 7, 1);
    return OP_OK;
}

static void each_insert_removes_two_expired(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(kv_run_wait(f->kv, KV_TOKENS, put_seven, NULL), OP_OK);
    usleep(2100000);
    PLAY(f, KV_TOKENS, &COLOURS, {PUT, "never", "1", OP_OK});
    PLAY(f, KV_TOKENS, &COLOURS, {INSERT, "soon", "1", OP_OK, 100});
    PLAY(f, KV_TOKENS, &SHAPES, {PUT, "other table", "1", OP_OK, 100});
    assert_int_equal(sweep_tokens(f, 2), 2);
    assert_int_equal(sweep_tokens(f, 100), 1); /* 7 - 2 - 2 - 2 */
    PLAY(f, KV_READ_ONLY, &COLOURS, {GET, "never", "1", OP_OK}, {GET, "soon", "1", OP_OK}, {GET, "3", NULL, OP_ABSENT});
}

static enum op_err put_forty_expired(struct kv_txn *txn, void *arg)
{
    (void)arg;
    put_ephemeral(txn, 0, 40, 1000);
    for (int i = 0; i < 40; i++) { /* a changed expiry: the index must follow */
        char name[16];
        snprintf(name, sizeof name, "%d", i);
        kv_put(txn, &COLOURS, key(name), key("x"), i % 2 == 0 ? 0 : kv_now(txn) + 2000);
    }
    return OP_OK;
}

static void the_index_follows_a_changed_expiry(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(kv_run_wait(f->kv, KV_TOKENS, put_forty_expired, NULL), OP_OK);
    struct kv_stats before, after;
    assert_int_equal(kv_stats(f->kv, KV_TOKENS, &before), OP_OK);
    assert_int_equal(sweep_tokens(f, 100), 0);
    PLAY(f, KV_TOKENS, &COLOURS, {GET, "0", "x", OP_OK}, {PUT, "0", "y", OP_OK, -1}, {PUT, "0", "z", OP_OK, 0},
         {GET, "0", "z", OP_OK});
    assert_int_equal(sweep_tokens(f, 100), 0);
    PLAY(f, KV_TOKENS, &COLOURS, {GET, "0", "z", OP_OK}, {PUT, "1", "y", OP_OK, -1}, {PUT, "0", "gone", OP_OK, -1});
    assert_int_equal(sweep_tokens(f, 100), 1); /* the second removed the first */
    PLAY(f, KV_TOKENS, &COLOURS, {GET, "0", NULL, OP_ABSENT}, {GET, "1", NULL, OP_ABSENT}, {GET, "2", "x", OP_OK});
    assert_int_equal(kv_stats(f->kv, KV_TOKENS, &after), OP_OK);
    assert_true(after.used_bytes <= before.used_bytes + 8 * 4096);
}

/* --- scans --- */

struct collector {
    const char *prefix, *after;
    size_t limit, stop_after, count;
    char found[256];
};

static bool collect(struct bytes found_key, struct bytes value, void *arg)
{
    struct collector *c = arg;
    snprintf(c->found + strlen(c->found), sizeof c->found - strlen(c->found), "%.*s=%.*s ", (int)found_key.len,
             (const char *)found_key.data, (int)value.len, (const char *)value.data);
    return ++c->count != c->stop_after;
}

static enum op_err scan_colours(struct kv_txn *txn, void *arg)
{
    struct collector *c = arg;
    return kv_scan(txn, &COLOURS, key(c->prefix), key(c->after), c->limit, collect, c);
}

static void scans_walk_in_order(void **state)
{
    struct fixture *f = *state;
    PLAY(f, KV_TOKENS, &COLOURS, {PUT, "b2", "4", OP_OK}, {PUT, "a", "1", OP_OK}, {PUT, "b", "2", OP_OK},
         {PUT, "b1", "3", OP_OK, 100}, {PUT, "b3", "-", OP_OK, -1}, {PUT, "c", "6", OP_OK}, {PUT, "b4", "5", OP_OK});
    PLAY(f, KV_TOKENS, &SHAPES, {PUT, "b", "shape", OP_OK});
    static const struct {
        const char *prefix, *after;
        size_t limit, stop_after;
        const char *found;
    } rows[] = {
        {"", "", 99, 0, "a=1 b=2 b1=3 b2=4 b4=5 c=6 "},
        {"b", "", 99, 0, "b=2 b1=3 b2=4 b4=5 "},
        {"b", "", 2, 0, "b=2 b1=3 "},
        {"b", "b1", 2, 0, "b2=4 b4=5 "},
        {"b", "b15", 99, 0, "b2=4 b4=5 "},
        {"b", "a", 99, 0, "b=2 b1=3 b2=4 b4=5 "},
        {"b", "b4", 99, 0, ""},
        {"b", "c", 99, 0, ""},
        {"b1", "b", 99, 0, "b1=3 "},
        {"", "b", 99, 2, "b1=3 b2=4 "},
        {"", "", 0, 0, ""},
        {"d", "", 99, 0, ""},
        {"b", "b2", 99, 1, "b4=5 "},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct collector c = {
            .prefix = rows[i].prefix, .after = rows[i].after, .limit = rows[i].limit, .stop_after = rows[i].stop_after};
        assert_int_equal(kv_run_wait(f->kv, KV_READ_ONLY, scan_colours, &c), OP_OK);
        assert_string_equal(c.found, rows[i].found);
        assert_int_equal(kv_run_wait(f->kv, KV_TOKENS, scan_colours, &c), OP_OK); /* and inside a writing one */
    }
}

/* --- transactions --- */

static enum op_err copy_between_environments(struct kv_txn *txn, void *arg)
{
    struct bytes value;
    enum op_err err = kv_get(txn, &COLOURS, key("red"), arg, &value);
    if (err == OP_OK)
        err = kv_insert(txn, &TICKETS, key("copy"), value, 0);
    struct bytes own;
    if (err == OP_OK)
        err = kv_get(txn, &TICKETS, key("copy"), arg, &own);
    return err == OP_OK && bytes_equal(own, value) ? OP_OK : OP_INVALID;
}

static void a_writer_reads_other_environments_and_its_own_writes(void **state)
{
    struct fixture *f = *state;
    PLAY(f, KV_TOKENS, &COLOURS, {PUT, "red", "1", OP_OK});
    assert_int_equal(kv_run_wait(f->kv, KV_CODES, copy_between_environments, f->ctx), OP_OK);
    PLAY(f, KV_TOKENS, &COLOURS, {PUT, "red", "2", OP_OK}); /* a snapshot is not kept from work to work */
    PLAY(f, KV_CODES, &TICKETS, {DELETE, "copy", NULL, OP_OK});
    assert_int_equal(kv_run_wait(f->kv, KV_CODES, copy_between_environments, f->ctx), OP_OK);
    PLAY(f, KV_READ_ONLY, &TICKETS, {GET, "copy", "2", OP_OK});
}

struct ids {
    uint64_t first, second;
};

static enum op_err take_ids(struct kv_txn *txn, void *arg)
{
    struct ids *ids = arg;
    ids->first = kv_snapshot(txn, KV_TOKENS);
    ids->second = kv_snapshot(txn, KV_TOKENS);
    return OP_OK;
}

static void the_snapshot_id_moves_with_commits(void **state)
{
    struct fixture *f = *state;
    struct ids before, same, after, writing;
    assert_int_equal(kv_run_wait(f->kv, KV_READ_ONLY, take_ids, &before), OP_OK);
    assert_int_equal(kv_run_wait(f->kv, KV_READ_ONLY, take_ids, &same), OP_OK);
    assert_true(before.first == before.second && before.first == same.first);
    PLAY(f, KV_CODES, &TICKETS, {PUT, "other environment", "1", OP_OK});
    assert_int_equal(kv_run_wait(f->kv, KV_READ_ONLY, take_ids, &same), OP_OK);
    assert_true(before.first == same.first);
    PLAY(f, KV_TOKENS, &COLOURS, {PUT, "red", "1", OP_OK});
    assert_int_equal(kv_run_wait(f->kv, KV_READ_ONLY, take_ids, &after), OP_OK);
    assert_true(after.first != before.first);
    assert_int_equal(kv_run_wait(f->kv, KV_TOKENS, take_ids, &writing), OP_OK);
    assert_true(writing.first != writing.second && writing.first != after.first);
}

/* --- files --- */

static void put_path(const struct fixture *f, const char *name, char out[160])
{
    store_home_path(&f->home, KV_TOKENS, name, out);
}

static void opening_names_what_is_missing(void **state)
{
    struct fixture *f = *state;
    static const char *const names[] = {"data.mdb", "lock.mdb", "bell"};
    talloc_free(f->kv);
    for (size_t i = 0; i < 3; i++) {
        char path[160], away[160];
        const char *why = NULL;
        struct kv *kv;
        put_path(f, names[i], path);
        put_path(f, "away", away);
        assert_int_equal(rename(path, away), 0);
        assert_int_equal(kv_open(f, &f->home.config, STORES, 3, &kv, &why), OP_ABSENT);
        assert_non_null(strstr(why, path));
        assert_non_null(strstr(why, "opctl init"));
        assert_null(strchr(why, '\n'));
        assert_int_equal(access(path, F_OK), -1); /* and nothing is made */
        assert_int_equal(rename(away, path), 0);
    }
    f->kv = store_home_open(&f->home, f, STORES, 3);
}

static void opening_refuses_what_is_no_environment(void **state)
{
    struct fixture *f = *state;
    char path[160];
    talloc_free(f->kv);
    f->kv = NULL;
    put_path(f, "data.mdb", path);
    FILE *file = fopen(path, "w");
    for (int i = 0; i < 20000; i++)
        fputs("rubbish", file);
    fclose(file);
    const char *why = NULL;
    struct kv *kv;
    assert_int_equal(kv_open(f, &f->home.config, STORES, 3, &kv, &why), OP_BROKEN);
    assert_non_null(strstr(why, "/tokens"));
}

static unsigned mode_of(const char *dir, const char *name)
{
    char path[200];
    struct stat info;
    snprintf(path, sizeof path, "%s/%s", dir, name);
    return stat(path, &info) == 0 ? info.st_mode & 07777 : 0;
}

static void creating_is_independent_of_the_umask_and_repeatable(void **state)
{
    struct fixture *f = *state;
    char dir[160], bell[200];
    const char *why = NULL;
    store_home_path(&f->home, KV_USERS, "", dir);
    assert_int_equal(kv_create(f, dir, KV_USERS, 0, &why), OP_ABSENT);
    assert_non_null(strstr(why, dir));
    assert_int_equal(mkdir(dir, 0755), 0);
    mode_t before = umask(0777);
    enum op_err err = kv_create(f, dir, KV_USERS, 0, &why);
    umask(before);
    assert_int_equal(err, OP_OK);
    assert_int_equal(mode_of(dir, "data.mdb"), 0664);
    assert_int_equal(mode_of(dir, "lock.mdb"), 0660);
    assert_int_equal(mode_of(dir, "bell"), 0664);
    assert_int_equal(kv_create(f, dir, KV_USERS, 0, &why), OP_EXISTS);
    snprintf(bell, sizeof bell, "%s/bell", dir);
    unlink(bell);
    assert_int_equal(kv_create(f, dir, KV_USERS, 1 << 20, &why), OP_OK); /* completed, its data as it was */
    assert_int_equal(kv_create(f, dir, KV_USERS, 0, &why), OP_EXISTS);
    static const struct kv_store users[] = {{KV_USERS, true}};
    struct kv *kv = store_home_open(&f->home, f, users, 1);
    struct kv_stats stats;
    assert_int_equal(kv_stats(kv, KV_USERS, &stats), OP_OK);
    assert_true(stats.map_bytes == UINT64_C(1) << 30);
    talloc_free(kv);
    assert_int_equal(kv_stats(f->kv, KV_USERS, &stats), OP_ABSENT);
    assert_int_equal(kv_stats(f->kv, KV_TOKENS, &stats), OP_OK);
    assert_true(stats.map_bytes == 4 << 20 && stats.readers >= 1);
}

/* --- the environment record --- */

struct record {
    Rec__Environment *record, *found;
    enum op_err inserted, got;
    void *ctx;
};

static enum op_err record_work(struct kv_txn *txn, void *arg)
{
    struct record *job = arg;
    job->inserted = environment_insert(txn, KV_CODES, job->record);
    job->got = environment_get(txn, KV_CODES, job->ctx, &job->found);
    return OP_OK;
}

static enum op_err record_get(struct kv_txn *txn, void *arg)
{
    struct record *job = arg;
    return environment_get(txn, KV_CODES, job->ctx, &job->found);
}

static void the_environment_record_is_written_once(void **state)
{
    struct fixture *f = *state;
    struct record job = {.ctx = f->ctx, .record = records_new(f->ctx, &rec__environment__descriptor)};
    assert_int_equal(kv_run_wait(f->kv, KV_READ_ONLY, record_get, &job), OP_ABSENT);
    job.record->issuer = mem_strdup(f->ctx, "https://a.example");
    assert_int_equal(kv_run_wait(f->kv, KV_CODES, record_work, &job), OP_OK);
    assert_true(job.inserted == OP_OK && job.got == OP_OK);
    job.record->issuer = mem_strdup(f->ctx, "https://b.example");
    assert_int_equal(kv_run_wait(f->kv, KV_CODES, record_work, &job), OP_OK);
    assert_int_equal(job.inserted, OP_EXISTS);
    assert_int_equal(kv_run_wait(f->kv, KV_READ_ONLY, record_get, &job), OP_OK);
    assert_string_equal(job.found->issuer, "https://a.example");
}

static enum op_err record_from_the_future(struct kv_txn *txn, void *arg)
{
    struct record *job = arg;
    job->record->has_needs = true;
    job->record->needs = RECORDS_FORMAT + 1;
    return environment_insert(txn, KV_CODES, job->record);
}

static void a_newer_environment_is_denied(void **state)
{
    struct fixture *f = *state;
    struct record job = {.ctx = f->ctx, .record = records_new(f->ctx, &rec__environment__descriptor)};
    assert_int_equal(kv_run_wait(f->kv, KV_CODES, record_from_the_future, &job), OP_OK);
    assert_int_equal(kv_run_wait(f->kv, KV_READ_ONLY, record_get, &job), OP_DENIED);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(the_verbs_do_what_they_say),
        TEST(values_outlive_the_transaction),
        TEST(keys_have_bounds),
        TEST(hard_errors_are_latched),
        TEST(the_expired_are_absent),
        TEST(each_insert_removes_two_expired),
        TEST(the_index_follows_a_changed_expiry),
        TEST(scans_walk_in_order),
        TEST(a_writer_reads_other_environments_and_its_own_writes),
        TEST(the_snapshot_id_moves_with_commits),
        TEST(opening_names_what_is_missing),
        TEST(opening_refuses_what_is_no_environment),
        TEST(creating_is_independent_of_the_umask_and_repeatable),
        TEST(the_environment_record_is_written_once),
        TEST(a_newer_environment_is_denied),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
