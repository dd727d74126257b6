#include "store_script.h"

#include "store/consents.h"

static Rec__Consent *make(const void *ctx, const char *user_id, const char *client_id, uint32_t needs)
{
    Rec__Consent *consent = records_new(ctx, &rec__consent__descriptor);
    char *scopes[] = {mem_strdup(ctx, "openid")};
    consent->user_id = mem_strdup(ctx, user_id);
    consent->client_id = mem_strdup(ctx, client_id);
    consent->scopes = records_strings(ctx, scopes, 1);
    consent->n_scopes = 1;
    consent->has_needs = true;
    consent->needs = needs;
    return consent;
}

static enum op_err kept(struct kv_txn *txn, void *arg)
{
    struct script *script = arg;
    Rec__Consent *consent, **list;
    size_t count;
    CHECK(consents_put(txn, make(script->ctx, "alice", "a", 1)) == OP_OK);
    CHECK(consents_put(txn, make(script->ctx, "alice", "b", 1)) == OP_OK);
    CHECK(consents_put(txn, make(script->ctx, "alicent", "a", 1)) == OP_OK);
    CHECK(consents_get(txn, script->ctx, "alice", "b", &consent) == OP_OK && strcmp(consent->client_id, "b") == 0);
    CHECK(consents_get(txn, script->ctx, "alice", "c", &consent) == OP_ABSENT);
    CHECK(consents_list_of_user(txn, script->ctx, "alice", NULL, 10, &list, &count) == OP_OK && count == 2);
    CHECK(consents_delete(txn, "alice", "b") == OP_OK && consents_delete(txn, "alice", "b") == OP_ABSENT);
    return OP_OK;
}

static enum op_err withdrawn(struct kv_txn *txn, void *arg)
{
    struct script *script = arg;
    Rec__Consent *consent;
    CHECK(consents_withdraw(txn, "alice", "a", 1000) == OP_OK);
    CHECK(consents_get(txn, script->ctx, "alice", "a", &consent) == OP_OK);
    CHECK(consent->withdrawn && consent->since == 1000 && consent->n_scopes == 1);
    CHECK(consents_get(txn, script->ctx, "alicent", "a", &consent) == OP_OK && !consent->withdrawn);
    CHECK(consents_withdraw(txn, "alice", "zzz", 1000) == OP_ABSENT);
    return OP_OK;
}

static enum op_err newer(struct kv_txn *txn, void *arg)
{
    struct script *script = arg;
    Rec__Consent *consent, **list;
    size_t count;
    CHECK(consents_put(txn, make(script->ctx, "bob", "new", RECORDS_FORMAT + 1)) == OP_OK);
    CHECK(consents_get(txn, script->ctx, "bob", "new", &consent) == OP_DENIED);
    CHECK(consents_put(txn, make(script->ctx, "bob", "new", 1)) == OP_DENIED);
    CHECK(consents_list_of_user(txn, script->ctx, "bob", NULL, 10, &list, &count) == OP_OK && count == 1);
    CHECK(strcmp(list[0]->user_id, "bob") == 0 && strcmp(list[0]->client_id, "new") == 0);
    CHECK(list[0]->needs > RECORDS_FORMAT && list[0]->n_scopes == 0);
    CHECK(consents_withdraw(txn, "bob", "new", 7) == OP_OK);
    CHECK(consents_get(txn, script->ctx, "bob", "new", &consent) == OP_DENIED); /* needs stayed */
    CHECK(consents_delete(txn, "bob", "new") == OP_OK);
    return OP_OK;
}

static void consents_are_kept_and_withdrawn(void **state)
{
    (void)state;
    RUN(KV_SESSIONS, kept, withdrawn, newer);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(consents_are_kept_and_withdrawn)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
