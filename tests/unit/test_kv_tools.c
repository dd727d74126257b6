/* Copies of environments, keeping everybody out of one, and the expiry index against the entries. */
#include <sys/stat.h>

#include "kv_children.h"
#include "store/kv_table.h"
#include "store/kv_tools.h"

enum { MANY = 3000, MAP = 4 << 20 };

static const struct kv_store TOKENS[] = {{KV_TOKENS, true}};

static struct bytes key_of(uint8_t out[4], uint32_t number)
{
    num_put_be32(out, number);
    return bytes_from(out, 4);
}

static enum op_err put_many(struct kv_txn *txn, void *arg)
{
    (void)arg;
    for (uint32_t i = 0; i < MANY; i++) {
        uint8_t key[4];
        enum op_err err = kv_put(txn, &NUMBERS, key_of(key, i), bytes_of("some value of some length"),
                                 i % 2 == 0 ? 0 : kv_now(txn) + 1000);
        if (err != OP_OK)
            return err;
    }
    return OP_OK;
}

/* --- copies --- */

struct copying {
    const char *path;
    enum op_err result;
    const char *why;
    void *ctx;
};

static enum op_err copy_it(struct kv_txn *txn, void *arg)
{
    struct copying *copying = arg;
    copying->result = kv_copy(txn, KV_TOKENS, copying->path, MAP, copying->ctx, &copying->why);
    return OP_OK;
}

static bool count_each(struct bytes key, struct bytes value, int64_t expires_at, void *arg)
{
    struct kv_survey *count = arg;
    assert_int_equal(key.len, 4);
    assert_true(bytes_equal(value, bytes_of("some value of some length")));
    count->entries[expires_at == 0 ? 1 : 2]++;
    return true;
}

static enum op_err count_work(struct kv_txn *txn, void *arg)
{
    return kv_entries(txn, &NUMBERS, bytes_of(NULL), MANY + 1, count_each, arg);
}

static void a_copy_is_an_environment_with_the_same_entries(void **state)
{
    struct fixture *f = *state;
    void *ctx = mem_root("test");
    char dir[100], path[160];
    const char *why;
    struct kv *kv = store_home_open(&f->home, ctx, TOKENS, 1);
    assert_int_equal(kv_run_wait(kv, KV_TOKENS, put_many, NULL), OP_OK);
    struct store_home other;
    store_home_make(&other, NULL, 0, 0);
    snprintf(dir, sizeof dir, "%s/tokens", other.dir);
    mkdir(dir, 0755);
    store_home_path(&other, KV_TOKENS, "data.mdb", path);
    struct copying copying = {.path = path, .ctx = ctx};
    assert_int_equal(kv_run_wait(kv, KV_READ_ONLY, copy_it, &copying), OP_OK);
    assert_int_equal(copying.result, OP_OK);
    assert_int_equal(kv_run_wait(kv, KV_READ_ONLY, copy_it, &copying), OP_OK);
    assert_int_equal(copying.result, OP_EXISTS);
    assert_int_equal(kv_create(ctx, dir, KV_TOKENS, MAP, &why), OP_OK); /* what is missing: lock and bell */
    struct kv *copy = store_home_open(&other, ctx, TOKENS, 1);
    struct kv_survey count = {0};
    struct kv_stats stats;
    assert_int_equal(kv_run_wait(copy, KV_READ_ONLY, count_work, &count), OP_OK);
    assert_int_equal(count.entries[1], MANY / 2);
    assert_int_equal(count.entries[2], MANY / 2);
    assert_int_equal(kv_stats(copy, KV_TOKENS, &stats), OP_OK);
    assert_int_equal(stats.map_bytes, MAP);
    assert_int_equal(kv_run_wait(copy, KV_TOKENS, put_many, NULL), OP_OK);
    talloc_free(ctx);
    store_home_remove(&other);
}

struct filling {
    uint32_t number;
    size_t len;
};

static enum op_err put_large(struct kv_txn *txn, void *arg)
{
    static const uint8_t value[3000];
    struct filling *filling = arg;
    uint8_t key[4];
    return kv_put(txn, &NUMBERS, key_of(key, filling->number), bytes_from(value, filling->len), 0);
}

