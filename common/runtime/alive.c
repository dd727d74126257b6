#include "runtime/alive.h"

#include "store/clients.h"
#include "store/consents.h"
#include "store/sessions.h"
#include "store/users.h"

static enum op_err absent_is_fine(enum op_err err)
{
    return err == OP_ABSENT ? OP_OK : err;
}

enum op_err alive_load(struct kv_txn *txn, const void *ctx, const Rec__Grant *grant, const Rec__Family *family,
                       bool offline, struct family_facts *ret)
{
    Rec__Client *client = NULL;
    Rec__User *user = NULL;
    Rec__Session *session = NULL;
    Rec__Consent *consent = NULL;
    enum op_err err = OP_OK;
    if (grant->client_id != NULL)
        err = absent_is_fine(clients_get(txn, ctx, grant->client_id, &client));
    if (err == OP_OK && grant->user_id != NULL)
        err = absent_is_fine(users_get(txn, ctx, grant->user_id, &user));
    if (err == OP_OK && grant->sid != NULL)
        err = absent_is_fine(sessions_get(txn, ctx, grant->sid, &session));
    if (err == OP_OK && grant->user_id != NULL && grant->client_id != NULL)
        err = absent_is_fine(consents_get(txn, ctx, grant->user_id, grant->client_id, &consent));
    if (err == OP_OK)
        *ret = (struct family_facts){
            .family = family,
            .grant = grant,
            .offline = offline,
            .session = session,
            .consent = consent,
            .user = user,
            .client = client,
            .now = kv_now(txn),
        };
    return err;
}
