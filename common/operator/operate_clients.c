#include "operator/operate_clients.h"

#include <string.h>

#include "data/digest.h"
#include "operator/operate_since.h"
#include "protocol/client_auth.h"
#include "protocol/client_metadata.h"
#include "protocol/device.h"
#include "store/clients.h"

/* What ID tokens can be signed with, whether there are keys for it today or not. */
static const enum jose_alg ID_TOKEN_ALGS[] = {JOSE_RS256, JOSE_PS256, JOSE_ES256, JOSE_ES384, JOSE_EDDSA};

static bool may(const Rec__Client *client, const char *grant)
{
    return records_contain(client->grant_types, client->n_grant_types, grant);
}

bool operate_client_is_for_people(const Rec__Client *client)
{
    return may(client, "authorization_code") || may(client, DEVICE_GRANT_TYPE);
}

json_t *operate_client_json(const void *ctx, const Rec__Client *client)
{
    json_t *object = json_make_object(ctx);
    json_set_string(object, "client_id", client->client_id);
    if (client->needs > RECORDS_FORMAT) {
        json_set_string(object, "state", "unreadable");
        return object;
    }
    json_set_string(object, "client_name", client->client_name);
    json_set_strings(object, "redirect_uris", client->redirect_uris, client->n_redirect_uris);
    json_set_bool(object, "first_party", false);
    client_metadata_set_all(ctx, object, client);
    json_set_string(object, "state", client->disabled ? "disabled" : "enabled");
    json_set_time(object, "created_at", client->created_at);
    json_set_time(object, "since", client->since);
    return object;
}

/* --- what a registration must keep --- */

static bool refuse(struct refusal *refusal, const char *member, const char *what)
{
    *refusal = (struct refusal){member, what};
    return false;
}

/* Only what is given now: a house that has become stricter since does not stand in the way of other changes. */
static bool check_lifetimes(const json_t *given, const struct family_lifetimes *house, struct refusal *refusal)
{
    int64_t seconds;
    if (json_get_int(given, "refresh_token_idle_lifetime", &seconds) == OP_OK && seconds > house->idle)
        return refuse(refusal, "refresh_token_idle_lifetime", "is longer than the setting refresh_token_idle_lifetime");
    if (json_get_int(given, "refresh_token_lifetime", &seconds) == OP_OK && seconds > house->whole)
        return refuse(refusal, "refresh_token_lifetime", "is longer than the setting refresh_token_lifetime");
    return true;
}

static bool check_members(const void *ctx, const json_t *given, const struct operate_client_rules *rules,
                          struct refusal *refusal)
{
    const char *name;
    json_t *value;
    json_object_foreach ((json_t *)(uintptr_t)given, name, value) {
        if (!client_metadata_knows(name))
            return refuse(refusal, mem_strdup(ctx, name), "is not a member that can be set");
        if (rules->place == OPERATE_OVER_NETWORK && strcmp(name, "administration") == 0)
            return refuse(refusal, "administration", "is given on the machine only (opctl client change --admin)");
    }
    return check_lifetimes(given, &rules->house, refusal);
}

/* What holds beyond what client_metadata_read asks of every client. */
static bool check_whole(const Rec__Client *client, struct refusal *refusal)
{
    if (client->client_name == NULL)
        return refuse(refusal, "client_name", "is missing: what people see on the consent page");
    if (client->n_redirect_uris > 0 && !may(client, "authorization_code"))
        return refuse(refusal, "redirect_uris", "is of no use without the grant authorization_code");
    if (client_is_public(client) && client->introspection_allowed)
        return refuse(refusal, "introspection_allowed", "is not for a public client, which has no credentials");
    if (client->n_administration > 0 && !may(client, "client_credentials"))
        return refuse(refusal, "administration", "is of no use without the grant client_credentials");
    return true;
}

static enum op_err read_document(const void *ctx, const json_t *document, Rec__Client **ret, struct refusal *refusal)
{
    static const struct client_metadata_rules rules = {
        .id_token_algs = ID_TOKEN_ALGS, .id_token_alg_count = sizeof ID_TOKEN_ALGS / sizeof *ID_TOKEN_ALGS,
        .by_operator = true};
    struct oauth_error error = {0};
    Rec__Client *client;
    if (client_metadata_read(ctx, document, &rules, &client, &error) != OP_OK) {
        refuse(refusal, error.member, error.description + strlen(error.member) + 1);
        return OP_INVALID;
    }
    if (!check_whole(client, refusal))
        return OP_INVALID;
    *ret = client;
    return OP_OK;
}

