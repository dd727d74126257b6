#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "base/clock.h"
#include "runtime/password_pool.h"

static const struct password_cost CHEAP = {.memory_kib = 64, .iterations = 1, .lanes = 1};
static const struct password_cost DEARER = {.memory_kib = 128, .iterations = 1, .lanes = 1};

struct answer {
    struct event_base *base;
    int count, stop_at;
    enum op_err result;
    char new_phc[256];
};

static void note(enum op_err result, const char *new_phc, void *arg)
{
    struct answer *answer = arg;
    answer->result = result;
    answer->new_phc[0] = '\0';
    if (new_phc != NULL)
        strncat(answer->new_phc, new_phc, sizeof answer->new_phc - 1);
    if (++answer->count == answer->stop_at)
        event_base_loopbreak(answer->base);
}

struct fixture {
    void *ctx;
    struct event_base *base;
    char *phc; /* of "correct", at CHEAP */
};

static int setup(void **state)
{
    struct fixture *f = mem_new(NULL, struct fixture);
    f->ctx = f;
    f->base = event_base_new();
    assert_int_equal(password_hash(f, "correct", CHEAP, &f->phc), OP_OK);
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    event_base_free(f->base);
    talloc_free(f);
    return 0;
}

/* Runs one job and waits, a minute at most. */
static struct answer run(struct fixture *f, struct password_pool *pool, const struct password_job *job)
{
    struct answer answer = {.base = f->base, .stop_at = 1};
    assert_int_equal(password_pool_run(pool, job, note, &answer), OP_OK);
    assert_int_equal(answer.count, 0); /* never at once */
    struct timeval limit = {.tv_sec = 60};
    event_base_loopexit(f->base, &limit);
    event_base_dispatch(f->base);
    assert_int_equal(answer.count, 1);
    return answer;
}

static void passwords_are_judged(void **state)
{
    struct fixture *f = *state;
    struct password_pool *pool = password_pool_new(f->ctx, f->base, 2, 4, CHEAP);
    struct answer answer = run(f, pool, &(struct password_job){.password = "correct", .phc = f->phc});
    assert_int_equal(answer.result, OP_OK);
    assert_string_equal(answer.new_phc, "");
    answer = run(f, pool, &(struct password_job){.password = "wrong", .phc = f->phc});
    assert_int_equal(answer.result, OP_MISMATCH);
    answer = run(f, pool, &(struct password_job){.password = "correct", .phc = NULL});
    assert_int_equal(answer.result, OP_MISMATCH);
    answer = run(f, pool, &(struct password_job){.password = "correct", .phc = "$1$rubbish"});
    assert_int_equal(answer.result, OP_INVALID);
    talloc_free(pool);
}

static void a_new_password_is_hashed_only_after_the_old_one(void **state)
{
    struct fixture *f = *state;
    struct password_pool *pool = password_pool_new(f->ctx, f->base, 1, 4, CHEAP);
    struct answer answer = run(f, pool, &(struct password_job){.password = "correct", .phc = f->phc,
                                                               .new_password = "new"});
    assert_int_equal(answer.result, OP_OK);
    assert_int_equal(password_verify("new", answer.new_phc, CHEAP), OP_OK);
    answer = run(f, pool, &(struct password_job){.password = "wrong", .phc = f->phc, .new_password = "new"});
    assert_int_equal(answer.result, OP_MISMATCH);
    assert_string_equal(answer.new_phc, "");
    talloc_free(pool);
}

static void a_stale_hash_is_made_anew(void **state)
{
    struct fixture *f = *state;
    struct password_pool *pool = password_pool_new(f->ctx, f->base, 1, 4, DEARER);
    struct answer answer = run(f, pool, &(struct password_job){.password = "correct", .phc = f->phc});
    assert_int_equal(answer.result, OP_OK);
    assert_false(password_is_stale(answer.new_phc, DEARER));
    assert_int_equal(password_verify("correct", answer.new_phc, DEARER), OP_OK);
    talloc_free(pool);
}

