#include "who.h"

#include "protocol/family.h"
#include "store/consents.h"
#include "store/sessions.h"
#include "store/users.h"

enum { CONSENTS_MAX = 1000 };

/* Absent and denied are nobody here; anything else is the store's trouble. */
static enum op_err or_nobody(enum op_err err, bool denied, struct who *ret)
{
    if (err != OP_ABSENT && err != OP_DENIED)
        return err;
    *ret = (struct who){.denied = denied};
    return OP_OK;
}

enum op_err who_load(struct kv_txn *txn, const void *ctx, const char *cookie, struct who *ret)
{
    struct who who = {0};
    if (cookie == NULL) {
        *ret = who;
        return OP_OK;
    }
    enum op_err err = sessions_find(txn, ctx, cookie, &who.session);
    if (err != OP_OK)
        return or_nobody(err, false, ret); /* a new session can take the place of one that is denied */
    err = users_get(txn, ctx, who.session->user_id, &who.user);
    if (err != OP_OK)
        return or_nobody(err, err == OP_DENIED, ret);
    if (!session_alive(who.session, who.user, kv_now(txn)))
        who = (struct who){0};
    *ret = who;
    return OP_OK;
}

static int64_t later(int64_t a, int64_t b)
{
    return a > b ? a : b;
}

int64_t since_after(int64_t now, int64_t one_since, int64_t another_since)
{
    return later(now, later(one_since, another_since)) + 1;
}

enum op_err since_of_consents(struct kv_txn *txn, const void *ctx, const char *user_id, int64_t *ret)
{
    Rec__Consent **consents = NULL;
    size_t count = 0;
    enum op_err err = consents_list_of_user(txn, ctx, user_id, NULL, CONSENTS_MAX, &consents, &count);
    if (err != OP_OK)
        return err;
    int64_t latest = 0;
    for (size_t i = 0; i < count; i++)
        latest = later(latest, consents[i]->since);
    *ret = latest;
    return OP_OK;
}