/* The copy has no more room than the environment had. */
static void a_full_environment_can_be_copied(void **state)
{
    struct fixture *f = *state;
    void *ctx = mem_root("test");
    char path[160];
    struct kv *kv = store_home_open(&f->home, ctx, TOKENS, 1);
    struct filling filling = {.number = 0};
    for (filling.len = 3000; filling.len > 300; filling.len /= 8)
        while (filling.number < 100000 && kv_run_wait(kv, KV_TOKENS, put_large, &filling) == OP_OK)
            filling.number++;
    assert_in_range(filling.number, 500, 99999);
    for (uint32_t i = 0; i < filling.number; i++) { /* what changes may use the rest */
        struct filling again = {.number = i, .len = 1500 + i % 1500};
        if (kv_run_wait(kv, KV_TOKENS, put_large, &again) != OP_OK)
            break;
    }
    store_home_path(&f->home, KV_TOKENS, "copy", path);
    struct copying copying = {.path = path, .ctx = ctx};
    assert_int_equal(kv_run_wait(kv, KV_READ_ONLY, copy_it, &copying), OP_OK);
    assert_int_equal(copying.result, OP_OK);
    unlink(path);
    talloc_free(ctx);
}

/* --- keeping others out --- */

static void holder(const struct store_home *home, int in, int out)
{
    struct kv *kv = child_open(home, BOTH, 2);
    say(out);
    hear(in);
    talloc_free(kv);
}

static void who_has_it_open_is_named(void **state)
{
    struct fixture *f = *state;
    void *ctx = mem_root("test");
    char dir[100], pid[32];
    const char *why = "";
    snprintf(dir, sizeof dir, "%s/tokens", f->home.dir);
    struct child child = child_start(f, holder);
    child_hear(&child);
    assert_int_equal(kv_lock_out(ctx, dir, &why), OP_BUSY);
    snprintf(pid, sizeof pid, "process %d (", (int)child.pid);
    assert_non_null(strstr(why, pid));
    child_tell(&child);
    assert_int_equal(child_end(&child), 0);
    assert_int_equal(kv_lock_out(ctx, dir, &why), OP_OK);
    snprintf(dir, sizeof dir, "%s/users", f->home.dir);
    assert_int_equal(kv_lock_out(ctx, dir, &why), OP_ABSENT);
    talloc_free(ctx);
}

/* It reads the environment, and somebody took the lock file away. */
static void who_reads_without_its_lock_file_is_seen(void **state)
{
    struct fixture *f = *state;
    void *ctx = mem_root("test");
    char dir[100], lock[160], aside[170];
    const char *why = "";
    snprintf(dir, sizeof dir, "%s/tokens", f->home.dir);
    store_home_path(&f->home, KV_TOKENS, "lock.mdb", lock);
    snprintf(aside, sizeof aside, "%s.aside", lock);
    struct child child = child_start(f, holder);
    child_hear(&child);
    rename(lock, aside);
    assert_int_equal(kv_lock_out(ctx, dir, &why), OP_BUSY);
    assert_non_null(strstr(why, "is gone"));
    close(open(lock, O_CREAT | O_WRONLY, 0600)); /* another one in its place */
    assert_int_equal(kv_lock_out(ctx, dir, &why), OP_BUSY);
    assert_non_null(strstr(why, "without holding"));
    child_tell(&child);
    assert_int_equal(child_end(&child), 0);
    unlink(aside);
    talloc_free(ctx);
}

static void late_comer(const struct store_home *home, int in, int out)
{
    (void)out;
    void *ctx = mem_root("late");
    struct kv *kv;
    const char *why = "";
    hear(in);
    enum op_err err = kv_open(ctx, &home->config, TOKENS, 1, &kv, &why);
    HOLDS(err == OP_BROKEN && strstr(why, "replaced") != NULL);
    talloc_free(ctx);
}

static bool is_blocked(pid_t pid)
{
    char path[64], line[64] = "";
    snprintf(path, sizeof path, "/proc/%d/syscall", (int)pid);
    FILE *file = fopen(path, "r");
    if (file == NULL)
        return false;
    bool read = fgets(line, sizeof line, file) != NULL;
    fclose(file);
    return read && strncmp(line, "72 ", 3) == 0; /* fcntl */
}

static void who_comes_while_files_are_replaced_is_refused(void **state)
{
    struct fixture *f = *state;
    void *ctx = mem_root("test");
    char dir[100], lock[160], data[160];
    const char *why = "";
    snprintf(dir, sizeof dir, "%s/tokens", f->home.dir);
    store_home_path(&f->home, KV_TOKENS, "lock.mdb", lock);
    store_home_path(&f->home, KV_TOKENS, "data.mdb", data);
    struct child child = child_start(f, late_comer); /* before, for a child would share the lock */
    assert_int_equal(kv_lock_out(ctx, dir, &why), OP_OK);
    child_tell(&child);
    for (unsigned i = 0; i < 1000 && !is_blocked(child.pid); i++)
        usleep(10000);
    unlink(data);
    unlink(lock);
    assert_int_equal(kv_create(ctx, dir, KV_TOKENS, MAP, &why), OP_OK);
    talloc_free(ctx);
    assert_int_equal(child_end(&child), 0);
}