/* of "correct horse battery", in milliseconds */
#define BCRYPT "$2b$04$WAoPk5JQoueuSiHOUXfHXu8JS/QQ6dEscC2qN.V.LaKt0Q5dydv/e"
/* of nothing that is tried here, in a tenth of a second or so */
#define DEAR "$2b$11$WAoPk5JQoueuSiHOUXfHXu8JS/QQ6dEscC2qN.V.LaKt0Q5dydv/e"

static void an_imported_hash_is_made_anew(void **state)
{
    struct fixture *f = *state;
    struct password_pool *pool = password_pool_new(f->ctx, f->base, 1, 4, CHEAP);
    struct answer answer = run(f, pool, &(struct password_job){.password = "correct horse battery", .phc = BCRYPT});
    assert_int_equal(answer.result, OP_OK);
    assert_false(password_is_stale(answer.new_phc, CHEAP));
    assert_int_equal(password_verify("correct horse battery", answer.new_phc, CHEAP), OP_OK);
    answer = run(f, pool, &(struct password_job){.password = "wrong", .phc = BCRYPT});
    assert_int_equal(answer.result, OP_MISMATCH);
    assert_string_equal(answer.new_phc, "");
    talloc_free(pool);
}

static void what_bcrypt_cannot_tell_is_not_hashed(void **state)
{
    struct fixture *f = *state;
    struct password_pool *pool = password_pool_new(f->ctx, f->base, 1, 4, CHEAP);
    struct answer answer = run(f, pool, &(struct password_job){
        .password = "01234567890123456789012345678901234567890123456789012345678901234567890123456789",
        .phc = "$2b$04$v.BPVyWiRu2EMPzabzTy4.BZlMkmN7YqzPQJySZ9cxHNDMVP3Ph1S",
    });
    assert_int_equal(answer.result, OP_OK);
    assert_string_equal(answer.new_phc, "");
    talloc_free(pool);
}

static int64_t least_us(struct fixture *f, struct password_pool *pool, const struct password_job *job)
{
    int64_t least = INT64_MAX;
    for (int i = 0; i < 3; i++) {
        int64_t before = clock_monotonic_us();
        run(f, pool, job);
        int64_t took = clock_monotonic_us() - before;
        least = took < least ? took : least;
    }
    return least;
}

/* On a processor of its own: the least of three. */
static int64_t cost_of_dear_us(void)
{
    int64_t least = INT64_MAX;
    for (int i = 0; i < 3; i++) {
        clock_t before = clock();
        assert_int_equal(password_verify("wrong", DEAR, CHEAP), OP_MISMATCH);
        int64_t took = (int64_t)(clock() - before) * 1000000 / CLOCKS_PER_SEC;
        least = took < least ? took : least;
    }
    return least;
}

/* One thread takes them in order: whether a refusal came before the answer to a right password after it. */
static bool is_refused_first(struct fixture *f, struct password_pool *pool)
{
    struct answer refusal = {.base = f->base}, right = {.base = f->base, .stop_at = 1};
    assert_int_equal(password_pool_run(pool, &(struct password_job){.password = "wrong"}, note, &refusal), OP_OK);
    assert_int_equal(password_pool_run(pool, &(struct password_job){.password = "correct", .phc = f->phc}, note, &right),
                     OP_OK);
    event_base_dispatch(f->base);
    assert_int_equal(right.result, OP_OK);
    return refusal.count == 1;
}

static void a_refusal_takes_as_long_as_of_an_imported_hash(void **state)
{
    struct fixture *f = *state;
    struct password_pool *pool = password_pool_new(f->ctx, f->base, 1, 4, CHEAP);
    struct password_job nobody = {.password = "wrong"}, ours = {.password = "wrong", .phc = f->phc};
    struct password_job imported = {.password = "wrong", .phc = DEAR};
    assert_true(is_refused_first(f, pool));
    int64_t cost = cost_of_dear_us();
    run(f, pool, &imported);
    assert_true(least_us(f, pool, &nobody) * 4 > cost * 3);
    assert_true(least_us(f, pool, &ours) * 4 > cost * 3);
    talloc_free(pool);
}

