#include "operator/operate_families.h"

#include <string.h>

#include "base/codec.h"
#include "protocol/family.h"
#include "protocol/scope.h"
#include "store/clients.h"
#include "store/families.h"

enum { CHUNK = 256, LOOKED_AT_MAX = 4096 };

static struct bytes id_of(const Rec__Family *family)
{
    return bytes_from(family->family_id.data, family->family_id.len);
}

enum op_err operate_family_id(const void *ctx, const char *family, struct bytes *ret)
{
    struct bytes id;
    if (codec_from_base64url(ctx, bytes_of(family), &id) != OP_OK || id.len != FAMILY_ID_LEN)
        return OP_INVALID;
    *ret = id;
    return OP_OK;
}

char *operate_family_name(const void *ctx, const Rec__Family *family)
{
    return codec_base64url(ctx, id_of(family));
}

/* --- what is shown --- */

static const char *state_of(const Rec__Family *family, const Rec__Client *client, int64_t now)
{
    if (family->dead)
        return "dead";
    if (family->needs > RECORDS_FORMAT)
        return "unreadable";
    return family_end(family, client) <= now ? "expired" : "alive";
}

static void set_grant(const void *ctx, json_t *object, const Rec__Grant *grant)
{
    json_set_string(object, "user_id", grant->user_id);
    json_set_string(object, "client_id", grant->client_id);
    json_set_string(object, "sid", grant->sid);
    json_set_string(object, "scope", scope_text(ctx, grant->scopes, grant->n_scopes));
    json_set_strings(object, "audiences", grant->audiences, grant->n_audiences);
    json_set_time(object, "auth_time", grant->auth_time);
    json_set_time(object, "granted_at", grant->granted_at);
}

json_t *operate_family_json(const void *ctx, const Rec__Family *family, const Rec__Client *client, int64_t now)
{
    struct family_ends ends = family_ends(family, client);
    json_t *object = json_make_object(ctx);
    json_set_string(object, "family", operate_family_name(ctx, family));
    json_set_string(object, "state", state_of(family, client, now));
    json_set_string(object, "dead_reason", family->dead_reason);
    json_set_time(object, "dead_at", family->dead_at);
    if (family->grant != NULL)
        set_grant(ctx, object, family->grant);
    json_set_bool(object, "offline", family->offline);
    json_set_time(object, "created_at", family->created_at);
    json_set_time(object, "last_used", family->last_used);
    if (family->has_idle_lifetime)
        json_set_int(object, "idle_lifetime", family->idle_lifetime);
    json_set_time(object, "idle_expires_at", ends.idle);
    json_set_time(object, "expires_at", ends.whole);
    if (family->n_generations > 0)
        json_set_int(object, "generation", family->generations[family->n_generations - 1]->generation);
    return object;
}

static json_t *shown(struct kv_txn *txn, const void *ctx, const Rec__Family *family)
{
    Rec__Client *client = NULL;
    if (family->grant != NULL && family->grant->client_id != NULL &&
        clients_get(txn, ctx, family->grant->client_id, &client) != OP_OK)
        client = NULL;
    return operate_family_json(ctx, family, client, kv_now(txn));
}

/* --- going through them --- */

/* Whose it is and whether it is dead can be told whatever the record needs. */
static const Rec__Family *whole_of(struct kv_txn *txn, const void *ctx, const Rec__Family *listed)
{
    Rec__Family *any;
    bool newer = listed->needs > RECORDS_FORMAT && families_get_any(txn, ctx, id_of(listed), &any) == OP_OK;
    return newer ? any : listed;
}

static bool is_wanted(const Rec__Family *whole, const struct operate_families_filter *filter)
{
    const char *client_id = whole->grant == NULL ? NULL : whole->grant->client_id;
    return filter->client_id == NULL || (client_id != NULL && strcmp(client_id, filter->client_id) == 0);
}

struct walk {
    const struct operate_families_filter *filter;
    struct bytes after;
    size_t looked_at;
    bool ended; /* there are no more */
};