/* --- secrets --- */

static void set_secret(const void *ctx, Rec__Client *client, const char *secret)
{
    struct bytes hash = digest_sha256_of(ctx, secret);
    client->has_client_secret_hash = true;
    client->client_secret_hash = (ProtobufCBinaryData){.len = hash.len, .data = (uint8_t *)(uintptr_t)hash.data};
}

/* A secret for a client that needs one and has none; none for one that is public or has keys of its own. */
static const char *settle_secret(const void *ctx, Rec__Client *client, const char *fresh)
{
    if (!client_has_secret(client)) {
        client->has_client_secret_hash = false;
        return NULL;
    }
    if (client->has_client_secret_hash)
        return NULL;
    set_secret(ctx, client, fresh);
    return fresh;
}

/* --- make, add --- */

static void set_default(json_t *document, const char *name, json_t *value)
{
    const json_t *present = json_object_get(document, name);
    if (present == NULL || json_is_null(present))
        json_set(document, name, value);
}

static void fill_in(const void *ctx, json_t *document, const struct scope_catalogue *catalogue)
{
    json_t *grants = json_make_array(ctx);
    json_append_string(grants, "authorization_code");
    json_append_string(grants, "refresh_token");
    set_default(document, "grant_types", grants);
    Rec__Client probe = REC__CLIENT__INIT; /* the grants alone; what is wrong with them is seen later */
    const json_t *given = json_object_get(document, "grant_types");
    char **items = mem_array(ctx, char *, json_array_size(given) + 1);
    for (size_t i = 0; i < json_array_size(given); i++)
        if (json_is_string(json_array_get(given, i)))
            items[probe.n_grant_types++] = mem_strdup(items, json_string_value(json_array_get(given, i)));
    probe.grant_types = items;
    if (!operate_client_is_for_people(&probe))
        return;
    char **scopes = mem_array(ctx, char *, catalogue->count + 1);
    for (size_t i = 0; i < catalogue->count; i++)
        scopes[i] = mem_strdup(scopes, catalogue->items[i].scope);
    set_default(document, "scope", json_own(ctx, json_string(scope_text(ctx, scopes, catalogue->count))));
}

enum op_err operate_clients_make(const void *ctx, const json_t *document, const struct scope_catalogue *catalogue,
                                 const struct operate_client_rules *rules, const struct operate_client_fresh *fresh,
                                 Rec__Client **ret, const char **ret_secret, struct refusal *ret_refusal)
{
    Rec__Client *client;
    if (!check_members(ctx, document, rules, ret_refusal))
        return OP_INVALID;
    json_t *whole = json_own(ctx, json_copy((json_t *)(uintptr_t)document));
    fill_in(ctx, whole, catalogue);
    enum op_err err = read_document(ctx, whole, &client, ret_refusal);
    if (err != OP_OK)
        return err;
    client->client_id = mem_strdup(client, fresh->client_id);
    *ret_secret = settle_secret(client, client, fresh->secret);
    *ret = client;
    return OP_OK;
}

enum op_err operate_clients_add(struct kv_txn *txn, Rec__Client *client)
{
    client->has_created_at = true;
    client->created_at = kv_now(txn);
    return clients_insert(txn, client);
}

/* --- list, show --- */

enum op_err operate_clients_list(struct kv_txn *txn, const void *ctx, const char *after, size_t limit,
                                 struct listing *ret)
{
    Rec__Client **clients;
    size_t count;
    enum op_err err = clients_list(txn, ctx, after, limit + 1, &clients, &count);
    if (err != OP_OK)
        return err;
    struct listing listing = {.items = json_make_array(ctx)};
    for (size_t i = 0; i < count && i < limit; i++)
        json_array_append(listing.items, operate_client_json(ctx, clients[i]));
    listing.next = count > limit ? clients[limit - 1]->client_id : NULL;
    *ret = listing;
    return OP_OK;
}

enum op_err operate_clients_show(struct kv_txn *txn, const void *ctx, const char *client_id, Rec__Client **ret)
{
    return clients_get(txn, ctx, client_id, ret);
}

/* --- change --- */

