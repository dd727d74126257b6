#pragma once
/* Scripts that run inside one transaction of a temporary environment, for tests of repositories. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "data/records.h"
#include "store_home.h"

/* What a script works with. Works run on a writer's thread, so it notes the failed line instead of asserting. */
struct script {
    void *ctx;
    int failed_line;
    const char *failed;
};

#define CHECK(condition)                                                                                               \
    do {                                                                                                               \
        if (!(condition)) {                                                                                            \
            script->failed_line = __LINE__;                                                                            \
            script->failed = #condition;                                                                               \
            return OP_INVALID;                                                                                         \
        }                                                                                                              \
    } while (0)

/* Runs each script in a transaction of its own, which writes the first of the stores, one after the other, in fresh
 * environments. */
static inline void run_scripts(const struct kv_store *stores, size_t store_count, kv_work *const *works, size_t count)
{
    struct script script = {.ctx = mem_root("script")};
    struct store_home home;
    store_home_make(&home, stores, store_count, 1 << 20);
    struct kv *kv = store_home_open(&home, script.ctx, stores, store_count);
    enum op_err err = OP_OK;
    for (size_t i = 0; i < count && err == OP_OK; i++)
        err = kv_run_wait(kv, stores[0].env, works[i], &script);
    talloc_free(kv);
    store_home_remove(&home);
    if (script.failed_line != 0)
        fail_msg("line %d: %s", script.failed_line, script.failed);
    assert_int_equal(err, OP_OK);
    talloc_free(script.ctx);
}

#define RUN(env, ...)                                                                                                  \
    run_scripts(&(const struct kv_store){(env), true}, 1, (kv_work *const[]){__VA_ARGS__},                             \
                sizeof((kv_work *const[]){__VA_ARGS__}) / sizeof(kv_work *))

static inline ProtobufCBinaryData script_bytes(const void *ctx, const void *data, size_t len)
{
    struct bytes copy = mem_bytes(ctx, bytes_from(data, len));
    return (ProtobufCBinaryData){.len = copy.len, .data = (uint8_t *)copy.data};
}
