#pragma once
/* Accounts by what an operator types, and the end of what they have. */
#include "app.h"
#include "data/records.h"

/* By username, else by user_id; inside work. OP_ABSENT, OP_DENIED, OP_BROKEN. */
must_check enum op_err person_find(struct kv_txn *txn, const void *ctx, const char *name, Rec__User **ret);
/* The user_id alone, also of a record that this version cannot read. */
must_check enum op_err person_find_id(struct kv_txn *txn, const void *ctx, const char *name, char **ret);

/* person_find_id in a transaction of its own. Returns APP_OK, or an exit status after having said why. */
int person_id(const struct app *app, const char *name, const char **ret);

/* Moves the user's since, in a transaction of its own; OP_DENIED when the record needs a newer version. */
must_check enum op_err person_move_since(const struct app *app, const char *user_id, int64_t since);

/* Ends every session of the user and kills every family; the numbers go into report as sessions_ended and
 * families_revoked. Needs sessions and tokens open for writing. Returns APP_OK, or an exit status after having
 * said why. */
int person_end_everything(const struct app *app, const char *user_id, const char *reason, json_t *report);
