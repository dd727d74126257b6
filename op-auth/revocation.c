#include "revocation.h"

#include <string.h>

#include "base/rand.h"
#include "runtime/server.h"
#include "session.h"
#include "store/sessions.h"
#include "store/users.h"

enum { SESSIONS_MAX = 1000 };

static enum op_err move_since(struct kv_txn *txn, void *arg)
{
    struct revocation *r = arg;
    Rec__User *user = NULL;
    int64_t of_consents = 0;
    enum op_err err = users_get(txn, r->req, r->who.user->user_id, &user);
    if (err == OP_OK)
        err = since_of_consents(txn, r->req, user->user_id, &of_consents);
    if (err != OP_OK)
        return err;
    r->since = since_after(kv_now(txn), user->since, of_consents);
    user->has_since = true;
    user->since = r->since;
    return users_update(txn, user);
}

static enum op_err end_others(struct kv_txn *txn, const struct revocation *r)
{
    Rec__Session **sessions = NULL;
    size_t count = 0;
    enum op_err err = sessions_list_of_user(txn, r->req, r->who.user->user_id, NULL, SESSIONS_MAX, &sessions, &count);
    for (size_t i = 0; err == OP_OK && i < count; i++) {
        if (strcmp(sessions[i]->sid, r->who.session->sid) != 0)
            err = sessions_end(txn, sessions[i]->sid);
    }
    return err;
}

static enum op_err renew(struct kv_txn *txn, void *arg)
{
    struct revocation *r = arg;
    Rec__Session *session = NULL;
    enum op_err err = end_others(txn, r);
    if (err == OP_OK)
        err = sessions_get(txn, r->req, r->who.session->sid, &session);
    if (err != OP_OK)
        return err;
    /* A password that was just proved is a sign-in; a click is not. */
    int64_t authenticated_at = r->password != NULL ? kv_now(txn) : 0;
    return session_renew(txn, r->req, session, r->new_cookie, r->since, authenticated_at);
}

static void has_renewed(enum op_err result, void *arg)
{
    struct revocation *r = arg;
    r->done(result, r);
}

static void go_on(enum op_err result, void *arg)
{
    struct revocation *r = arg;
    if (result != OP_OK) {
        r->done(result, r);
        return;
    }
    r->new_cookie = mem_secret(rand_token(r->req, 32));
    kv_run(server_kv(), KV_SESSIONS, renew, has_renewed, r);
}

static void is_password_set(enum op_err result, void *arg)
{
    struct revocation *r = arg;
    r->has_set_password = result == OP_OK;
    if (result == OP_OK) /* once more: for whoever signed in with the old one until now, and was given tokens */
        kv_run(server_kv(), KV_USERS, move_since, go_on, r);
    else
        go_on(result, r);
}

static enum op_err set_password(struct kv_txn *txn, void *arg)
{
    const struct revocation *r = arg;
    struct stored_password password = *r->password;
    return stored_password_replace(txn, &password);
}

static void has_moved(enum op_err result, void *arg)
{
    struct revocation *r = arg;
    if (result == OP_OK && r->password != NULL)
        kv_run(server_kv(), KV_CREDENTIALS, set_password, is_password_set, r);
    else
        go_on(result, r);
}

void revocation_run(struct revocation *revocation)
{
    kv_run(server_kv(), KV_USERS, move_since, has_moved, revocation);
}