/* The next few that the index or the table has, wanted or not. */
static enum op_err walk_on(struct kv_txn *txn, const void *ctx, struct walk *walk, Rec__Family ***ret,
                           size_t *ret_count)
{
    enum op_err err = walk->filter->user_id != NULL
                          ? families_list_of_user(txn, ctx, walk->filter->user_id, walk->after, CHUNK, ret, ret_count)
                          : families_list(txn, ctx, walk->after, CHUNK, ret, ret_count);
    if (err != OP_OK)
        return err;
    walk->looked_at += *ret_count;
    walk->ended = *ret_count < CHUNK;
    return OP_OK;
}

static enum op_err walk_start(const void *ctx, const struct operate_families_filter *filter, const char *after,
                              struct walk *ret)
{
    *ret = (struct walk){.filter = filter};
    return after == NULL ? OP_OK : operate_family_id(ctx, after, &ret->after);
}

static bool walk_goes_on(const struct walk *walk)
{
    return !walk->ended && walk->looked_at < LOOKED_AT_MAX;
}

static const char *walk_next(const void *ctx, const struct walk *walk)
{
    return walk->ended ? NULL : codec_base64url(ctx, walk->after);
}

enum op_err operate_families_list(struct kv_txn *txn, const void *ctx, const struct operate_families_filter *filter,
                                  const char *after, size_t limit, struct listing *ret)
{
    struct walk walk;
    struct listing listing = {.items = json_make_array(ctx)};
    enum op_err err = walk_start(ctx, filter, after, &walk);
    while (err == OP_OK && walk_goes_on(&walk) && json_array_size(listing.items) < limit) {
        Rec__Family **families;
        size_t count, i;
        err = walk_on(txn, ctx, &walk, &families, &count);
        for (i = 0; err == OP_OK && i < count && json_array_size(listing.items) < limit; i++) {
            if (is_wanted(whole_of(txn, ctx, families[i]), filter))
                json_array_append(listing.items, shown(txn, ctx, families[i]));
            walk.after = id_of(families[i]);
        }
        if (err == OP_OK && i < count)
            walk.ended = false;
    }
    if (err != OP_OK)
        return err;
    listing.next = walk_next(ctx, &walk);
    *ret = listing;
    return OP_OK;
}

/* --- show, revoke --- */

enum op_err operate_families_show(struct kv_txn *txn, const void *ctx, const char *family, json_t **ret)
{
    struct bytes id;
    Rec__Family *record;
    enum op_err err = operate_family_id(ctx, family, &id);
    if (err == OP_OK)
        err = families_get(txn, ctx, id, &record);
    if (err == OP_OK)
        *ret = shown(txn, ctx, record);
    return err;
}

enum op_err operate_families_revoke(struct kv_txn *txn, const void *ctx, const char *family)
{
    struct bytes id;
    enum op_err err = operate_family_id(ctx, family, &id);
    return err != OP_OK ? err : families_kill(txn, id, "revoked");
}

enum op_err operate_families_revoke_all(struct kv_txn *txn, const void *ctx,
                                        const struct operate_families_filter *filter, const char *reason,
                                        const char *after, json_t **ret_revoked, const char **ret_next)
{
    struct walk walk;
    json_t *revoked = json_make_array(ctx);
    enum op_err err = walk_start(ctx, filter, after, &walk);
    while (err == OP_OK && walk_goes_on(&walk)) {
        Rec__Family **families;
        size_t count;
        err = walk_on(txn, ctx, &walk, &families, &count);
        for (size_t i = 0; err == OP_OK && i < count; i++) {
            walk.after = id_of(families[i]);
            const Rec__Family *whole = whole_of(txn, ctx, families[i]);
            if (whole->dead || !is_wanted(whole, filter))
                continue;
            err = families_kill(txn, walk.after, reason);
            json_append_string(revoked, operate_family_name(ctx, families[i]));
        }
    }
    if (err != OP_OK)
        return err;
    *ret_revoked = revoked;
    *ret_next = walk_next(ctx, &walk);
    return OP_OK;
}