static enum op_err get_to_empower(struct kv_txn *txn, const void *ctx, const char *client_id,
                                  enum operate_place place, Rec__Client **ret, struct refusal *refusal)
{
    Rec__Client *client;
    enum op_err err = clients_get(txn, ctx, client_id, &client);
    if (err == OP_OK && place == OPERATE_OVER_NETWORK && client->n_administration > 0) {
        refuse(refusal, NULL, "This client may administer: it is changed on the machine only (opctl client).");
        err = OP_INVALID;
    }
    if (err == OP_OK)
        *ret = client;
    return err;
}

static bool has_value(const json_t *object, const char *name)
{
    const json_t *value = json_object_get(object, name);
    return value != NULL && !json_is_null(value);
}

/* The document that the patch makes of the client's. */
static json_t *patched(const void *ctx, const Rec__Client *client, const json_t *patch)
{
    json_t *document = json_make_object(ctx);
    client_metadata_set_all(ctx, document, client);
    if (json_object_get(patch, "grant_types") != NULL)
        json_object_del(document, "response_types");
    if (has_value(patch, "jwks") || has_value(patch, "jwks_uri")) { /* one takes the place of the other */
        json_object_del(document, "jwks");
        json_object_del(document, "jwks_uri");
    }
    json_merge(document, patch);
    return document;
}

enum op_err operate_clients_change(struct kv_txn *txn, const void *ctx, const char *client_id,
                                   const json_t *patch, const struct operate_client_rules *rules, const char *fresh_secret,
                                   Rec__Client **ret, const char **ret_secret, struct refusal *ret_refusal)
{
    Rec__Client *client, *changed;
    if (!check_members(ctx, patch, rules, ret_refusal))
        return OP_INVALID;
    enum op_err err = get_to_empower(txn, ctx, client_id, rules->place, &client, ret_refusal);
    if (err == OP_OK)
        err = read_document(ctx, patched(ctx, client, patch), &changed, ret_refusal);
    if (err != OP_OK)
        return err;
    if (client->n_administration > 0 || changed->n_administration > 0)
        client->has_registration_access_token_hash = false;
    client_metadata_replace_all(client, changed);
    const char *secret = settle_secret(ctx, client, fresh_secret);
    err = clients_update(txn, client);
    if (err == OP_OK) {
        *ret = client;
        *ret_secret = secret;
    }
    return err;
}

enum op_err operate_clients_secret(struct kv_txn *txn, const void *ctx, const char *client_id,
                                   enum operate_place place, const char *fresh_secret, Rec__Client **ret,
                                   struct refusal *ret_refusal)
{
    Rec__Client *client;
    enum op_err err = get_to_empower(txn, ctx, client_id, place, &client, ret_refusal);
    if (err != OP_OK)
        return err;
    if (!client_has_secret(client)) {
        refuse(ret_refusal, NULL, client_is_public(client)
                                      ? "A public client has no secret."
                                      : "A client with keys of its own (private_key_jwt) has no secret.");
        return OP_INVALID;
    }
    set_secret(ctx, client, fresh_secret);
    err = clients_update(txn, client);
    if (err == OP_OK)
        *ret = client;
    return err;
}

/* --- disable, enable, remove --- */

static enum op_err set_disabled(struct kv_txn *txn, Rec__Client *client, bool disabled, Rec__Client **ret)
{
    client->has_disabled = true;
    client->disabled = disabled;
    enum op_err err = clients_update(txn, client);
    if (err == OP_OK)
        *ret = client;
    return err;
}

enum op_err operate_clients_disable(struct kv_txn *txn, const void *ctx, const char *client_id,
                                    Rec__Client **ret)
{
    Rec__Client *client;
    enum op_err err = clients_get(txn, ctx, client_id, &client);
    if (err != OP_OK)
        return err;
    client->has_since = true;
    client->since = operate_since(kv_now(txn), client->since);
    return set_disabled(txn, client, true, ret);
}

enum op_err operate_clients_enable(struct kv_txn *txn, const void *ctx, const char *client_id,
                                   enum operate_place place, Rec__Client **ret, struct refusal *ret_refusal)
{
    Rec__Client *client;
    enum op_err err = get_to_empower(txn, ctx, client_id, place, &client, ret_refusal);
    return err != OP_OK ? err : set_disabled(txn, client, false, ret);
}

enum op_err operate_clients_remove(struct kv_txn *txn, const char *client_id)
{
    return clients_delete(txn, client_id);
}
