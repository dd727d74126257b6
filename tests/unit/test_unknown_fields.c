/* What a newer version wrote survives whatever a repository does to a record that stays: each kind of record, with a
 * field that nobody knows in it and in every message within it, goes through each function that changes one. */
#include "store_script.h"

#include "base/clock.h"
#include "data/digest.h"
#include "rows.h"
#include "store/catalogue.h"
#include "store/clients.h"
#include "store/codes.h"
#include "store/consents.h"
#include "store/credentials.h"
#include "store/device_requests.h"
#include "store/families.h"
#include "store/initial_access_tokens.h"
#include "store/keyring.h"
#include "store/outbox.h"
#include "store/remote.h"
#include "store/sessions.h"
#include "store/users.h"
#include "store/wishes.h"
#include "unknown_fields.h"

enum { LIFETIME = 1000 };
static const char ID[] = "0123456789abcdef"; /* of families and messages */

/* --- a record with every field set --- */

static void fill(const void *ctx, ProtobufCMessage *message);

static void fill_one(const void *ctx, const ProtobufCFieldDescriptor *field, void *at)
{
    if (field->type == PROTOBUF_C_TYPE_MESSAGE) {
        ProtobufCMessage *nested = records_new(ctx, field->descriptor);
        fill(ctx, nested);
        memcpy(at, &nested, sizeof nested);
    } else if (field->type == PROTOBUF_C_TYPE_STRING) {
        char *text = mem_strdup(ctx, "x");
        memcpy(at, &text, sizeof text);
    } else if (field->type == PROTOBUF_C_TYPE_BYTES) {
        ProtobufCBinaryData data = script_bytes(ctx, ID, sizeof ID - 1);
        memcpy(at, &data, sizeof data);
    } else if (field->type == PROTOBUF_C_TYPE_BOOL) {
        protobuf_c_boolean yes = true;
        memcpy(at, &yes, sizeof yes);
    } else {
        uint64_t one = 1;
        memcpy(at, &one, field->type == PROTOBUF_C_TYPE_UINT32 ? sizeof(uint32_t) : sizeof one);
    }
}

static void fill(const void *ctx, ProtobufCMessage *message)
{
    char *base = (char *)message;
    for (unsigned i = 0; i < message->descriptor->n_fields; i++) {
        const ProtobufCFieldDescriptor *field = &message->descriptor->fields[i];
        const size_t one = 1;
        const protobuf_c_boolean has = true;
        if (strcmp(field->name, "needs") == 0)
            continue;
        if (field->label == PROTOBUF_C_LABEL_REPEATED) {
            uint8_t *list = mem_array(ctx, uint8_t, 64);
            fill_one(ctx, field, list);
            memcpy(base + field->offset, &list, sizeof list);
            memcpy(base + field->quantifier_offset, &one, sizeof one);
            continue;
        }
        fill_one(ctx, field, base + field->offset);
        if (field->quantifier_offset != 0)
            memcpy(base + field->quantifier_offset, &has, sizeof has);
    }
}

/* --- what is done to each kind --- */

typedef enum op_err change(struct kv_txn *txn, struct script *script);

static enum op_err update_client(struct kv_txn *txn, struct script *script)
{
    Rec__Client *client;
    CHECK(clients_get(txn, script->ctx, "x", &client) == OP_OK);
    client->client_name = mem_strdup(script->ctx, "y");
    return clients_update(txn, client);
}

static enum op_err update_user(struct kv_txn *txn, struct script *script)
{
    Rec__User *user;
    CHECK(users_get(txn, script->ctx, "x", &user) == OP_OK);
    user->claims[0]->json = mem_strdup(script->ctx, "2");
    return users_update(txn, user);
}

static enum op_err set_password(struct kv_txn *txn, struct script *script)
{
    Rec__Password *password;
    CHECK(credentials_get_password(txn, script->ctx, "x", &password) == OP_OK);
    password->phc = mem_strdup(script->ctx, "y");
    return credentials_put_password(txn, password);
}

static void prepare_session(const void *ctx, void *record)
{
    (void)ctx;
    Rec__Session *session = record;
    session->idle_expires_at = session->expires_at = clock_now() + LIFETIME;
}

static enum op_err update_session(struct kv_txn *txn, struct script *script)
{
    Rec__Session *session;
    CHECK(sessions_get(txn, script->ctx, "x", &session) == OP_OK);
    session->last_used = 2;
    return sessions_update(txn, session);
}

