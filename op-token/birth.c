#include "birth.h"

#include <string.h>

#include "base/rand.h"
#include "issue.h"
#include "protocol/family.h"
#include "refresh.h"
#include "runtime/server.h"
#include "runtime/settings.h"
#include "store/families.h"

struct birth {
    struct token_request *token;
    uint8_t family_id[FAMILY_ID_LEN];
    struct refresh_token first; /* used when the client may refresh */
    Rec__Grant *grant;
    const Rec__User *user;
    int64_t now;
    const char *unusable;
    bool dead; /* set by the commit: a replay was faster */
};

struct birth *birth_prepare(struct token_request *token)
{
    struct birth *birth = mem_secret(mem_new(token->http, struct birth));
    uint8_t secret[REFRESH_SECRET_LEN];
    birth->token = token;
    rand_bytes(birth->family_id, sizeof birth->family_id);
    rand_bytes(secret, sizeof secret);
    refresh_token_first(token_process.refresh_key, birth->family_id, secret, &birth->first);
    mem_wipe(secret, sizeof secret);
    return birth;
}

struct bytes birth_family_id(const struct birth *birth)
{
    return bytes_from(birth->family_id, sizeof birth->family_id);
}

bool birth_is_offline(const Rec__Grant *grant)
{
    return records_contain(grant->scopes, grant->n_scopes, "offline_access");
}

static bool may_refresh(const struct birth *birth)
{
    const Rec__Client *client = birth->token->client;
    return records_contain(client->grant_types, client->n_grant_types, "refresh_token");
}

static Rec__Family *new_family(const void *ctx, const struct birth *birth)
{
    int64_t now = birth->now;
    const Rec__Client *client = birth->token->client;
    const struct family_lifetimes house = {settings.refresh_token_idle_lifetime, settings.refresh_token_lifetime};
    struct family_lifetimes lifetimes = family_lifetimes(&house, client);
    Rec__Family *family = records_new(ctx, &rec__family__descriptor);
    family->has_family_id = true;
    family->family_id = (ProtobufCBinaryData){.len = FAMILY_ID_LEN, .data = mem_array(family, uint8_t, FAMILY_ID_LEN)};
    memcpy(family->family_id.data, birth->family_id, FAMILY_ID_LEN);
    family->grant = birth->grant;
    family->has_created_at = family->has_last_used = true;
    family->created_at = family->last_used = now;
    family->has_idle_expires_at = family->has_expires_at = true;
    family->idle_expires_at = now + lifetimes.idle;
    family->expires_at = now + lifetimes.whole;
    family->has_idle_lifetime = client->has_refresh_token_idle_lifetime;
    family->idle_lifetime = family->has_idle_lifetime ? lifetimes.idle : 0;
    family->has_offline = true;
    family->offline = birth_is_offline(birth->grant);
    return family;
}

static enum op_err store_family(struct kv_txn *txn, void *arg)
{
    struct birth *birth = arg;
    Rec__Family *family = new_family(birth->token->http, birth);
    refresh_begin(family, family, &birth->first);
    enum op_err err = families_insert(txn, family);
    birth->dead = err == OP_EXISTS;
    return birth->dead ? OP_OK : err;
}

/* Without a refresh token nothing is stored; a replay's mark may be there all the same. */
static enum op_err look_for_mark(struct kv_txn *txn, void *arg)
{
    struct birth *birth = arg;
    Rec__Family *family;
    enum op_err err = families_get(txn, birth->token->http, birth_family_id(birth), &family);
    birth->dead = err == OP_OK || err == OP_DENIED;
    return err == OP_ABSENT || err == OP_DENIED ? OP_OK : err;
}

static void family_stored(enum op_err result, void *arg)
{
    struct birth *birth = arg;
    struct token_request *token = birth->token;
    if (result != OP_OK) {
        token_unavailable(token, result);
        return;
    }
    if (birth->dead) {
        token_refuse(token, &(struct oauth_error){OAUTH_INVALID_GRANT, birth->unusable});
        return;
    }
    const Rec__Grant *grant = birth->grant;
    issue_reply(token, &(struct issue){
        .grant = grant,
        .scopes = {grant->scopes, grant->n_scopes},
        .family_id = birth_family_id(birth),
        .offline = birth_is_offline(grant),
        .user = birth->user,
        .nonce = grant->nonce,
        .refresh_token = may_refresh(birth) ? refresh_token_text(token->http, &birth->first) : NULL,
        .now = birth->now,
    });
}

void birth_give(struct birth *birth, Rec__Grant *grant, const Rec__User *user, int64_t now, const char *unusable)
{
    birth->grant = grant;
    birth->user = user;
    birth->now = now;
    birth->unusable = unusable;
    if (may_refresh(birth))
        kv_run(server_kv(), KV_TOKENS, store_family, family_stored, birth);
    else
        kv_run(server_kv(), KV_READ_ONLY, look_for_mark, family_stored, birth);
}
