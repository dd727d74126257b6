#include "operator/operate_sessions.h"

#include "store/sessions.h"

json_t *operate_session_json(const void *ctx, const Rec__Session *session)
{
    json_t *object = json_make_object(ctx);
    json_set_string(object, "sid", session->sid);
    json_set_string(object, "user_id", session->user_id);
    if (session->needs > RECORDS_FORMAT) {
        json_set_string(object, "state", "unreadable");
        return object;
    }
    json_set_time(object, "auth_time", session->auth_time);
    json_set_time(object, "last_used", session->last_used);
    json_set_time(object, "created_at", session->created_at);
    json_set_time(object, "idle_expires_at", session->idle_expires_at);
    json_set_time(object, "expires_at", session->expires_at);
    json_set_string(object, "address", session->address);
    json_set_string(object, "user_agent", session->user_agent);
    json_set_string(object, "acr", session->acr);
    json_set_strings(object, "amr", session->amr, session->n_amr);
    json_set_strings(object, "client_ids", session->client_ids, session->n_client_ids);
    return object;
}

enum op_err operate_sessions_list(struct kv_txn *txn, const void *ctx, const char *user_id, const char *after,
                                  size_t limit, struct listing *ret)
{
    Rec__Session **sessions;
    size_t count;
    enum op_err err = user_id != NULL
                          ? sessions_list_of_user(txn, ctx, user_id, after, limit + 1, &sessions, &count)
                          : sessions_list(txn, ctx, after, limit + 1, &sessions, &count);
    if (err != OP_OK)
        return err;
    struct listing listing = {.items = json_make_array(ctx)};
    for (size_t i = 0; i < count && i < limit; i++)
        json_array_append(listing.items, operate_session_json(ctx, sessions[i]));
    listing.next = count > limit ? sessions[limit - 1]->sid : NULL;
    *ret = listing;
    return OP_OK;
}

enum op_err operate_sessions_show(struct kv_txn *txn, const void *ctx, const char *sid, json_t **ret)
{
    Rec__Session *session;
    enum op_err err = sessions_get(txn, ctx, sid, &session);
    if (err == OP_OK)
        *ret = operate_session_json(ctx, session);
    return err;
}

enum op_err operate_sessions_end(struct kv_txn *txn, const char *sid)
{
    return sessions_end(txn, sid);
}

enum op_err operate_sessions_end_of_user(struct kv_txn *txn, const void *ctx, const char *user_id, size_t *ret_count)
{
    Rec__Session **sessions;
    size_t count;
    enum op_err err = sessions_list_of_user(txn, ctx, user_id, NULL, OPERATE_SESSIONS_AT_ONCE, &sessions, &count);
    for (size_t i = 0; err == OP_OK && i < count; i++)
        err = sessions_end(txn, sessions[i]->sid);
    if (err == OP_OK)
        *ret_count = count;
    return err;
}