static enum op_err put_consent(struct kv_txn *txn, struct script *script)
{
    Rec__Consent *consent;
    CHECK(consents_get(txn, script->ctx, "x", "x", &consent) == OP_OK);
    consent->granted_at = 2;
    return consents_put(txn, consent);
}

static enum op_err withdraw_consent(struct kv_txn *txn, struct script *script)
{
    (void)script;
    return consents_withdraw(txn, "x", "x", 2);
}

static void prepare_family(const void *ctx, void *record)
{
    (void)ctx;
    Rec__Family *family = record;
    family->dead = false;
    family->idle_expires_at = family->expires_at = clock_now() + LIFETIME;
}

static enum op_err update_family(struct kv_txn *txn, struct script *script)
{
    Rec__Family *family;
    CHECK(families_get(txn, script->ctx, bytes_of(ID), &family) == OP_OK);
    family->generations[0]->rotated_at = 2;
    return families_update(txn, family);
}

static enum op_err kill_family(struct kv_txn *txn, struct script *script)
{
    (void)script;
    return families_kill(txn, bytes_of(ID), "revoked");
}

static enum op_err put_signing_key(struct kv_txn *txn, struct script *script)
{
    Rec__SigningKey *key;
    CHECK(signing_keys_get(txn, script->ctx, "x", &key) == OP_OK);
    key->state = mem_strdup(script->ctx, "retired");
    return signing_keys_put(txn, key);
}

static enum op_err put_wish(struct kv_txn *txn, struct script *script)
{
    Rec__RotationWish *wish;
    CHECK(rotation_wish_get(txn, script->ctx, &wish) == OP_OK);
    wish->wished_at = 2;
    return rotation_wish_put(txn, wish);
}

static void prepare_access_token(const void *ctx, void *record)
{
    (void)ctx;
    Rec__InitialAccessToken *token = record;
    token->uses_left = 5;
    token->expires_at = clock_now() + LIFETIME;
}

static enum op_err use_access_token(struct kv_txn *txn, struct script *script)
{
    (void)script;
    return initial_access_tokens_use(txn, "x");
}

static enum op_err update_document(struct kv_txn *txn, struct script *script)
{
    Rec__Document *document;
    CHECK(remote_get(txn, script->ctx, "x", &document) == OP_OK);
    document->expires_at = clock_now() + LIFETIME;
    return remote_put(txn, document);
}

static enum op_err leave_and_claim_wish(struct kv_txn *txn, struct script *script)
{
    struct bytes claim = bytes_of("claim");
    CHECK(wishes_leave(txn, "x", 5000, NULL) == OP_OK);
    CHECK(wishes_claim(txn, "x", claim, 3000, 9000) == OP_OK);
    return wishes_end(txn, "x", claim, 4000); /* it asks for later, so it stays */
}

static void prepare_device(const void *ctx, void *record)
{
    (void)ctx;
    ((Rec__DeviceRequest *)record)->expires_at = clock_now() + LIFETIME;
}

static enum op_err update_device(struct kv_txn *txn, struct script *script)
{
    Rec__DeviceRequest *request;
    CHECK(device_requests_get(txn, script->ctx, "x", &request) == OP_OK);
    request->polled_at = 2;
    return device_requests_update(txn, "x", request);
}

static void prepare_pending(const void *ctx, void *record)
{
    Rec__DeviceRequest *request = record;
    prepare_device(ctx, record);
    request->denied = false;
    request->grant = NULL;
}

static enum op_err decide_device(struct kv_txn *txn, struct script *script)
{
    Rec__DeviceRequest *request;
    CHECK(device_requests_find(txn, script->ctx, "x", &request) == OP_OK);
    request->denied = true;
    return device_requests_decide(txn, request);
}

static void prepare_message(const void *ctx, void *record)
{
    (void)ctx;
    Rec__Message *message = record;
    message->has_died_at = false;
    message->has_claim = false;
    message->due_ms = 10;
}

static enum op_err claim_message(struct kv_txn *txn, struct script *script)
{
    Rec__Message *message;
    return outbox_claim(txn, script->ctx, bytes_of(ID), bytes_of("claim"), 1000, 2000, &message);
}

