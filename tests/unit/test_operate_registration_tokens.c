#include "store_script.h"

#include "operator/operate_registration_tokens.h"
#include "store/initial_access_tokens.h"

enum { TOKENS = 20 };

static void what_may_be_made(void **state)
{
    static const char long_note[OPERATE_TOKEN_NOTE_MAX + 2] = {[0 ... OPERATE_TOKEN_NOTE_MAX] = 'a'};
    static const struct {
        struct operate_registration_token wanted;
        const char *member; /* NULL: it may */
    } rows[] = {
        {{NULL, 1, 60}, NULL},
        {{"for the new shop", 0, 0}, NULL},
        {{NULL, OPERATE_TOKEN_USES_MAX, OPERATE_TOKEN_LIFETIME_MAX}, NULL},
        {{NULL, OPERATE_TOKEN_USES_MAX + 1, 60}, "uses"},
        {{NULL, -1, 60}, "uses"},
        {{NULL, 1, OPERATE_TOKEN_LIFETIME_MAX + 1L}, "expires_in"},
        {{NULL, 1, -1}, "expires_in"},
        {{long_note, 1, 60}, "note"},
        {{"\xff", 1, 60}, "note"},
        {{"a\nb", 1, 60}, "note"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct refusal refusal = {NULL, NULL};
        bool may = operate_registration_token_check(&rows[i].wanted, &refusal);
        if (may != (rows[i].member == NULL) || (!may && strcmp(refusal.member, rows[i].member) != 0))
            fail_msg("row %zu: %s", i, may ? "it may" : refusal.member);
    }
}

static enum op_err add(struct kv_txn *txn, void *arg)
{
    struct script *script = arg;
    json_t *shown;
    Rec__InitialAccessToken *record;
    for (int i = 0; i < TOKENS; i++) {
        const struct operate_registration_token wanted = {"note", i % 2, i % 3 == 0 ? 0 : 60};
        const char *token = mem_printf(script->ctx, "token%d", i);
        CHECK(operate_registration_tokens_add(txn, script->ctx, token, &wanted, &shown) == OP_OK);
        CHECK(initial_access_tokens_get(txn, script->ctx, token, &record) == OP_OK);
        CHECK(record->has_uses_left == (i % 2 == 1) && record->has_expires_at == (i % 3 != 0));
        CHECK(strstr(json_text(script->ctx, shown), token) == NULL);
    }
    return OP_OK;
}

static enum op_err list_and_revoke(struct kv_txn *txn, void *arg)
{
    struct script *script = arg;
    size_t count = 0;
    struct listing part = {NULL, NULL};
    const char *id = NULL;
    do {
        CHECK(operate_registration_tokens_list(txn, script->ctx, part.next, 3, &part) == OP_OK && count <= TOKENS);
        count += json_array_size(part.items);
        id = json_string_value(json_object_get(json_array_get(part.items, 0), "id"));
    } while (part.next != NULL);
    CHECK(count == TOKENS);
    CHECK(operate_registration_tokens_list(txn, script->ctx, "xyz", 3, &part) == OP_INVALID);
    CHECK(operate_registration_tokens_revoke(txn, script->ctx, id) == OP_OK);
    CHECK(operate_registration_tokens_revoke(txn, script->ctx, id) == OP_ABSENT);
    CHECK(operate_registration_tokens_revoke(txn, script->ctx, "00") == OP_INVALID);
    return OP_OK;
}

static void tokens_are_made_listed_and_revoked(void **state)
{
    (void)state;
    RUN(KV_CLIENTS, add, list_and_revoke);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_may_be_made),
        cmocka_unit_test(tokens_are_made_listed_and_revoked),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
