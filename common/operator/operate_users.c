#include "operator/operate_users.h"

#include <string.h>
#include <strings.h>

#include "base/rand.h"
#include "data/form.h"
#include "operator/operate_families.h"
#include "operator/operate_sessions.h"
#include "operator/operate_since.h"
#include "operator/operate_user_claims.h"
#include "store/consents.h"
#include "store/credentials.h"
#include "store/users.h"

enum { USER_ID_BYTES = 16, LOOKED_AT_MAX = 1000, CONSENTS_AT_ONCE = 256 };

/* --- checks --- */

const char *operate_username_problem(const char *username)
{
    size_t len = strlen(username);
    if (len == 0 || len > OPERATE_USERNAME_MAX)
        return "is not 1 to 128 bytes";
    if (!form_is_utf8(bytes_of(username)))
        return "is not UTF-8 text";
    if (!form_is_plain(bytes_of(username)))
        return "has control characters, or others that nobody sees";
    return username[0] == ' ' || username[len - 1] == ' ' ? "begins or ends with a space" : NULL;
}

const char *operate_password_problem(const char *password)
{
    size_t characters = 0;
    if (strlen(password) > OPERATE_PASSWORD_MAX)
        return "is longer than 1024 bytes";
    if (!form_is_utf8(bytes_of(password)))
        return "is not UTF-8 text";
    for (const char *p = password; *p != '\0'; p++) {
        if ((unsigned char)*p < 0x20 || *p == 0x7f)
            return "has control characters in it";
        characters += ((unsigned char)*p & 0xc0) != 0x80;
    }
    return characters < OPERATE_PASSWORD_MIN ? "is shorter than 8 characters" : NULL;
}

/* --- what is shown --- */

json_t *operate_user_json(const void *ctx, const Rec__User *user)
{
    json_t *object = json_make_object(ctx);
    bool unreadable = user->needs > RECORDS_FORMAT;
    json_set_string(object, "username", user->username);
    json_set_string(object, "user_id", user->user_id);
    json_set_string(object, "state", unreadable ? "unreadable" : user->disabled ? "disabled" : "enabled");
    json_set_time(object, "created_at", user->created_at);
    json_set_time(object, "updated_at", user->updated_at);
    json_set_time(object, "since", user->since);
    json_set(object, "claims", operate_user_claims_json(ctx, user));
    return object;
}

/* --- list, find --- */

static enum op_err list_one(struct kv_txn *txn, const void *ctx, const char *username, const char *after,
                            struct listing *ret)
{
    Rec__User *user;
    struct listing listing = {.items = json_make_array(ctx)};
    enum op_err err = users_find(txn, ctx, username, &user);
    if (err == OP_OK && (after == NULL || strcmp(user->user_id, after) > 0))
        json_array_append(listing.items, operate_user_json(ctx, user));
    if (err == OP_OK || err == OP_ABSENT)
        *ret = listing;
    return err == OP_ABSENT ? OP_OK : err;
}

static bool is_wanted(const Rec__User *user, const char *prefix)
{
    return prefix == NULL || (user->username != NULL && strncasecmp(user->username, prefix, strlen(prefix)) == 0);
}

enum op_err operate_users_list(struct kv_txn *txn, const void *ctx, const struct operate_users_filter *filter,
                               const char *after, size_t limit, struct listing *ret)
{
    if (filter->username != NULL)
        return list_one(txn, ctx, filter->username, after, ret);
    Rec__User **users;
    size_t count, looked_at = filter->prefix == NULL ? limit : LOOKED_AT_MAX;
    enum op_err err = users_list(txn, ctx, after, looked_at + 1, &users, &count);
    if (err != OP_OK)
        return err;
    struct listing listing = {.items = json_make_array(ctx)};
    size_t i = 0;
    for (; i < count && i < looked_at && json_array_size(listing.items) < limit; i++)
        if (is_wanted(users[i], filter->prefix))
            json_array_append(listing.items, operate_user_json(ctx, users[i]));
    listing.next = i < count ? users[i - 1]->user_id : NULL;
    *ret = listing;
    return OP_OK;
}

enum op_err operate_users_find(struct kv_txn *txn, const void *ctx, const char *name, Rec__User **ret)
{
    enum op_err err = users_find(txn, ctx, name, ret);
    return err == OP_ABSENT ? users_get(txn, ctx, name, ret) : err;
}

enum op_err operate_users_find_id(struct kv_txn *txn, const void *ctx, const char *name, char **ret)
{
    Rec__User *user;
    enum op_err err = users_find_id(txn, ctx, name, ret);
    if (err != OP_ABSENT)
        return err;
    err = users_get(txn, ctx, name, &user);
    if (err == OP_OK || err == OP_DENIED || err == OP_BROKEN) {
        *ret = mem_strdup(ctx, name);
        return OP_OK;
    }
    return err;
}

