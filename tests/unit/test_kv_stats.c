/* What monitoring asks of the store: pages, and whether the files are still those that were opened. */
#include "kv_fixture.h"

enum { LARGE = 400 };

static enum op_err put_large(struct kv_txn *txn, void *arg)
{
    static const uint8_t value[3000];
    (void)arg;
    for (int i = 0; i < LARGE; i++) {
        char name[16];
        snprintf(name, sizeof name, "%d", i);
        kv_put(txn, &COLOURS, key(name), bytes_from(value, sizeof value), 0);
    }
    return OP_OK;
}

static enum op_err delete_large(struct kv_txn *txn, void *arg)
{
    (void)arg;
    for (int i = 0; i < LARGE; i++) {
        char name[16];
        snprintf(name, sizeof name, "%d", i);
        kv_delete(txn, &COLOURS, key(name));
    }
    return OP_OK;
}

static struct kv_stats stats_of(struct fixture *f, enum kv_env env)
{
    struct kv_stats stats;
    assert_int_equal(kv_stats(f->kv, env, &stats), OP_OK);
    assert_int_equal(stats.used_bytes, stats.used_pages * 4096);
    assert_int_equal(stats.size_bytes, (stats.used_pages + stats.free_pages) * 4096);
    assert_true(stats.size_bytes <= stats.map_bytes);
    return stats;
}

static void pages_are_in_use_or_free(void **state)
{
    struct fixture *f = *state;
    struct kv_stats empty = stats_of(f, KV_TOKENS);
    assert_int_equal(kv_run_wait(f->kv, KV_TOKENS, put_large, NULL), OP_OK);
    struct kv_stats full = stats_of(f, KV_TOKENS);
    assert_true(full.used_pages >= empty.used_pages + LARGE && full.used_pages < empty.used_pages + 2 * LARGE);
    assert_int_equal(kv_run_wait(f->kv, KV_TOKENS, delete_large, NULL), OP_OK);
    struct kv_stats after = stats_of(f, KV_TOKENS);
    assert_true(after.used_pages < empty.used_pages + LARGE / 20 && after.free_pages >= LARGE);
    assert_true(after.size_bytes >= full.size_bytes); /* it never shrinks */
}

static void a_reader_has_no_writer_s_figures(void **state)
{
    struct fixture *f = *state;
    assert_true(stats_of(f, KV_TOKENS).writes);
    assert_false(stats_of(f, KV_CLIENTS).writes);
    assert_true(stats_of(f, KV_CLIENTS).readers_max >= 512);
}

static void a_look_tells_when_the_files_are_not_those_that_were_opened(void **state)
{
    struct fixture *f = *state;
    static const char *const names[] = {"data.mdb", "lock.mdb"};
    const char *why = "untouched";
    assert_int_equal(kv_look(f->kv, KV_CLIENTS, f, &why), OP_OK);
    assert_int_equal(kv_look(f->kv, KV_TOKENS, f, &why), OP_OK);
    assert_string_equal(why, "untouched");
    assert_int_equal(kv_look(f->kv, KV_USERS, f, &why), OP_ABSENT);
    for (size_t i = 0; i < 2; i++) {
        char path[160], aside[170], line[400];
        store_home_path(&f->home, KV_TOKENS, names[i], path);
        snprintf(aside, sizeof aside, "%s.aside", path);
        assert_int_equal(rename(path, aside), 0);
        assert_int_equal(kv_look(f->kv, KV_TOKENS, f, &why), OP_BROKEN);
        snprintf(line, sizeof line, "the environment tokens is lost: %s was removed or replaced", path);
        assert_string_equal(why, line);
        assert_int_equal(kv_look(f->kv, KV_CLIENTS, f, &why), OP_OK);
        assert_int_equal(rename(aside, path), 0);
        assert_int_equal(kv_look(f->kv, KV_TOKENS, f, &why), OP_OK);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(pages_are_in_use_or_free),
        TEST(a_reader_has_no_writer_s_figures),
        TEST(a_look_tells_when_the_files_are_not_those_that_were_opened),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
