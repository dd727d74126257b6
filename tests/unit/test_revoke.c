/* RFC 7009, a row per sentence: whose token dies, and what dies with it. */
#include "rows.h"

#include "revoke.h"

static const uint8_t K[DIGEST_KEY_LEN] = "a key", SECRET[REFRESH_SECRET_LEN] = "a secret";
static uint8_t family_id[REFRESH_FAMILY_LEN] = "family number 1";

static Rec__Client *make_client(const void *ctx, const char *client_id)
{
    Rec__Client *client = records_new(ctx, &rec__client__descriptor);
    client->client_id = mem_strdup(ctx, client_id);
    return client;
}

static Rec__Grant *make_grant(const void *ctx, const char *client_id)
{
    Rec__Grant *grant = records_new(ctx, &rec__grant__descriptor);
    grant->client_id = client_id == NULL ? NULL : mem_strdup(ctx, client_id);
    return grant;
}

static void expect(const char *sentence, const struct revoke_plan *plan, enum revoke_action action)
{
    row_equal(sentence, plan->action, action);
    row_equal(sentence, plan->error.code, action == REVOKE_REFUSE ? OAUTH_INVALID_GRANT : OAUTH_OK);
    bool names_family = bytes_equal(plan->family_id, bytes_from(family_id, sizeof family_id));
    row_equal(sentence, names_family || action != REVOKE_FAMILY, true);
}

static void access_tokens(void **state)
{
    (void)state;
    static const struct {
        const char *sentence, *asker, *issued_to;
        bool family;
        enum revoke_action action;
    } rows[] = {
        {"§2.1: an access token; the refresh token of the grant goes too", "app", "app", true, REVOKE_FAMILY},
        {"one that names no family dies alone", "app", "app", false, REVOKE_TOKEN},
        {"§2.1: was issued to another client: the request is refused", "other", "app", true, REVOKE_REFUSE},
        {"the same for a client's own", "other", "app", false, REVOKE_REFUSE},
        {"a client_id that only starts like it", "ap", "app", true, REVOKE_REFUSE},
        {"issued to nobody", "app", NULL, true, REVOKE_REFUSE},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        void *ctx = mem_root("test");
        struct presented_token token = {
            .kind = TOKEN_ACCESS,
            .access = {.grant = make_grant(ctx, rows[i].issued_to), .jti = "j",
                       .family_id = bytes_from(family_id, rows[i].family ? sizeof family_id : 0)},
        };
        struct revoke_plan plan = revoke_decide(&(struct revoke_facts){make_client(ctx, rows[i].asker), &token, NULL});
        expect(rows[i].sentence, &plan, rows[i].action);
        talloc_free(ctx);
    }
}

enum { NONE, STORED, DEAD, MARK };

static void refresh_tokens(void **state)
{
    (void)state;
    static const struct {
        const char *sentence, *asker;
        int family;
        uint32_t generation, newest;
        int change; /* a byte of the tag */
        enum revoke_action action;
    } rows[] = {
        {"§2.1: a refresh token", "app", STORED, 1, 1, 0, REVOKE_FAMILY},
        {"the current generation of several", "app", STORED, 5, 5, 0, REVOKE_FAMILY},
        {"any kept generation", "app", STORED, 1, 16, 0, REVOKE_FAMILY},
        {"§2.2: invalid tokens cause no error: a generation whose hash is gone", "app", STORED, 1, 17, 0, REVOKE_NOTHING},
        {"a generation from the future", "app", STORED, 3, 2, 0, REVOKE_NOTHING},
        {"§2.2: not known", "app", NONE, 1, 1, 0, REVOKE_NOTHING},
        {"a changed token", "app", STORED, 1, 1, 1, REVOKE_NOTHING},
        {"§2.2: revoked already", "app", DEAD, 1, 1, 0, REVOKE_NOTHING},
        {"died before it was stored", "app", MARK, 1, 1, 0, REVOKE_NOTHING},
        {"§2.1: was issued to another client: the request is refused", "other", STORED, 1, 1, 0, REVOKE_REFUSE},
        {"the same for an old generation", "other", STORED, 1, 2, 0, REVOKE_REFUSE},
        {"the same whether it is alive or dead", "other", DEAD, 1, 1, 0, REVOKE_REFUSE},
        {"who guesses learns nothing about the family of another client", "other", STORED, 1, 1, 1, REVOKE_NOTHING},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        void *ctx = mem_root("test");
        Rec__Family *family = records_new(ctx, &rec__family__descriptor);
        struct refresh_token tokens[20];
        family->family_id = (ProtobufCBinaryData){sizeof family_id, family_id};
        family->grant = rows[i].family == MARK ? NULL : make_grant(ctx, "app");
        family->dead = rows[i].family == DEAD || rows[i].family == MARK;
        refresh_token_first(K, family_id, SECRET, &tokens[1]);
        for (uint32_t g = 1; g < COUNT(tokens) - 1; g++)
            refresh_token_next(K, &tokens[g], &tokens[g + 1]);
        if (rows[i].family != MARK)
            refresh_begin(ctx, family, &tokens[1]);
        for (uint32_t g = 1; g < rows[i].newest; g++)
            refresh_apply(ctx, family, &tokens[g], &tokens[g + 1], true, 1000);
        struct presented_token token = {.kind = TOKEN_REFRESH, .refresh = tokens[rows[i].generation]};
        token.refresh.tag[0] ^= (uint8_t)rows[i].change;
        struct revoke_plan plan = revoke_decide(&(struct revoke_facts){
            make_client(ctx, rows[i].asker), &token, rows[i].family == NONE ? NULL : family});
        expect(rows[i].sentence, &plan, rows[i].action);
        talloc_free(ctx);
    }
}

static void what_is_no_token(void **state)
{
    (void)state;
    void *ctx = mem_root("test");
    struct presented_token token = {.kind = TOKEN_UNKNOWN};
    struct revoke_plan plan = revoke_decide(&(struct revoke_facts){make_client(ctx, "app"), &token, NULL});
    expect("§2.2: invalid tokens do not cause an error response", &plan, REVOKE_NOTHING);
    talloc_free(ctx);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(access_tokens),
        cmocka_unit_test(refresh_tokens),
        cmocka_unit_test(what_is_no_token),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
