/* Plants authorization codes, as op-auth would leave them after a sign-in, for tests that need thousands:
 * plant STATE_DIR RUNTIME_DIR CLIENT_ID USER_ID REDIRECT_URI SCOPE COUNT prints COUNT codes, one a line.
 * They lean on no session (ask for offline_access) and on no consent (first_party). */
#include <stdio.h>

#include "base/clock.h"
#include "base/num.h"
#include "base/rand.h"
#include "protocol/scope.h"
#include "store/codes.h"

enum { LIFETIME = 3600, CODE_LEN = 32, COUNT_MAX = 100000 };

struct plant {
    Rec__Code *record;
    char **codes;
    size_t count;
};

static Rec__Code *make_record(const void *ctx, char *client_id, char *user_id, char *redirect_uri, const char *scope)
{
    int64_t now = clock_now();
    struct scope_list scopes = scope_parse(ctx, scope);
    Rec__Code *code = records_new(ctx, &rec__code__descriptor);
    Rec__Grant *grant = code->grant = records_new(ctx, &rec__grant__descriptor);
    grant->client_id = client_id;
    grant->user_id = user_id;
    grant->scopes = scopes.items;
    grant->n_scopes = scopes.count;
    grant->has_auth_time = grant->has_granted_at = grant->has_first_party = true;
    grant->auth_time = grant->granted_at = now;
    grant->first_party = true;
    code->redirect_uri = redirect_uri;
    code->has_redirect_uri_was_sent = code->redirect_uri_was_sent = true;
    code->has_created_at = code->has_expires_at = true;
    code->created_at = now;
    code->expires_at = now + LIFETIME;
    return code;
}

static enum op_err insert(struct kv_txn *txn, void *arg)
{
    const struct plant *plant = arg;
    enum op_err err = OP_OK;
    for (size_t i = 0; i < plant->count && err == OP_OK; i++)
        err = codes_insert(txn, plant->codes[i], plant->record);
    return err;
}

int main(int argc, char **argv)
{
    uint64_t count;
    struct kv *kv;
    const char *why = NULL;
    if (argc != 8 || num_parse_u64(bytes_of(argv[7]), COUNT_MAX, &count) != OP_OK) {
        fprintf(stderr, "usage: plant STATE_DIR RUNTIME_DIR CLIENT_ID USER_ID REDIRECT_URI SCOPE COUNT\n");
        return 64;
    }
    void *ctx = mem_root("plant");
    struct plant plant = {.record = make_record(ctx, argv[3], argv[4], argv[5], argv[6]), .count = count};
    plant.codes = mem_array(ctx, char *, count);
    for (size_t i = 0; i < count; i++)
        plant.codes[i] = rand_token(ctx, CODE_LEN);
    const struct kv_store stores[] = {{KV_CODES, true}};
    const struct kv_config config = {.state_dir = argv[1], .runtime_dir = argv[2]};
    enum op_err err = kv_open(ctx, &config, stores, 1, &kv, &why);
    if (err == OP_OK)
        err = kv_run_wait(kv, KV_CODES, insert, &plant);
    if (err != OP_OK) {
        fprintf(stderr, "plant: %s %s\n", op_err_name(err), why == NULL ? "" : why);
        return 1;
    }
    for (size_t i = 0; i < count; i++)
        puts(plant.codes[i]);
    talloc_free(ctx);
    return 0;
}