/* --- the expiry index --- */

struct surveying {
    struct kv_survey survey;
    bool repair;
    unsigned chunks;
};

static enum op_err survey_work(struct kv_txn *txn, void *arg)
{
    struct surveying *surveying = arg;
    enum op_err err;
    do {
        err = kv_survey(txn, KV_TOKENS, 700, surveying->repair, &surveying->survey);
        surveying->chunks++;
    } while (err == OP_OK && surveying->survey.position_len > 0 && surveying->chunks < 100);
    return err;
}

static struct kv_survey survey(struct kv *kv, bool repair)
{
    struct surveying surveying = {.repair = repair};
    assert_int_equal(kv_run_wait(kv, repair ? KV_TOKENS : KV_READ_ONLY, survey_work, &surveying), OP_OK);
    assert_true(surveying.chunks > 4);
    return surveying.survey;
}

/* One entry loses its line; a line gets no entry; another says a wrong time. */
static enum op_err break_index(struct kv_txn *txn, void *arg)
{
    uint8_t key[4];
    int64_t expires_at;
    struct bytes value;
    enum op_err err = kv_get_entry(txn, &NUMBERS, key_of(key, 7), arg, &value, &expires_at);
    struct kv_key entry = kv_entry_key(&NUMBERS, key_of(key, 7)), line = kv_index_key(&entry, expires_at);
    if (err == OP_OK)
        err = kv_map_delete(txn, kv_key_bytes(&line));
    line = kv_index_key(&entry, expires_at + 1);
    if (err == OP_OK)
        err = kv_map_put_empty(txn, kv_key_bytes(&line));
    entry = kv_entry_key(&NUMBERS, key_of(key, MANY + 5));
    line = kv_index_key(&entry, expires_at);
    return err == OP_OK ? kv_map_put_empty(txn, kv_key_bytes(&line)) : err;
}

static enum op_err put_damaged(struct kv_txn *txn, void *arg)
{
    static const uint8_t key[] = {104, 1}, stranger[] = {0, 1};
    (void)arg;
    enum op_err err = kv_map_put_empty(txn, bytes_from(key, sizeof key));
    return err == OP_OK ? kv_map_put_empty(txn, bytes_from(stranger, sizeof stranger)) : err;
}

static void a_broken_expiry_index_is_found_and_mended(void **state)
{
    struct fixture *f = *state;
    void *ctx = mem_root("test");
    struct kv *kv = store_home_open(&f->home, ctx, TOKENS, 1);
    assert_int_equal(kv_run_wait(kv, KV_TOKENS, put_many, NULL), OP_OK);
    struct kv_survey found = survey(kv, false);
    assert_int_equal(found.entries[NUMBERS.prefix], MANY);
    assert_int_equal(found.damaged + found.unindexed + found.misindexed, 0);
    assert_int_equal(kv_run_wait(kv, KV_TOKENS, break_index, ctx), OP_OK);
    assert_int_equal(kv_run_wait(kv, KV_TOKENS, put_damaged, NULL), OP_OK);
    found = survey(kv, false);
    assert_int_equal(found.unindexed, 1);
    assert_int_equal(found.misindexed, 2);
    assert_int_equal(found.damaged, 2);
    found = survey(kv, true);
    assert_int_equal(found.repaired, 3);
    found = survey(kv, false);
    assert_int_equal(found.unindexed + found.misindexed, 0);
    assert_int_equal(found.damaged, 2); /* nobody knows what they were */
    struct kv_survey count = {0};
    assert_int_equal(kv_run_wait(kv, KV_READ_ONLY, count_work, &count), OP_OK);
    assert_int_equal(count.entries[1] + count.entries[2], MANY);
    talloc_free(ctx);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_copy_is_an_environment_with_the_same_entries, setup, teardown),
        cmocka_unit_test_setup_teardown(a_full_environment_can_be_copied, setup, teardown),
        cmocka_unit_test_setup_teardown(who_has_it_open_is_named, setup, teardown),
        cmocka_unit_test_setup_teardown(who_reads_without_its_lock_file_is_seen, setup, teardown),
        cmocka_unit_test_setup_teardown(who_comes_while_files_are_replaced_is_refused, setup, teardown),
        cmocka_unit_test_setup_teardown(a_broken_expiry_index_is_found_and_mended, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