static enum op_err postpone_message(struct kv_txn *txn, struct script *script)
{
    CHECK(claim_message(txn, script) == OP_OK);
    return outbox_postpone(txn, bytes_of(ID), bytes_of("claim"), 5000, "later");
}

static enum op_err let_message_go(struct kv_txn *txn, struct script *script)
{
    CHECK(claim_message(txn, script) == OP_OK);
    return outbox_let_go(txn, bytes_of(ID), bytes_of("claim"), 1500);
}

static enum op_err bury_and_dig_up_message(struct kv_txn *txn, struct script *script)
{
    CHECK(claim_message(txn, script) == OP_OK);
    CHECK(outbox_bury(txn, bytes_of(ID), bytes_of("claim"), "refused", LIFETIME, 10) == OP_OK);
    return outbox_make_due(txn, bytes_of(ID), 3000);
}

/* Whoever takes a record hands its messages on: what is granted goes into the family as it is. */
static enum op_err take_code(struct kv_txn *txn, struct script *script)
{
    Rec__Code *code;
    struct unknown_count count = {0};
    CHECK(codes_take(txn, script->ctx, "x", bytes_of(ID), clock_now() + LIFETIME, &code) == OP_OK);
    unknown_count(&code->base, &count);
    CHECK(count.messages == 2 && count.planted == 2);
    return OP_ABSENT;
}

static enum op_err take_device(struct kv_txn *txn, struct script *script)
{
    Rec__DeviceRequest *request;
    struct unknown_count count = {0};
    CHECK(device_requests_take(txn, script->ctx, "x", &request) == OP_OK);
    unknown_count(&request->base, &count);
    CHECK(count.messages == 2 && count.planted == 2);
    return OP_ABSENT;
}

enum key { BY_X, BY_HASH, BY_ID, BY_PAIR, BY_WISH };

static const struct row {
    const char *name;
    const struct repository *repository;
    enum key key;
    size_t messages; /* that lie in it, itself included */
    void (*prepare)(const void *ctx, void *record);
    change *change; /* OP_ABSENT: it is gone, and the change has looked at it; NULL: nothing ever changes one */
} ROWS[] = {
    {"a client", &REPOSITORY_CLIENTS, BY_X, 1, NULL, update_client},
    {"a user", &REPOSITORY_USERS, BY_X, 2, NULL, update_user},
    {"a password", &REPOSITORY_PASSWORDS, BY_X, 1, NULL, set_password},
    {"a session", &REPOSITORY_SESSIONS, BY_X, 1, prepare_session, update_session},
    {"a consent", &REPOSITORY_CONSENTS, BY_PAIR, 1, NULL, put_consent},
    {"a consent that is withdrawn", &REPOSITORY_CONSENTS, BY_PAIR, 1, NULL, withdraw_consent},
    {"a family", &REPOSITORY_FAMILIES, BY_ID, 3, prepare_family, update_family},
    {"a family that is killed", &REPOSITORY_FAMILIES, BY_ID, 3, prepare_family, kill_family},
    {"a signing key", &REPOSITORY_SIGNING_KEYS, BY_X, 1, NULL, put_signing_key},
    {"a wish to rotate", &REPOSITORY_ROTATION_WISH, BY_WISH, 1, NULL, put_wish},
    {"an initial access token", &REPOSITORY_INITIAL_ACCESS_TOKENS, BY_HASH, 1, prepare_access_token, use_access_token},
    {"a document", &REPOSITORY_DOCUMENTS, BY_HASH, 1, NULL, update_document},
    {"a wish for one", &REPOSITORY_WISHES, BY_HASH, 1, NULL, leave_and_claim_wish},
    {"a device's request", &REPOSITORY_DEVICE_REQUESTS, BY_HASH, 2, prepare_device, update_device},
    {"one that is decided", &REPOSITORY_DEVICE_REQUESTS, BY_HASH, 1, prepare_pending, decide_device},
    {"one that is redeemed", &REPOSITORY_DEVICE_REQUESTS, BY_HASH, 2, prepare_device, take_device},
    {"a message that is claimed", &REPOSITORY_MESSAGES, BY_ID, 2, prepare_message, claim_message},
    {"one that is postponed", &REPOSITORY_MESSAGES, BY_ID, 2, prepare_message, postpone_message},
    {"one that is let go", &REPOSITORY_MESSAGES, BY_ID, 2, prepare_message, let_message_go},
    {"a dead letter", &REPOSITORY_MESSAGES, BY_ID, 2, prepare_message, bury_and_dig_up_message},
    {"a code", &REPOSITORY_CODES, BY_HASH, 2, NULL, take_code},
    {"a spent code", &REPOSITORY_SPENT_CODES, BY_HASH, 1, NULL, NULL},
    {"a pushed request", &REPOSITORY_PUSHED_REQUESTS, BY_HASH, 1, NULL, NULL},
    {"a private key", &REPOSITORY_PRIVATE_KEYS, BY_X, 1, NULL, NULL},
};
static const struct row *row; /* the one that is tried */

