#include "store/outbox.h"

#include "base/num.h"
#include "base/rand.h"
#include "store/repository.h"
#include "store/tables.h"

enum { TIME_LEN = 8, DUE_KEY_LEN = TIME_LEN + OUTBOX_ID_LEN, FORGOTTEN_AT_ONCE = 64 };

/* --- the record and its indexes --- */

static ProtobufCBinaryData binary_of(struct bytes bytes)
{
    return (ProtobufCBinaryData){.len = bytes.len, .data = (uint8_t *)(uintptr_t)bytes.data};
}

static void *from_key(const void *ctx, struct bytes key)
{
    Rec__Message *message = records_new(ctx, &rec__message__descriptor);
    message->has_needs = message->has_message_id = true;
    message->needs = RECORDS_FORMAT + 1;
    message->message_id = binary_of(mem_bytes(message, key));
    return message;
}

static void derive_due(struct bytes key, const void *record, int64_t expires_at, struct repository_lines *lines)
{
    const Rec__Message *message = record;
    uint8_t line[DUE_KEY_LEN];
    if (message->has_died_at || !message->has_due_ms || message->due_ms < 0 || key.len != OUTBOX_ID_LEN)
        return;
    num_put_be64(line, (uint64_t)message->due_ms);
    for (size_t i = 0; i < OUTBOX_ID_LEN; i++)
        line[TIME_LEN + i] = key.data[i];
    repository_add_line(lines, bytes_from(line, sizeof line), bytes_of(NULL), expires_at);
}

static struct bytes due_target(struct bytes key, struct bytes value)
{
    (void)value;
    return key.len == DUE_KEY_LEN ? bytes_from(key.data + TIME_LEN, OUTBOX_ID_LEN) : bytes_of(NULL);
}

static void derive_dead(struct bytes key, const void *record, int64_t expires_at, struct repository_lines *lines)
{
    const Rec__Message *message = record;
    if (message->has_died_at)
        repository_add_line(lines, key, bytes_of(NULL), expires_at);
}

static struct bytes dead_target(struct bytes key, struct bytes value)
{
    (void)value;
    return key;
}

static const struct repository_index INDEXES[] = {
    {&TABLE_DUE_MESSAGES, derive_due, due_target},
    {&TABLE_DEAD_LETTERS, derive_dead, dead_target},
};
const struct repository REPOSITORY_MESSAGES = {
    &TABLE_MESSAGES, &rec__message__descriptor, from_key, REPOSITORY_INDEXES(INDEXES)};

/* --- in, and what is there --- */

enum op_err outbox_insert(struct kv_txn *txn, Rec__Message *message, int64_t now_ms, int64_t due_ms)
{
    uint8_t *id = mem_array(message, uint8_t, OUTBOX_ID_LEN);
    num_put_be64(id, (uint64_t)now_ms);
    rand_bytes(id + TIME_LEN, OUTBOX_ID_LEN - TIME_LEN);
    message->has_message_id = message->has_created_ms = message->has_due_ms = true;
    message->message_id = binary_of(bytes_from(id, OUTBOX_ID_LEN));
    message->created_ms = now_ms;
    message->due_ms = due_ms;
    kv_ring(txn);
    return repository_insert(txn, &REPOSITORY_MESSAGES, bytes_from(id, OUTBOX_ID_LEN), message, 0);
}

enum op_err outbox_get(struct kv_txn *txn, const void *ctx, struct bytes id, Rec__Message **ret)
{
    return repository_get(txn, &REPOSITORY_MESSAGES, id, ctx, ret);
}

enum op_err outbox_list(struct kv_txn *txn, const void *ctx, struct bytes after, size_t limit, Rec__Message ***ret,
                        size_t *ret_count)
{
    return repository_list(txn, &REPOSITORY_MESSAGES, bytes_of(NULL), after, limit, ctx, ret, ret_count);
}

/* --- what is due --- */

struct due {
    const void *ctx;
    int64_t now_ms, next_ms;
    struct bytes *lines;
    size_t count;
};

static bool each_due(struct bytes key, struct bytes value, void *arg)
{
    (void)value;
    struct due *due = arg;
    if (key.len != DUE_KEY_LEN)
        return true;
    int64_t due_ms = (int64_t)num_get_be64(key.data);
    if (due_ms > due->now_ms) {
        due->next_ms = due_ms;
        return false;
    }
    due->lines[due->count++] = mem_bytes(due->ctx, key);
    return true;
}