static void stopping_drops_what_is_put_off(void **state)
{
    struct fixture *f = *state;
    struct password_pool *pool = password_pool_new(f->ctx, f->base, 1, 4, CHEAP);
    struct answer late = {.base = f->base}, right = {.base = f->base, .stop_at = 1};
    run(f, pool, &(struct password_job){.password = "wrong", .phc = DEAR});
    for (int i = 0; i < 20; i++) { /* a busy machine may answer the right password only after the refusal */
        late.count = right.count = 0;
        assert_int_equal(password_pool_run(pool, &(struct password_job){.password = "wrong"}, note, &late), OP_OK);
        assert_int_equal(password_pool_run(pool, &(struct password_job){.password = "correct", .phc = f->phc}, note,
                                           &right), OP_OK);
        event_base_dispatch(f->base);
        if (late.count == 0)
            break;
    }
    assert_int_equal(late.count, 0);
    talloc_free(pool);
    assert_int_equal(late.count, 0);
}

static void a_full_queue_refuses(void **state)
{
    struct fixture *f = *state;
    struct password_pool *pool = password_pool_new(f->ctx, f->base, 1, 2, CHEAP);
    struct answer answer = {.base = f->base, .stop_at = 3};
    struct password_job job = {.password = "correct", .phc = f->phc};
    assert_int_equal(password_pool_limit(pool), 3);
    for (int i = 0; i < 3; i++) { /* one in work, two waiting; they count until they are delivered */
        assert_int_equal(password_pool_length(pool), i);
        assert_false(password_pool_full(pool));
        assert_int_equal(password_pool_run(pool, &job, note, &answer), OP_OK);
    }
    assert_true(password_pool_full(pool));
    assert_int_equal(password_pool_run(pool, &job, note, &answer), OP_BUSY);
    struct timeval limit = {.tv_sec = 5};
    event_base_loopexit(f->base, &limit);
    event_base_dispatch(f->base);
    assert_int_equal(answer.count, 3); /* the refused one is never delivered */
    assert_int_equal(password_pool_length(pool), 0);
    assert_false(password_pool_full(pool));
    assert_int_equal(run(f, pool, &job).result, OP_OK);
    talloc_free(pool);
}

static void stopping_drops_what_waits(void **state)
{
    struct fixture *f = *state;
    struct password_pool *pool = password_pool_new(f->ctx, f->base, 2, 50, CHEAP);
    struct answer answer = {.base = f->base};
    struct password_job job = {.password = "correct", .phc = f->phc, .new_password = "other"};
    for (int i = 0; i < 50; i++)
        assert_int_equal(password_pool_run(pool, &job, note, &answer), OP_OK);
    talloc_free(pool);
    assert_int_equal(answer.count, 0);
}

static void a_password_may_just_be_hashed(void **state)
{
    struct fixture *f = *state;
    struct password_pool *pool = password_pool_new(f->ctx, f->base, 1, 4, CHEAP);
    struct answer answer = run(f, pool, &(struct password_job){.new_password = "quite new"});
    assert_int_equal(answer.result, OP_OK);
    assert_int_equal(password_verify("quite new", answer.new_phc, CHEAP), OP_OK);
    assert_int_equal(password_verify("correct", answer.new_phc, CHEAP), OP_MISMATCH);
    talloc_free(pool);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(passwords_are_judged, setup, teardown),
        cmocka_unit_test_setup_teardown(a_new_password_is_hashed_only_after_the_old_one, setup, teardown),
        cmocka_unit_test_setup_teardown(a_password_may_just_be_hashed, setup, teardown),
        cmocka_unit_test_setup_teardown(a_stale_hash_is_made_anew, setup, teardown),
        cmocka_unit_test_setup_teardown(an_imported_hash_is_made_anew, setup, teardown),
        cmocka_unit_test_setup_teardown(what_bcrypt_cannot_tell_is_not_hashed, setup, teardown),
        cmocka_unit_test_setup_teardown(a_refusal_takes_as_long_as_of_an_imported_hash, setup, teardown),
        cmocka_unit_test_setup_teardown(stopping_drops_what_is_put_off, setup, teardown),
        cmocka_unit_test_setup_teardown(a_full_queue_refuses, setup, teardown),
        cmocka_unit_test_setup_teardown(stopping_drops_what_waits, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
