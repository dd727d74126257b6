/* What the family rule is told: absent pieces are NULL, pieces of a newer version are never taken for absent. */
#include "store_script.h"

#include "runtime/alive.h"
#include "store/clients.h"
#include "store/consents.h"
#include "store/sessions.h"
#include "store/users.h"

static Rec__Grant *grant_of(const void *ctx, const char *client_id, const char *user_id, const char *sid)
{
    Rec__Grant *grant = records_new(ctx, &rec__grant__descriptor);
    grant->client_id = client_id == NULL ? NULL : mem_strdup(ctx, client_id);
    grant->user_id = user_id == NULL ? NULL : mem_strdup(ctx, user_id);
    grant->sid = sid == NULL ? NULL : mem_strdup(ctx, sid);
    return grant;
}

static enum op_err insert_client(struct kv_txn *txn, void *arg)
{
    struct script *script = arg;
    Rec__Client *client = records_new(script->ctx, &rec__client__descriptor);
    client->client_id = mem_strdup(script->ctx, "c1");
    CHECK(clients_insert(txn, client) == OP_OK);
    return OP_OK;
}

static enum op_err insert_user(struct kv_txn *txn, void *arg)
{
    struct script *script = arg;
    Rec__User *user = records_new(script->ctx, &rec__user__descriptor);
    user->user_id = mem_strdup(script->ctx, "u1");
    user->username = mem_strdup(script->ctx, "ann");
    CHECK(users_insert(txn, user) == OP_OK);
    return OP_OK;
}

static enum op_err insert_session(struct kv_txn *txn, void *arg)
{
    struct script *script = arg;
    Rec__Session *session = records_new(script->ctx, &rec__session__descriptor);
    Rec__Consent *consent = records_new(script->ctx, &rec__consent__descriptor);
    session->sid = mem_strdup(script->ctx, "s1");
    session->user_id = consent->user_id = mem_strdup(script->ctx, "u1");
    session->has_cookie_hash = session->has_idle_expires_at = session->has_expires_at = true;
    session->cookie_hash = (ProtobufCBinaryData){32, mem_array(script->ctx, uint8_t, 32)};
    session->idle_expires_at = session->expires_at = kv_now(txn) + 60;
    consent->client_id = mem_strdup(script->ctx, "c1");
    CHECK(sessions_insert(txn, session) == OP_OK);
    CHECK(consents_put(txn, consent) == OP_OK);
    consent->client_id = mem_strdup(script->ctx, "c-newer");
    consent->has_needs = true;
    consent->needs = RECORDS_FORMAT + 1;
    CHECK(consents_put(txn, consent) == OP_OK);
    return OP_OK;
}

static enum op_err load_all(struct kv_txn *txn, void *arg)
{
    struct script *script = arg;
    Rec__Family family = REC__FAMILY__INIT;
    Rec__Grant *grant = grant_of(script->ctx, "c1", "u1", "s1");
    struct family_facts facts;
    CHECK(alive_load(txn, script->ctx, grant, &family, true, &facts) == OP_OK);
    CHECK(facts.client != NULL && facts.user != NULL && facts.session != NULL && facts.consent != NULL);
    CHECK(facts.grant == grant && facts.family == &family && facts.offline && facts.now == kv_now(txn));
    return OP_OK;
}

static enum op_err load_nothing(struct kv_txn *txn, void *arg)
{
    struct script *script = arg;
    struct family_facts facts;
    CHECK(alive_load(txn, script->ctx, grant_of(script->ctx, "c2", "u2", "s2"), NULL, false, &facts) == OP_OK);
    CHECK(facts.client == NULL && facts.user == NULL && facts.session == NULL && facts.consent == NULL);
    CHECK(alive_load(txn, script->ctx, grant_of(script->ctx, NULL, NULL, NULL), NULL, false, &facts) == OP_OK);
    CHECK(facts.client == NULL && facts.user == NULL && facts.session == NULL && facts.consent == NULL);
    CHECK(!facts.offline && facts.family == NULL);
    return OP_OK;
}

static enum op_err load_newer(struct kv_txn *txn, void *arg)
{
    struct script *script = arg;
    struct family_facts facts = {.now = -1};
    CHECK(alive_load(txn, script->ctx, grant_of(script->ctx, "c-newer", "u1", "s1"), NULL, false, &facts) == OP_DENIED);
    CHECK(facts.now == -1);
    return OP_OK;
}

static void what_the_family_rule_is_told(void **state)
{
    (void)state;
    static const struct kv_store stores[] = {{KV_CLIENTS, true}, {KV_USERS, true}, {KV_SESSIONS, true}};
    static const struct {
        enum kv_env env;
        kv_work *work;
    } steps[] = {
        {KV_READ_ONLY, load_nothing}, {KV_CLIENTS, insert_client}, {KV_USERS, insert_user},
        {KV_SESSIONS, insert_session}, {KV_READ_ONLY, load_all},   {KV_READ_ONLY, load_newer},
    };
    struct script script = {.ctx = mem_root("script")};
    struct store_home home;
    store_home_make(&home, stores, 3, 1 << 20);
    struct kv *kv = store_home_open(&home, script.ctx, stores, 3);
    enum op_err err = OP_OK;
    for (size_t i = 0; i < sizeof steps / sizeof *steps && err == OP_OK; i++)
        err = kv_run_wait(kv, steps[i].env, steps[i].work, &script);
    talloc_free(kv);
    store_home_remove(&home);
    if (script.failed_line != 0)
        fail_msg("line %d: %s", script.failed_line, script.failed);
    assert_int_equal(err, OP_OK);
    talloc_free(script.ctx);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(what_the_family_rule_is_told)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
