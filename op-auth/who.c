#include "who.h"

#include "protocol/family.h"
#include "store/sessions.h"
#include "store/users.h"

/* Absent and denied are nobody here; anything else is the store's trouble. */
static enum op_err or_nobody(enum op_err err, struct who *ret)
{
    if (err != OP_ABSENT && err != OP_DENIED)
        return err;
    *ret = (struct who){0};
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
    if (err == OP_OK)
        err = users_get(txn, ctx, who.session->user_id, &who.user);
    if (err != OP_OK)
        return or_nobody(err, ret);
    if (!session_alive(who.session, who.user, kv_now(txn)))
        who = (struct who){0};
    *ret = who;
    return OP_OK;
}

int64_t since_after(int64_t now, int64_t old_since)
{
    return (now > old_since ? now : old_since) + 1;
}