enum op_err outbox_due(struct kv_txn *txn, const void *ctx, int64_t now_ms, size_t limit, struct outbox_page *page)
{
    struct due due = {.ctx = ctx, .now_ms = now_ms, .lines = mem_array(ctx, struct bytes, limit)};
    enum op_err err = kv_scan(txn, &TABLE_DUE_MESSAGES, bytes_of(NULL), page->place, limit, each_due, &due);
    if (err != OP_OK)
        return err;
    page->messages = mem_array(ctx, Rec__Message *, due.count);
    page->count = 0;
    for (size_t i = 0; i < due.count; i++) {
        struct bytes id = due_target(due.lines[i], bytes_of(NULL));
        err = outbox_get(txn, ctx, id, &page->messages[page->count]);
        if (err == OP_OK)
            page->count++;
        else if (err != OP_DENIED && err != OP_ABSENT && err != OP_BROKEN)
            return err;
    }
    page->place = due.count == limit ? due.lines[limit - 1] : bytes_of(NULL);
    page->next_ms = due.next_ms;
    return OP_OK;
}

/* --- claims --- */

static struct bytes claim_of(const Rec__Message *message)
{
    return bytes_from(message->claim.data, message->has_claim ? message->claim.len : 0);
}

bool outbox_is_claimed(const Rec__Message *message, int64_t now_ms)
{
    return message->has_claim && message->due_ms > now_ms;
}

enum op_err outbox_claim(struct kv_txn *txn, const void *ctx, struct bytes id, struct bytes claim, int64_t now_ms,
                         int64_t until_ms, Rec__Message **ret)
{
    Rec__Message *message;
    enum op_err err = outbox_get(txn, ctx, id, &message);
    if (err == OP_OK && message->has_died_at)
        err = OP_ABSENT;
    if (err == OP_OK && message->due_ms > now_ms)
        err = OP_EXISTS;
    if (err != OP_OK)
        return err;
    message->has_claim = message->has_due_ms = message->has_tries = true;
    message->claim = binary_of(mem_bytes(message, claim));
    message->due_ms = until_ms;
    message->tries++;
    err = repository_put(txn, &REPOSITORY_MESSAGES, id, message, 0);
    if (err == OP_OK)
        *ret = message;
    return err;
}

/* The message while it is claim's. */
static enum op_err get_claimed(struct kv_txn *txn, const void *ctx, struct bytes id, struct bytes claim,
                               Rec__Message **ret)
{
    Rec__Message *message;
    enum op_err err = outbox_get(txn, ctx, id, &message);
    if (err == OP_OK && !bytes_equal(claim_of(message), claim))
        err = OP_MISMATCH;
    if (err == OP_OK)
        *ret = message;
    return err;
}

enum op_err outbox_delivered(struct kv_txn *txn, struct bytes id, struct bytes claim)
{
    void *scratch = mem_root("outbox_delivered");
    Rec__Message *message;
    enum op_err err = get_claimed(txn, scratch, id, claim, &message);
    if (err == OP_OK)
        err = repository_delete(txn, &REPOSITORY_MESSAGES, id);
    talloc_free(scratch);
    return err;
}

static void end_claim(Rec__Message *message)
{
    message->has_claim = false;
}

static void set_failure(Rec__Message *message, const char *failure)
{
    message->failure = failure == NULL ? NULL : mem_strdup(message, failure);
}

enum op_err outbox_postpone(struct kv_txn *txn, struct bytes id, struct bytes claim, int64_t due_ms, const char *failure)
{
    void *scratch = mem_root("outbox_postpone");
    Rec__Message *message;
    enum op_err err = get_claimed(txn, scratch, id, claim, &message);
    if (err == OP_OK) {
        end_claim(message);
        set_failure(message, failure);
        message->due_ms = due_ms;
        err = repository_put(txn, &REPOSITORY_MESSAGES, id, message, 0);
    }
    talloc_free(scratch);
    return err;
}

enum op_err outbox_let_go(struct kv_txn *txn, struct bytes id, struct bytes claim, int64_t now_ms)
{
    void *scratch = mem_root("outbox_let_go");
    Rec__Message *message;
    enum op_err err = get_claimed(txn, scratch, id, claim, &message);
    if (err == OP_OK) {
        end_claim(message);
        message->due_ms = now_ms;
        message->tries -= message->tries > 0 ? 1 : 0;
        kv_ring(txn);
        err = repository_put(txn, &REPOSITORY_MESSAGES, id, message, 0);
    }
    talloc_free(scratch);
    return err;
}

/* --- dead letters --- */

struct dead {
    const void *ctx;
    struct bytes *ids;
    size_t count;
};

static bool each_dead(struct bytes key, struct bytes value, void *arg)
{
    (void)value;
    struct dead *dead = arg;
    dead->ids[dead->count++] = mem_bytes(dead->ctx, key);
    return true;
}