static struct bytes key_of(struct script *script)
{
    switch (row->key) {
    case BY_HASH:
        return digest_sha256_of(script->ctx, "x");
    case BY_ID:
        return bytes_of(ID);
    case BY_PAIR:
        return bytes_from("x\0x", 3);
    case BY_WISH:
        return bytes_of("wish");
    default:
        return bytes_of("x");
    }
}

static enum op_err plant(struct kv_txn *txn, void *arg)
{
    struct script *script = arg;
    ProtobufCMessage *record = records_new(script->ctx, row->repository->type);
    fill(script->ctx, record);
    if (row->prepare != NULL)
        row->prepare(script->ctx, record);
    unknown_plant(script->ctx, record);
    return repository_put(txn, row->repository, key_of(script), record, clock_now() + LIFETIME);
}

static enum op_err change_it(struct kv_txn *txn, void *arg)
{
    struct script *script = arg;
    ProtobufCMessage *before, *after;
    struct unknown_count count = {0};
    CHECK(repository_get(txn, row->repository, key_of(script), script->ctx, &before) == OP_OK);
    enum op_err err = row->change == NULL ? OP_OK : row->change(txn, script);
    if (script->failed_line != 0)
        return OP_INVALID;
    if (err == OP_ABSENT)
        return OP_OK;
    CHECK(err == OP_OK);
    CHECK(repository_get(txn, row->repository, key_of(script), script->ctx, &after) == OP_OK);
    unknown_count(after, &count);
    CHECK(count.messages == row->messages);
    CHECK(count.planted == row->messages);
    /* the change was one */
    CHECK((row->change == NULL) == bytes_equal(records_pack(script->ctx, before), records_pack(script->ctx, after)));
    return OP_OK;
}

static void what_a_newer_version_wrote_survives(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(ROWS); i++) {
        row = &ROWS[i];
        print_message("%s\n", row->name);
        RUN(row->repository->table->env, plant, change_it);
    }
}

static void every_kind_of_record_is_tried(void **state)
{
    (void)state;
    for (size_t i = 0; i < CATALOGUE_COUNT; i++) {
        bool found = CATALOGUE[i].repository == NULL;
        for (size_t r = 0; r < COUNT(ROWS); r++)
            found = found || ROWS[r].repository == CATALOGUE[i].repository;
        if (!found)
            fail_msg("no row for the records of %s", CATALOGUE[i].table->name);
    }
}

/* The test must be able to fail: a grant that is made anew is seen, and so is a record. */
static void what_is_built_anew_is_seen(void **state)
{
    (void)state;
    void *ctx = mem_root("test");
    Rec__Family *family = records_new(ctx, &rec__family__descriptor), *read;
    fill(ctx, &family->base);
    unknown_plant(ctx, &family->base);
    struct unknown_count whole = {0}, rebuilt = {0}, anew = {0};
    assert_int_equal(records_unpack(ctx, &rec__family__descriptor, records_pack(ctx, family), &read), OP_OK);
    unknown_count(&read->base, &whole);
    assert_true(whole.messages == 3 && whole.planted == 3);
    Rec__Grant *grant = records_new(ctx, &rec__grant__descriptor);
    grant->client_id = family->grant->client_id;
    read->grant = grant;
    unknown_count(&read->base, &rebuilt);
    assert_true(rebuilt.messages == 3 && rebuilt.planted == 2);
    unknown_count(records_new(ctx, &rec__family__descriptor), &anew);
    assert_true(anew.messages == 1 && anew.planted == 0);
    talloc_free(ctx);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_a_newer_version_wrote_survives),
        cmocka_unit_test(every_kind_of_record_is_tried),
        cmocka_unit_test(what_is_built_anew_is_seen),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
