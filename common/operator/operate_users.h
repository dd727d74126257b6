#pragma once
/* What an operator does with accounts. Nothing blocks but what says so; checks are pure, the rest is inside work or a
 * flow of works. */
#include "data/records.h"
#include "operator/listing.h"
#include "operator/operate_flow.h"
#include "operator/refusal.h"

enum { OPERATE_USERNAME_MAX = 128, OPERATE_PASSWORD_MAX = 1024, OPERATE_PASSWORD_MIN = 8 /* characters */ };

/* NULL, or what is wrong with one, to stand after its member's name (static). */
const char *operate_username_problem(const char *username);
const char *operate_password_problem(const char *password);

/* As an account is shown; state is enabled, disabled or unreadable. Owned by ctx. */
json_t *operate_user_json(const void *ctx, const Rec__User *user);

struct operate_users_filter {
    const char *username; /* this one's; whatever its case (ASCII) */
    const char *prefix;   /* those whose username begins so, whatever its case; NULL: any */
};
/* In the order of user_id, those after user_id `after` (NULL: from the start). At most limit, and perhaps fewer though
 * more follow: of others than the filter wants no more than a thousand are looked at at once. Owned by ctx. */
must_check enum op_err operate_users_list(struct kv_txn *txn, const void *ctx, const struct operate_users_filter *filter,
                                          const char *after, size_t limit, struct listing *ret);
/* By username, else by user_id. OP_ABSENT, OP_DENIED, OP_BROKEN. */
must_check enum op_err operate_users_find(struct kv_txn *txn, const void *ctx, const char *name, Rec__User **ret);
/* The user_id alone, also of a record that this version cannot read. */
must_check enum op_err operate_users_find_id(struct kv_txn *txn, const void *ctx, const char *name, char **ret);
/* Needs credentials. A record of a newer version counts as one. */
must_check enum op_err operate_users_has_password(struct kv_txn *txn, const void *ctx, const char *user_id, bool *ret);

/* What is to become of an account; what is NULL or false stays as it is. */
struct operate_user_change {
    const char *username;
    const json_t *claims; /* a patch, see operate_user_claims_change() */
    bool whole_claims;
    bool enable, disable; /* disabled, it is signed out everywhere */
    const char *phc;      /* the hash of another password: it is signed out everywhere */
};

/* One account in work. ctx, user_id and change are the caller's to set; the rest is for reading afterwards. */
struct operate_user_job {
    const void *ctx;
    const char *user_id;
    const struct operate_user_change *change;
    /* Asked inside the transaction, before anything is changed; NULL: no question. user may be one that cannot be read,
     * with its user_id only. What is not OP_OK is the flow's result. */
    enum op_err (*admit)(const Rec__User *user, void *arg);
    void *admit_arg;

    Rec__User *user;        /* as it is now */
    struct refusal refusal; /* of OP_INVALID, and of OP_EXISTS: the username is somebody else's */
    int64_t since;          /* not 0: what was granted before is dead. A caller that answers only then can say that
                               whatever happens after its answer is alive */
    bool has_set_password;  /* even if the flow failed afterwards */
    size_t sessions_ended, families_revoked;

    struct {
        const char *reason, *after, *next;
        size_t sessions, families;
        bool again, password;
    } step; /* the flow's own */
};

/* A new account, with what change says. Writes users, and credentials where there is a phc. OP_EXISTS, OP_INVALID. */
void operate_user_add(struct operate_user_job *job, struct operate_flow *ret);
/* Writes users, and where it signs out credentials, sessions and tokens. OP_ABSENT, OP_DENIED, OP_EXISTS, OP_INVALID. */
void operate_user_change(struct operate_user_job *job, struct operate_flow *ret);
/* Ends all its sessions and tokens. Writes users, sessions and tokens. OP_ABSENT. */
void operate_user_sign_out(struct operate_user_job *job, struct operate_flow *ret);
/* Removes it and all that is its own: writes users, credentials, sessions and tokens. One that was cut short is simply
 * done again. OP_ABSENT. */
void operate_user_remove(struct operate_user_job *job, struct operate_flow *ret);