enum op_err outbox_list_dead(struct kv_txn *txn, const void *ctx, struct bytes after, size_t limit, Rec__Message ***ret,
                             size_t *ret_count)
{
    struct dead dead = {.ctx = ctx, .ids = mem_array(ctx, struct bytes, limit)};
    enum op_err err = kv_scan(txn, &TABLE_DEAD_LETTERS, bytes_of(NULL), after, limit, each_dead, &dead);
    if (err != OP_OK)
        return err;
    Rec__Message **messages = mem_array(ctx, Rec__Message *, dead.count);
    for (size_t i = 0; i < dead.count; i++) {
        err = outbox_get(txn, ctx, dead.ids[i], &messages[i]);
        if (err != OP_OK && err != OP_DENIED && err != OP_BROKEN && err != OP_ABSENT)
            return err;
        if (err != OP_OK)
            messages[i] = from_key(ctx, dead.ids[i]);
    }
    *ret = messages;
    *ret_count = dead.count;
    return OP_OK;
}

struct letters {
    void *ctx;
    struct bytes ids[FORGOTTEN_AT_ONCE];
    size_t count;
};

static bool each_letter(struct bytes key, struct bytes value, void *arg)
{
    (void)value;
    struct letters *letters = arg;
    letters->ids[letters->count++] = mem_bytes(letters->ctx, key);
    return true;
}

static bool each_counted(struct bytes key, struct bytes value, void *arg)
{
    (void)key, (void)value;
    ++*(uint64_t *)arg;
    return true;
}

static enum op_err forget_oldest(struct kv_txn *txn, size_t max)
{
    struct letters letters = {.ctx = mem_root("forget_oldest")};
    struct bytes all = bytes_of(NULL);
    uint64_t count = 0;
    enum op_err err = kv_scan(txn, &TABLE_DEAD_LETTERS, all, all, max + FORGOTTEN_AT_ONCE, each_counted, &count);
    if (err == OP_OK && count > max)
        err = kv_scan(txn, &TABLE_DEAD_LETTERS, all, all, count - max, each_letter, &letters);
    for (size_t i = 0; err == OP_OK && i < letters.count; i++)
        err = repository_delete(txn, &REPOSITORY_MESSAGES, letters.ids[i]);
    talloc_free(letters.ctx);
    return err;
}

enum op_err outbox_bury(struct kv_txn *txn, struct bytes id, struct bytes claim, const char *failure,
                        int64_t keep_seconds, size_t max)
{
    void *scratch = mem_root("outbox_bury");
    Rec__Message *message;
    enum op_err err = get_claimed(txn, scratch, id, claim, &message);
    if (err == OP_OK) {
        end_claim(message);
        set_failure(message, failure);
        message->has_died_at = true;
        message->died_at = kv_now(txn);
        message->has_due_ms = false;
        err = repository_put(txn, &REPOSITORY_MESSAGES, id, message, kv_now(txn) + keep_seconds);
    }
    if (err == OP_OK)
        err = forget_oldest(txn, max);
    talloc_free(scratch);
    return err;
}

/* --- by hand --- */

enum op_err outbox_make_due(struct kv_txn *txn, struct bytes id, int64_t now_ms)
{
    void *scratch = mem_root("outbox_make_due");
    Rec__Message *message;
    enum op_err err = outbox_get(txn, scratch, id, &message);
    if (err == OP_OK && outbox_is_claimed(message, now_ms))
        err = OP_EXISTS;
    if (err == OP_OK) {
        message->has_died_at = message->has_tries = message->has_claim = false;
        message->has_due_ms = true;
        message->due_ms = now_ms;
        message->tries = 0;
        kv_ring(txn);
        err = repository_put(txn, &REPOSITORY_MESSAGES, id, message, 0);
    }
    talloc_free(scratch);
    return err;
}

enum op_err outbox_drop(struct kv_txn *txn, struct bytes id)
{
    void *scratch = mem_root("outbox_drop");
    Rec__Message *message;
    enum op_err err = outbox_get(txn, scratch, id, &message);
    if (err == OP_OK || err == OP_BROKEN)
        err = repository_delete(txn, &REPOSITORY_MESSAGES, id);
    talloc_free(scratch);
    return err;
}

/* --- how many --- */

/* The id in the line begins with the time of writing. */
static bool each_waiting(struct bytes key, struct bytes value, void *arg)
{
    (void)value;
    struct outbox_counts *counts = arg;
    int64_t written_ms = key.len == DUE_KEY_LEN ? (int64_t)num_get_be64(key.data + TIME_LEN) : 0;
    if (counts->waiting++ == 0 || written_ms < counts->oldest_ms)
        counts->oldest_ms = written_ms;
    return true;
}

enum op_err outbox_count(struct kv_txn *txn, struct outbox_counts *ret)
{
    struct outbox_counts counts = {0};
    struct bytes all = bytes_of(NULL);
    enum op_err err = kv_scan(txn, &TABLE_DUE_MESSAGES, all, all, OUTBOX_COUNT_MAX, each_waiting, &counts);
    if (err == OP_OK)
        err = kv_scan(txn, &TABLE_DEAD_LETTERS, all, all, OUTBOX_COUNT_MAX, each_counted, &counts.dead);
    if (err == OP_OK)
        *ret = counts;
    return err;
}
