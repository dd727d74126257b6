#include <string.h>

#include "base/num.h"
#include "store/kv_table.h"
#include "store/kv_tools.h"

enum { ENVIRONMENT_PREFIX = 239 };

/* --- entries with their expiry --- */

struct entries {
    struct kv_txn *txn;
    const struct kv_table *table;
    struct kv_key after;
    size_t limit, count;
    kv_each_entry *each;
    void *arg;
};

static bool entries_each(struct bytes key, struct bytes value, void *arg)
{
    struct entries *entries = arg;
    struct kv_entry entry;
    if (key.data[0] != entries->table->prefix)
        return false;
    if (bytes_equal(key, kv_key_bytes(&entries->after)) || kv_parse_entry(entries->txn, value, &entry) != OP_OK ||
        !entry.live)
        return true;
    entries->count++;
    return entries->each(bytes_from(key.data + 1, key.len - 1), entry.value, entry.expires_at, entries->arg) &&
           entries->count < entries->limit;
}

enum op_err kv_entries(struct kv_txn *txn, const struct kv_table *table, struct bytes after, size_t limit,
                       kv_each_entry *each, void *arg)
{
    struct entries entries = {.txn = txn, .table = table, .limit = limit, .each = each, .arg = arg};
    if (limit == 0 || after.len > KV_KEY_MAX)
        return OP_OK;
    entries.after = kv_entry_key(table, after);
    return kv_map_walk(txn, table->env, kv_key_bytes(&entries.after), entries_each, &entries);
}

/* --- the expiry index --- */

/* A line to be added or removed. */
struct fix {
    struct kv_key line;
    bool add;
};

struct look {
    struct kv_txn *txn;
    enum kv_env env;
    struct kv_survey *survey;
    struct bytes after; /* has been seen before */
    size_t limit, seen;
    struct fix *fixes; /* room for limit */
    size_t fix_count;
    enum op_err err;
    void *scratch;
};

static void look_at_entry(struct look *look, struct bytes key, struct bytes value)
{
    struct kv_key own = {.len = key.len};
    struct kv_entry entry;
    struct bytes line;
    if (key.len < 2 || key.len > 1 + KV_KEY_MAX || kv_parse_entry(look->txn, value, &entry) != OP_OK) {
        look->survey->damaged++;
        return;
    }
    look->survey->entries[key.data[0]]++;
    if (entry.expires_at == 0)
        return;
    memcpy(own.data, key.data, key.len);
    struct kv_key expected = kv_index_key(&own, entry.expires_at);
    enum op_err err = kv_map_get(look->txn, look->env, kv_key_bytes(&expected), &line);
    if (err == OP_ABSENT) {
        look->survey->unindexed++;
        look->fixes[look->fix_count++] = (struct fix){.line = expected, .add = true};
    } else if (err != OP_OK) {
        look->err = err;
    }
}

static void look_at_line(struct look *look, struct bytes key)
{
    struct bytes stored;
    struct kv_entry entry;
    enum op_err err = OP_ABSENT;
    if (key.len > KV_STORED_MAX) {
        look->survey->damaged++;
        return;
    }
    if (key.len > KV_INDEX_HEAD_LEN + 1)
        err = kv_map_get(look->txn, look->env, bytes_from(key.data + KV_INDEX_HEAD_LEN, key.len - KV_INDEX_HEAD_LEN),
                         &stored);
    if (err == OP_OK && kv_parse_entry(look->txn, stored, &entry) == OP_OK &&
        entry.expires_at == (int64_t)num_get_be64(key.data + 1))
        return;
    if (err != OP_OK && err != OP_ABSENT) {
        look->err = err;
        return;
    }
    struct fix *fix = &look->fixes[look->fix_count++];
    *fix = (struct fix){.line.len = key.len};
    memcpy(fix->line.data, key.data, key.len);
    look->survey->misindexed++;
}

static bool look_each(struct bytes key, struct bytes value, void *arg)
{
    struct look *look = arg;
    if (bytes_equal(key, look->after))
        return true;
    if (look->seen == look->limit)
        return false;
    look->seen++;
    if (key.data[0] == KV_INDEX_PREFIX)
        look_at_line(look, key);
    else if (key.data[0] >= 1 && key.data[0] <= ENVIRONMENT_PREFIX)
        look_at_entry(look, key, value);
    else
        look->survey->damaged++;
    memcpy(look->survey->position, key.data, key.len);
    look->survey->position_len = key.len;
    return look->err == OP_OK;
}

static enum op_err mend(struct look *look)
{
    enum op_err err = OP_OK;
    for (size_t i = 0; i < look->fix_count && err == OP_OK; i++) {
        struct bytes line = kv_key_bytes(&look->fixes[i].line);
        err = look->fixes[i].add ? kv_map_put_empty(look->txn, line) : kv_map_delete(look->txn, line);
    }
    look->survey->repaired += look->fix_count;
    return err;
}

enum op_err kv_survey(struct kv_txn *txn, enum kv_env env, size_t limit, bool repair, struct kv_survey *survey)
{
    static const uint8_t first[] = {0};
    struct look look = {.txn = txn, .env = env, .survey = survey, .limit = limit, .scratch = mem_root("kv_survey")};
    look.fixes = mem_array(look.scratch, struct fix, limit);
    look.after = mem_bytes(look.scratch, bytes_from(survey->position, survey->position_len));
    struct bytes from = look.after.len > 0 ? look.after : bytes_from(first, sizeof first);
    enum op_err err = kv_map_walk(txn, env, from, look_each, &look);
    if (err == OP_OK)
        err = look.err;
    if (err == OP_OK && look.seen < limit)
        survey->position_len = 0;
    if (err == OP_OK && repair)
        err = mend(&look);
    talloc_free(look.scratch);
    return err;
}