enum op_err operate_users_has_password(struct kv_txn *txn, const void *ctx, const char *user_id, bool *ret)
{
    Rec__Password *password;
    enum op_err err = credentials_get_password(txn, ctx, user_id, &password);
    if (err != OP_OK && err != OP_ABSENT && err != OP_DENIED)
        return err;
    *ret = err != OP_ABSENT;
    return OP_OK;
}

/* --- works of the flows --- */

static void move_since(struct kv_txn *txn, struct operate_user_job *job)
{
    job->since = operate_since(kv_now(txn), job->user->since);
    job->user->has_since = true;
    job->user->since = job->since;
}

static bool apply(const void *ctx, const struct operate_user_change *change, Rec__User *user,
                  struct refusal *ret_refusal)
{
    const char *wrong = change->username == NULL ? NULL : operate_username_problem(change->username);
    if (wrong != NULL) {
        *ret_refusal = (struct refusal){"username", wrong};
        return false;
    }
    if (change->username != NULL)
        user->username = mem_strdup(ctx, change->username);
    if (change->enable || change->disable) {
        user->has_disabled = true;
        user->disabled = change->disable;
    }
    return change->claims == NULL ||
           operate_user_claims_change(ctx, user, change->claims, change->whole_claims, ret_refusal);
}

static enum op_err name_taken(struct operate_user_job *job, enum op_err err)
{
    if (err == OP_EXISTS)
        job->refusal = (struct refusal){"username", "is somebody else's already"};
    return err;
}

static enum op_err insert(struct kv_txn *txn, void *arg)
{
    struct operate_user_job *job = arg;
    Rec__User *user = records_new(job->ctx, &rec__user__descriptor);
    user->user_id = mem_strdup(job->ctx, job->user_id);
    if (!apply(job->ctx, job->change, user, &job->refusal))
        return OP_INVALID;
    user->has_created_at = user->has_updated_at = true;
    user->created_at = user->updated_at = kv_now(txn);
    job->user = user;
    return name_taken(job, users_insert(txn, user));
}

static enum op_err admit(const struct operate_user_job *job)
{
    return job->admit == NULL ? OP_OK : job->admit(job->user, job->admit_arg);
}

static bool signs_out(const struct operate_user_change *change)
{
    return change->disable || change->phc != NULL;
}

static enum op_err change_record(struct kv_txn *txn, void *arg)
{
    struct operate_user_job *job = arg;
    enum op_err err = users_get(txn, job->ctx, job->user_id, &job->user);
    if (err == OP_OK)
        err = admit(job);
    if (err != OP_OK)
        return err;
    if (!apply(job->ctx, job->change, job->user, &job->refusal))
        return OP_INVALID;
    if (signs_out(job->change))
        move_since(txn, job);
    if (job->change->username != NULL || job->change->claims != NULL) {
        job->user->has_updated_at = true;
        job->user->updated_at = kv_now(txn);
    }
    return name_taken(job, users_update(txn, job->user));
}

/* For whoever signed in with the old password while the new one was being stored. */
static enum op_err move_since_again(struct kv_txn *txn, void *arg)
{
    struct operate_user_job *job = arg;
    enum op_err err = users_get(txn, job->ctx, job->user_id, &job->user);
    if (err != OP_OK)
        return err;
    move_since(txn, job);
    return users_update(txn, job->user);
}

static enum op_err put_password(struct kv_txn *txn, void *arg)
{
    struct operate_user_job *job = arg;
    Rec__Password *record;
    enum op_err err = credentials_get_password(txn, job->ctx, job->user_id, &record);
    if (err == OP_ABSENT)
        record = records_new(job->ctx, &rec__password__descriptor);
    else if (err != OP_OK)
        return err;
    record->user_id = mem_strdup(record, job->user_id);
    record->phc = mem_strdup(record, job->change->phc);
    record->has_imported = record->imported = false;
    record->has_changed_at = true;
    record->changed_at = kv_now(txn);
    job->step.password = true;
    return credentials_put_password(txn, record);
}

static enum op_err end_sessions(struct kv_txn *txn, void *arg)
{
    struct operate_user_job *job = arg;
    size_t count;
    enum op_err err = operate_sessions_end_of_user(txn, job->ctx, job->user_id, &count);
    if (err != OP_OK)
        return err;
    job->step.again = count == OPERATE_SESSIONS_AT_ONCE;
    job->step.sessions = count;
    return OP_OK;
}

static enum op_err revoke_families(struct kv_txn *txn, void *arg)
{
    struct operate_user_job *job = arg;
    const struct operate_families_filter filter = {.user_id = job->user_id};
    json_t *revoked;
    enum op_err err = operate_families_revoke_all(txn, job->ctx, &filter, job->step.reason, job->step.after, &revoked,
                                                  &job->step.next);
    if (err != OP_OK)
        return err;
    job->step.again = job->step.next != NULL;
    job->step.families = json_array_size(revoked);
    return OP_OK;
}

