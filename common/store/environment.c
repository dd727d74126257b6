#include "store/environment.h"

static const uint8_t PREFIX = 239; /* in every environment */
static const char KEY[] = "environment";

static struct kv_table table_of(enum kv_env env)
{
    return (struct kv_table){.env = env, .prefix = PREFIX, .name = KEY};
}

enum op_err environment_get(struct kv_txn *txn, enum kv_env env, const void *ctx, Rec__Environment **ret)
{
    struct kv_table table = table_of(env);
    struct bytes stored;
    enum op_err err = kv_get(txn, &table, bytes_of(KEY), ctx, &stored);
    return err != OP_OK ? err : records_unpack(ctx, &rec__environment__descriptor, stored, ret);
}

enum op_err environment_get_any(struct kv_txn *txn, enum kv_env env, const void *ctx, Rec__Environment **ret)
{
    struct kv_table table = table_of(env);
    struct bytes stored;
    enum op_err err = kv_get(txn, &table, bytes_of(KEY), ctx, &stored);
    return err != OP_OK ? err : records_unpack_any(ctx, &rec__environment__descriptor, stored, ret);
}

enum op_err environment_insert(struct kv_txn *txn, enum kv_env env, const Rec__Environment *record)
{
    struct kv_table table = table_of(env);
    void *scratch = mem_root("environment_insert");
    enum op_err err = kv_insert(txn, &table, bytes_of(KEY), records_pack(scratch, record), 0);
    talloc_free(scratch);
    return err;
}

enum op_err environment_update(struct kv_txn *txn, enum kv_env env, const Rec__Environment *record)
{
    struct kv_table table = table_of(env);
    void *scratch = mem_root("environment_update");
    enum op_err err = kv_put(txn, &table, bytes_of(KEY), records_pack(scratch, record), 0);
    talloc_free(scratch);
    return err;
}
