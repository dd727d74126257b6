#include "store_script.h"

#include "operator/operate_consents.h"
#include "store/consents.h"

enum { CLIENTS = 5 };

static enum op_err insert(struct kv_txn *txn, void *arg)
{
    static const char *const users[] = {"alice", "bob"};
    struct script *script = arg;
    for (int i = 0; i < CLIENTS * 2; i++) {
        Rec__Consent *consent = records_new(script->ctx, &rec__consent__descriptor);
        consent->user_id = mem_strdup(consent, users[i / CLIENTS]);
        consent->client_id = mem_printf(consent, "client%d", i % CLIENTS);
        consent->has_granted_at = true;
        consent->granted_at = kv_now(txn);
        consent->has_needs = i == 1;
        consent->needs = RECORDS_FORMAT + 1;
        CHECK(consents_put(txn, consent) == OP_OK);
    }
    return OP_OK;
}

/* How many entries going through in parts of `limit` shows; each once, in order. */
static size_t count_all(struct kv_txn *txn, const void *ctx, const struct operate_consents_filter *filter, size_t limit)
{
    struct listing part = {NULL, NULL};
    const char *last = "";
    size_t count = 0, parts = 0;
    do {
        if (operate_consents_list(txn, ctx, filter, part.next, limit, &part) != OP_OK || ++parts > 100)
            return 0;
        for (size_t i = 0; i < json_array_size(part.items); i++, count++) {
            const json_t *item = json_array_get(part.items, i);
            const char *name = mem_printf(ctx, "%s %s", json_string_value(json_object_get(item, "user_id")),
                                          json_string_value(json_object_get(item, "client_id")));
            if (strcmp(name, last) <= 0)
                return 0;
            last = name;
        }
    } while (part.next != NULL);
    return count;
}

static enum op_err list(struct kv_txn *txn, void *arg)
{
    struct script *script = arg;
    struct listing part;
    for (size_t limit = 1; limit <= CLIENTS * 2 + 1; limit++) {
        CHECK(count_all(txn, script->ctx, &(struct operate_consents_filter){NULL, NULL}, limit) == CLIENTS * 2);
        CHECK(count_all(txn, script->ctx, &(struct operate_consents_filter){"alice", NULL}, limit) == CLIENTS);
        CHECK(count_all(txn, script->ctx, &(struct operate_consents_filter){NULL, "client1"}, limit) == 2);
        CHECK(count_all(txn, script->ctx, &(struct operate_consents_filter){"bob", "client1"}, limit) == 1);
    }
    CHECK(count_all(txn, script->ctx, &(struct operate_consents_filter){"carol", NULL}, 10) == 0);
    static const char *const hostile[] = {"", "!", "YQ", "AGE", "YQA", "YWxpY2UAYgBj"};
    for (size_t i = 0; i < sizeof hostile / sizeof *hostile; i++)
        CHECK(operate_consents_list(txn, script->ctx, &(struct operate_consents_filter){NULL, NULL}, hostile[i], 10,
                                    &part) == OP_INVALID);
    return OP_OK;
}

static bool has_state(struct kv_txn *txn, const void *ctx, const char *client_id, const char *state)
{
    json_t *shown;
    return operate_consents_show(txn, ctx, "alice", client_id, &shown) == OP_OK &&
           strcmp(json_string_value(json_object_get(shown, "state")), state) == 0;
}

static enum op_err withdraw(struct kv_txn *txn, void *arg)
{
    struct script *script = arg;
    Rec__Consent *consent;
    json_t *shown;
    int64_t since;
    CHECK(has_state(txn, script->ctx, "client0", "given"));
    CHECK(operate_consents_withdraw(txn, script->ctx, "alice", "client0", &since) == OP_OK && since == kv_now(txn) + 1);
    CHECK(has_state(txn, script->ctx, "client0", "withdrawn"));
    CHECK(consents_get(txn, script->ctx, "alice", "client0", &consent) == OP_OK && consent->since == since);
    CHECK(operate_consents_withdraw(txn, script->ctx, "alice", "client0", &since) == OP_OK && since == kv_now(txn) + 2);
    CHECK(operate_consents_withdraw(txn, script->ctx, "alice", "client1", &since) == OP_OK); /* whatever it needs */
    CHECK(operate_consents_show(txn, script->ctx, "alice", "client1", &shown) == OP_DENIED);
    CHECK(operate_consents_withdraw(txn, script->ctx, "alice", "nobody", &since) == OP_ABSENT);
    CHECK(operate_consents_withdraw(txn, script->ctx, "ali", "client0", &since) == OP_ABSENT);
    return OP_OK;
}

static void consents_are_listed_and_withdrawn(void **state)
{
    (void)state;
    RUN(KV_SESSIONS, insert, list, withdraw);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(consents_are_listed_and_withdrawn)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