/* --- removing --- */

/* A record of a newer version cannot be changed; what it has can be ended, and it can be deleted. */
static enum op_err get_to_end(struct kv_txn *txn, struct operate_user_job *job, bool *ret_readable)
{
    enum op_err err = users_get(txn, job->ctx, job->user_id, &job->user);
    *ret_readable = err == OP_OK;
    if (err == OP_DENIED || err == OP_BROKEN) {
        job->user = records_new(job->ctx, &rec__user__descriptor);
        job->user->user_id = mem_strdup(job->ctx, job->user_id);
        err = OP_OK;
    }
    return err == OP_OK ? admit(job) : err;
}

static enum op_err take_power(struct kv_txn *txn, void *arg)
{
    struct operate_user_job *job = arg;
    bool readable;
    enum op_err err = get_to_end(txn, job, &readable);
    if (err != OP_OK || !readable)
        return err;
    move_since(txn, job);
    return users_update(txn, job->user);
}

/* Disabled first, while it can still be found by name. */
static enum op_err disable_user(struct kv_txn *txn, void *arg)
{
    struct operate_user_job *job = arg;
    bool readable;
    enum op_err err = get_to_end(txn, job, &readable);
    if (err != OP_OK || !readable)
        return err;
    job->user->has_disabled = job->user->disabled = true;
    move_since(txn, job);
    return users_update(txn, job->user);
}

static enum op_err delete_password(struct kv_txn *txn, void *arg)
{
    const struct operate_user_job *job = arg;
    enum op_err err = credentials_delete_password(txn, job->user_id);
    return err == OP_ABSENT ? OP_OK : err;
}

static enum op_err delete_consents(struct kv_txn *txn, void *arg)
{
    struct operate_user_job *job = arg;
    Rec__Consent **consents;
    size_t count = 0;
    enum op_err err = consents_list_of_user(txn, job->ctx, job->user_id, NULL, CONSENTS_AT_ONCE, &consents, &count);
    for (size_t i = 0; err == OP_OK && i < count; i++)
        err = consents_delete(txn, job->user_id, consents[i]->client_id);
    job->step.again = err == OP_OK && count == CONSENTS_AT_ONCE;
    return err;
}

static enum op_err delete_user(struct kv_txn *txn, void *arg)
{
    const struct operate_user_job *job = arg;
    return users_delete(txn, job->user_id);
}

/* --- the flows --- */

static bool count_step(void *arg)
{
    struct operate_user_job *job = arg;
    bool again = job->step.again;
    job->has_set_password = job->has_set_password || job->step.password;
    job->sessions_ended += job->step.sessions;
    job->families_revoked += job->step.families;
    job->step.after = job->step.next;
    job->step.sessions = job->step.families = 0;
    job->step.again = false;
    return again;
}

static void sign_out(struct operate_flow *flow)
{
    operate_flow_add(flow, KV_SESSIONS, end_sessions);
    operate_flow_add(flow, KV_TOKENS, revoke_families);
}

void operate_user_add(struct operate_user_job *job, struct operate_flow *ret)
{
    *ret = (struct operate_flow){.arg = job, .again = count_step};
    job->user_id = rand_token(job->ctx, USER_ID_BYTES);
    operate_flow_add(ret, KV_USERS, insert);
    if (job->change->phc != NULL)
        operate_flow_add(ret, KV_CREDENTIALS, put_password);
}

void operate_user_change(struct operate_user_job *job, struct operate_flow *ret)
{
    *ret = (struct operate_flow){.arg = job, .again = count_step};
    job->step.reason = "signed_out";
    operate_flow_add(ret, KV_USERS, change_record);
    if (job->change->phc != NULL) {
        operate_flow_add(ret, KV_CREDENTIALS, put_password);
        operate_flow_add(ret, KV_USERS, move_since_again);
    }
    if (signs_out(job->change))
        sign_out(ret);
}

void operate_user_sign_out(struct operate_user_job *job, struct operate_flow *ret)
{
    *ret = (struct operate_flow){.arg = job, .again = count_step};
    job->step.reason = "signed_out";
    operate_flow_add(ret, KV_USERS, take_power);
    sign_out(ret);
}

void operate_user_remove(struct operate_user_job *job, struct operate_flow *ret)
{
    *ret = (struct operate_flow){.arg = job, .again = count_step};
    job->step.reason = "revoked";
    operate_flow_add(ret, KV_USERS, disable_user);
    operate_flow_add(ret, KV_CREDENTIALS, delete_password);
    sign_out(ret);
    operate_flow_add(ret, KV_SESSIONS, delete_consents);
    operate_flow_add(ret, KV_USERS, delete_user);
}
