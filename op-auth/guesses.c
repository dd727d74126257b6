#include "guesses.h"

#include <ctype.h>

#include "auth.h"
#include "runtime/server.h"

struct guess {
    const char *account, *address;
    unsigned wait;
    guesses_done *done;
    void *arg;
};

/* Usernames are found by their ASCII lower case: so they are counted. */
static char *lower_case(const void *ctx, const char *s)
{
    char *copy = mem_strdup(ctx, s);
    for (char *p = copy; *p != '\0'; p++)
        *p = (char)tolower((unsigned char)*p);
    return copy;
}

static enum op_err count(struct kv_txn *txn, void *arg)
{
    struct guess *guess = arg;
    guess->wait = 0;
    enum op_err err = OP_OK;
    if (*guess->address != '\0')
        err = guard_try(txn, &auth.address_limit, guess->address, &guess->wait);
    if (err == OP_OK && guess->wait == 0)
        err = guard_try(txn, &auth.account_limit, guess->account, &guess->wait);
    return err;
}

static void counted(enum op_err result, void *arg)
{
    const struct guess *guess = arg;
    guess->done(result, guess->wait, guess->arg);
}

void guesses_count(struct http_request *req, const char *account, const char *address, guesses_done *done, void *arg)
{
    struct guess *guess = mem_new(req, struct guess);
    guess->account = lower_case(guess, account);
    guess->address = guard_address(guess, address);
    guess->done = done;
    guess->arg = arg;
    kv_run(server_kv(), KV_GUARD, count, counted, guess);
}

static enum op_err forget(struct kv_txn *txn, void *arg)
{
    const struct guess *guess = arg;
    enum op_err err = guard_reset(txn, &auth.account_limit, guess->account);
    if (err == OP_OK && *guess->address != '\0')
        err = guard_take_back(txn, &auth.address_limit, guess->address);
    return err;
}

static enum op_err take_back(struct kv_txn *txn, void *arg)
{
    const struct guess *guess = arg;
    enum op_err err = guard_take_back(txn, &auth.account_limit, guess->account);
    if (err == OP_OK && *guess->address != '\0')
        err = guard_take_back(txn, &auth.address_limit, guess->address);
    return err;
}

static void forgotten(enum op_err result, void *arg)
{
    (void)result; /* it drains by itself */
    talloc_free(arg);
}

static void run_soon(kv_work *work, const char *account, const char *address)
{
    struct guess *guess = mem_new(NULL, struct guess);
    guess->account = lower_case(guess, account);
    guess->address = guard_address(guess, address);
    kv_run(server_kv(), KV_GUARD, work, forgotten, guess);
}

void guesses_forget(const char *account, const char *address)
{
    run_soon(forget, account, address);
}

void guesses_take_back(const char *account, const char *address)
{
    run_soon(take_back, account, address);
}
