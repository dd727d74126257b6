#include "store_script.h"

#include "store/clients.h"
#include "store/tables.h"

static Rec__Client *make(const void *ctx, const char *client_id, const char *redirect_uri)
{
    Rec__Client *client = records_new(ctx, &rec__client__descriptor);
    char *uris[] = {mem_strdup(ctx, redirect_uri)};
    client->client_id = mem_strdup(ctx, client_id);
    client->redirect_uris = records_strings(ctx, uris, 1);
    client->n_redirect_uris = 1;
    return client;
}

static enum op_err insert_a_and_b(struct kv_txn *txn, void *arg)
{
    struct script *script = arg;
    Rec__Client *a = make(script->ctx, "a", "https://one.example/cb");
    CHECK(clients_insert(txn, a) == OP_OK && a->version == 1);
    CHECK(clients_insert(txn, make(script->ctx, "b", "https://one.example/other")) == OP_OK);
    CHECK(clients_insert(txn, make(script->ctx, "a", "https://two.example/cb")) == OP_EXISTS);
    CHECK(!clients_know_origin(txn, "https://two.example"));
    return OP_OK;
}

static enum op_err read_back(struct kv_txn *txn, void *arg)
{
    struct script *script = arg;
    Rec__Client *client, **list;
    size_t count;
    CHECK(clients_get(txn, script->ctx, "a", &client) == OP_OK);
    CHECK(client->version == 1 && strcmp(client->redirect_uris[0], "https://one.example/cb") == 0);
    CHECK(clients_get(txn, script->ctx, "c", &client) == OP_ABSENT);
    CHECK(clients_list(txn, script->ctx, NULL, 10, &list, &count) == OP_OK && count == 2);
    CHECK(clients_list(txn, script->ctx, NULL, 1, &list, &count) == OP_OK && count == 1);
    CHECK(strcmp(list[0]->client_id, "a") == 0);
    CHECK(clients_list(txn, script->ctx, "a", 10, &list, &count) == OP_OK && count == 1);
    CHECK(strcmp(list[0]->client_id, "b") == 0);
    return OP_OK;
}

static enum op_err update_by_version(struct kv_txn *txn, void *arg)
{
    struct script *script = arg;
    Rec__Client *client, *stale, *absent = make(script->ctx, "z", "https://z.example/");
    CHECK(clients_get(txn, script->ctx, "a", &client) == OP_OK && clients_get(txn, script->ctx, "a", &stale) == OP_OK);
    client->client_name = mem_strdup(script->ctx, "A");
    CHECK(clients_update(txn, client) == OP_OK && client->version == 2);
    CHECK(clients_update(txn, stale) == OP_MISMATCH && stale->version == 1);
    CHECK(clients_update(txn, absent) == OP_ABSENT);
    CHECK(clients_get(txn, script->ctx, "a", &client) == OP_OK && strcmp(client->client_name, "A") == 0);
    return OP_OK;
}

static void clients_are_kept(void **state)
{
    (void)state;
    RUN(KV_CLIENTS, insert_a_and_b, read_back, update_by_version);
}

static enum op_err origins_follow(struct kv_txn *txn, void *arg)
{
    struct script *script = arg;
    Rec__Client *client;
    CHECK(clients_know_origin(txn, "https://one.example") && !clients_know_origin(txn, "https://one.example:8443"));
    CHECK(clients_get(txn, script->ctx, "a", &client) == OP_OK);
    client->redirect_uris[0] = mem_strdup(script->ctx, "https://moved.example/cb");
    CHECK(clients_update(txn, client) == OP_OK);
    CHECK(clients_know_origin(txn, "https://moved.example"));
    CHECK(clients_know_origin(txn, "https://one.example")); /* b's still */
    CHECK(clients_get(txn, script->ctx, "b", &client) == OP_OK);
    client->has_disabled = client->disabled = true;
    CHECK(clients_update(txn, client) == OP_OK);
    CHECK(!clients_know_origin(txn, "https://one.example"));
    CHECK(clients_insert(txn, make(script->ctx, "c", "https://one.example/third")) == OP_OK);
    CHECK(clients_know_origin(txn, "https://one.example")); /* past the disabled one */
    CHECK(clients_delete(txn, "c") == OP_OK && clients_delete(txn, "c") == OP_ABSENT);
    CHECK(!clients_know_origin(txn, "https://one.example"));
    CHECK(clients_insert(txn, make(script->ctx, "d", "com.example.app:/cb")) == OP_OK);
    return OP_OK;
}

static void the_index_of_origins_follows(void **state)
{
    (void)state;
    RUN(KV_CLIENTS, insert_a_and_b, origins_follow);
}

static enum op_err insert_newer(struct kv_txn *txn, void *arg)
{
    struct script *script = arg;
    Rec__Client *client = make(script->ctx, "new", "https://new.example/cb");
    client->has_needs = true;
    client->needs = RECORDS_FORMAT + 1;
    CHECK(clients_insert(txn, client) == OP_OK);
    CHECK(kv_insert(txn, &TABLE_CLIENTS, bytes_of("torn"), bytes_of("\xff\xff"), 0) == OP_OK);
    return OP_OK;
}

static enum op_err newer_is_denied(struct kv_txn *txn, void *arg)
{
    struct script *script = arg;
    Rec__Client *client, **list;
    size_t count;
    CHECK(clients_get(txn, script->ctx, "new", &client) == OP_DENIED);
    CHECK(clients_get(txn, script->ctx, "torn", &client) == OP_BROKEN);
    client = make(script->ctx, "new", "https://mine.example/");
    client->has_version = true;
    client->version = 1;
    CHECK(clients_update(txn, client) == OP_DENIED);
    CHECK(!clients_know_origin(txn, "https://new.example"));
    CHECK(clients_list(txn, script->ctx, NULL, 10, &list, &count) == OP_OK && count == 2);
    for (size_t i = 0; i < count; i++)
        CHECK(list[i]->needs > RECORDS_FORMAT && list[i]->n_redirect_uris == 0);
    CHECK(strcmp(list[0]->client_id, "new") == 0 && strcmp(list[1]->client_id, "torn") == 0);
    CHECK(clients_delete(txn, "new") == OP_OK && clients_delete(txn, "torn") == OP_OK);
    CHECK(clients_list(txn, script->ctx, NULL, 10, &list, &count) == OP_OK && count == 0);
    return OP_OK;
}

static void what_a_newer_version_wrote_can_only_be_deleted(void **state)
{
    (void)state;
    RUN(KV_CLIENTS, insert_newer, newer_is_denied);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(clients_are_kept),
        cmocka_unit_test(the_index_of_origins_follows),
        cmocka_unit_test(what_a_newer_version_wrote_can_only_be_deleted),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
