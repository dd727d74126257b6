#pragma once
/* Environments of a test's own, under a directory that is removed again. For cmocka tests. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "store/kv.h"

struct store_home {
    char dir[64];
    struct kv_config config;
};

static inline void store_home_path(const struct store_home *home, enum kv_env env, const char *name, char out[160])
{
    snprintf(out, 160, "%s/%s/%s", home->dir, kv_env_name(env), name);
}

/* Makes the listed environments, with map_size bytes each. */
static inline void store_home_make(struct store_home *home, const struct kv_store *stores, size_t count,
                                   size_t map_size)
{
    snprintf(home->dir, sizeof home->dir, "/tmp/partita-test-XXXXXX");
    assert_non_null(mkdtemp(home->dir));
    home->config = (struct kv_config){.state_dir = home->dir, .runtime_dir = home->dir};
    for (size_t i = 0; i < count; i++) {
        char path[160];
        const char *why = "";
        store_home_path(home, stores[i].env, "", path);
        assert_int_equal(mkdir(path, 0755), 0);
        if (kv_create(NULL, path, stores[i].env, map_size, &why) != OP_OK)
            fail_msg("%s", why);
    }
}

static inline struct kv *store_home_open(const struct store_home *home, const void *ctx, const struct kv_store *stores,
                                         size_t count)
{
    struct kv *kv = NULL;
    const char *why = "";
    if (kv_open(ctx, &home->config, stores, count, &kv, &why) != OP_OK)
        fail_msg("%s", why);
    return kv;
}

static inline void store_home_remove(const struct store_home *home)
{
    static const char *const files[] = {"data.mdb", "lock.mdb", "bell", ""};
    for (int env = 0; env < KV_ENV_COUNT; env++)
        for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
            char path[160];
            store_home_path(home, (enum kv_env)env, files[i], path);
            if (*files[i] != '\0')
                unlink(path);
            else
                rmdir(path);
        }
    rmdir(home->dir);
}
