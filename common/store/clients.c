#include "store/clients.h"

#include <string.h>

#include "data/digest.h"
#include "data/uri.h"
#include "store/repository.h"
#include "store/tables.h"

static void *from_key(const void *ctx, struct bytes key)
{
    Rec__Client *client = records_new(ctx, &rec__client__descriptor);
    client->has_needs = true;
    client->needs = RECORDS_FORMAT + 1;
    client->client_id = mem_strndup(client, (const char *)key.data, key.len);
    return client;
}

static struct bytes origin_key(const void *ctx, const char *origin, const char *client_id)
{
    size_t id_len = strlen(client_id);
    uint8_t *key = mem_array(ctx, uint8_t, DIGEST_SHA256_LEN + id_len + 1);
    digest_sha256(bytes_of(origin), key);
    memcpy(key + DIGEST_SHA256_LEN, client_id, id_len);
    return bytes_from(key, DIGEST_SHA256_LEN + id_len);
}

static void derive_origins(struct bytes key, const void *record, int64_t expires_at, struct repository_lines *lines)
{
    (void)expires_at;
    const Rec__Client *client = record;
    void *scratch = mem_root("derive_origins");
    char *client_id = mem_strndup(scratch, (const char *)key.data, key.len);
    for (size_t i = 0; i < client->n_redirect_uris; i++) {
        char *origin; /* a private-use scheme has none */
        if (uri_origin(scratch, client->redirect_uris[i], &origin) == OP_OK)
            repository_add_line(lines, origin_key(scratch, origin, client_id), bytes_of(NULL), 0);
    }
    talloc_free(scratch);
}

static struct bytes origin_target(struct bytes key, struct bytes value)
{
    (void)value;
    return key.len > DIGEST_SHA256_LEN ? bytes_from(key.data + DIGEST_SHA256_LEN, key.len - DIGEST_SHA256_LEN)
                                       : bytes_of(NULL);
}

static const struct repository_index INDEXES[] = {{&TABLE_CLIENT_ORIGINS, derive_origins, origin_target}};
const struct repository REPOSITORY_CLIENTS = {
    &TABLE_CLIENTS, &rec__client__descriptor, from_key, REPOSITORY_INDEXES(INDEXES)};

enum op_err clients_get(struct kv_txn *txn, const void *ctx, const char *client_id, Rec__Client **ret)
{
    return repository_get(txn, &REPOSITORY_CLIENTS, bytes_of(client_id), ctx, ret);
}

/* The lowest format that knows all its restrictions, so that older servers go on serving every client without any. What
 * newer versions wrote keeps what it says. */
static void settle_needs(Rec__Client *client)
{
    if (client->needs > RECORDS_FORMAT)
        return;
    client->has_needs = client->has_refresh_token_idle_lifetime || client->has_refresh_token_lifetime;
    client->needs = client->has_needs ? RECORDS_FORMAT_LIFETIMES : 0;
}

enum op_err clients_insert(struct kv_txn *txn, Rec__Client *client)
{
    settle_needs(client);
    client->has_version = true;
    client->version = 1;
    return repository_insert(txn, &REPOSITORY_CLIENTS, bytes_of(client->client_id), client, 0);
}

enum op_err clients_update(struct kv_txn *txn, Rec__Client *client)
{
    void *scratch = mem_root("clients_update");
    Rec__Client *stored;
    enum op_err err = clients_get(txn, scratch, client->client_id, &stored);
    if (err == OP_OK && stored->version != client->version)
        err = OP_MISMATCH;
    if (err == OP_OK) {
        client->version++;
        settle_needs(client);
        err = repository_put(txn, &REPOSITORY_CLIENTS, bytes_of(client->client_id), client, 0);
    }
    talloc_free(scratch);
    return err;
}

enum op_err clients_delete(struct kv_txn *txn, const char *client_id)
{
    return repository_delete(txn, &REPOSITORY_CLIENTS, bytes_of(client_id));
}

/* The clients of one origin, one after another, until one that counts. */
struct origin_search {
    const void *ctx;
    struct bytes key; /* the last one seen; empty at the end */
};

static bool origin_next(struct bytes key, struct bytes value, void *arg)
{
    (void)value;
    struct origin_search *search = arg;
    search->key = mem_bytes(search->ctx, key);
    return false;
}

static bool client_is_enabled(struct kv_txn *txn, const void *ctx, const char *client_id)
{
    Rec__Client *client;
    return clients_get(txn, ctx, client_id, &client) == OP_OK && !client->disabled;
}

bool clients_know_origin(struct kv_txn *txn, const char *origin)
{
    void *scratch = mem_root("clients_know_origin");
    struct bytes prefix = origin_key(scratch, origin, "");
    struct origin_search search = {.ctx = scratch};
    bool known = false;
    while (!known) {
        struct bytes after = search.key;
        search.key = bytes_of(NULL);
        if (kv_scan(txn, &TABLE_CLIENT_ORIGINS, prefix, after, 1, origin_next, &search) != OP_OK || search.key.len == 0)
            break;
        known = client_is_enabled(txn, scratch, (const char *)search.key.data + DIGEST_SHA256_LEN);
    }
    talloc_free(scratch);
    return known;
}

enum op_err clients_list(struct kv_txn *txn, const void *ctx, const char *after, size_t limit, Rec__Client ***ret,
                         size_t *ret_count)
{
    return repository_list(txn, &REPOSITORY_CLIENTS, bytes_of(NULL), bytes_of(after), limit, ctx, ret, ret_count);
}
