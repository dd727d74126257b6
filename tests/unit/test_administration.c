/* Who may call the administration API: at the token endpoint, and at the API itself. */
#include "rows.h"

#include "protocol/administration.h"

#define RESOURCE "https://op.example/admin"

static char users[] = "users", clients_read[] = "clients:read";
static char s_users[] = "admin:users", s_users_read[] = "admin:users:read", s_clients_read[] = "admin:clients:read",
            s_clients[] = "admin:clients", s_openid[] = "openid", other[] = "https://api.example", resource[] = RESOURCE;

static void words_are_told_apart(void **state)
{
    (void)state;
    static const struct {
        const char *word;
        bool is_power, is_scope;
    } rows[] = {
        {"users", true, false},         {"users:read", true, false},  {"users:write", false, false},
        {"user", false, false},         {"usersx", false, false},     {"", false, false},
        {"admin:users", false, true},   {"admin:", false, true},      {"admin", false, false},
        {"registration-tokens:read", true, false}, {"keys", true, false}, {"administrator", false, false},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        row_equal(rows[i].word, administration_is_power(rows[i].word), rows[i].is_power);
        row_equal(rows[i].word, administration_is_scope(rows[i].word), rows[i].is_scope);
    }
}

static void tokens_are_granted(void **state)
{
    (void)state;
    char *powers[] = {users, clients_read};
    static const struct {
        const char *what;
        size_t powers;
        const char *asked;
        size_t resources;
        const char *scopes; /* NULL: refused */
        enum oauth_code code;
    } rows[] = {
        {"all that the client may", 2, NULL, 1, "admin:users admin:clients:read", OAUTH_OK},
        {"what it asks for", 2, "admin:users", 1, "admin:users", OAUTH_OK},
        {"less than a power is not in the list", 2, "admin:users:read", 1, NULL, OAUTH_INVALID_SCOPE},
        {"more than it may", 2, "admin:users admin:clients", 1, NULL, OAUTH_INVALID_SCOPE},
        {"another scope", 2, "admin:users openid", 1, NULL, OAUTH_INVALID_SCOPE},
        {"a client without power", 0, NULL, 1, NULL, OAUTH_INVALID_TARGET},
        {"a client without power that asks", 0, "admin:users", 1, NULL, OAUTH_INVALID_TARGET},
        {"another resource beside it", 2, NULL, 2, NULL, OAUTH_INVALID_TARGET},
    };
    void *ctx = mem_root("test");
    for (size_t i = 0; i < COUNT(rows); i++) {
        Rec__Client *client = records_new(ctx, &rec__client__descriptor);
        client->administration = powers;
        client->n_administration = rows[i].powers;
        const char *names[] = {resource, other};
        struct param_list resources = {.items = names, .count = rows[i].resources};
        struct scope_list asked = scope_parse(ctx, rows[i].asked), scopes = {.count = 0};
        struct oauth_error error = {.code = OAUTH_OK};
        enum op_err err = administration_grant(ctx, client, &asked, &resources, &scopes, &error);
        row_equal(rows[i].what, err, rows[i].scopes == NULL ? OP_INVALID : OP_OK);
        row_equal(rows[i].what, error.code, rows[i].code);
        row_string(rows[i].what, err == OP_OK ? scope_text(ctx, scopes.items, scopes.count) : NULL, rows[i].scopes);
        row_equal(rows[i].what, administration_is_asked(&resources, RESOURCE), true);
        row_equal(rows[i].what, administration_is_asked(&resources, "https://op.example"), false);
    }
    talloc_free(ctx);
}

static void tokens_are_judged(void **state)
{
    (void)state;
    static const struct {
        const char *what;
        char *audience, *scope, *power, *user_id;
        const char *family;
        bool no_client;
        enum family_verdict alive;
        struct administration_wish wish;
        enum oauth_code code;
    } rows[] = {
        {"to look", resource, s_users, users, NULL, "", false, FAMILY_ALIVE, {"users", false}, OAUTH_OK},
        {"to change", resource, s_users, users, NULL, "", false, FAMILY_ALIVE, {"users", true}, OAUTH_OK},
        {"read to look", resource, s_clients_read, clients_read, NULL, "", false, FAMILY_ALIVE, {"clients", false},
         OAUTH_OK},
        {"read to change", resource, s_clients_read, clients_read, NULL, "", false, FAMILY_ALIVE, {"clients", true},
         OAUTH_INSUFFICIENT_SCOPE},
        {"a narrower token of a client that may", resource, s_users_read, users, NULL, "", false, FAMILY_ALIVE,
         {"users", true}, OAUTH_INSUFFICIENT_SCOPE},
        {"another noun", resource, s_users, users, NULL, "", false, FAMILY_ALIVE, {"clients", false},
         OAUTH_INSUFFICIENT_SCOPE},
        {"the power was taken back", resource, s_clients, clients_read, NULL, "", false, FAMILY_ALIVE, {"clients", true},
         OAUTH_INSUFFICIENT_SCOPE},
        {"no power, whatever the token says", resource, s_users, NULL, NULL, "", false, FAMILY_ALIVE, {"users", false},
         OAUTH_INSUFFICIENT_SCOPE},
        {"no scope of ours", resource, s_openid, users, NULL, "", false, FAMILY_ALIVE, {"users", false},
         OAUTH_INSUFFICIENT_SCOPE},
        {"for another audience", other, s_users, users, NULL, "", false, FAMILY_ALIVE, {"users", false},
         OAUTH_INVALID_TOKEN},
        {"of a person", resource, s_users, users, users, "", false, FAMILY_ALIVE, {"users", false}, OAUTH_INVALID_TOKEN},
        {"of a family", resource, s_users, users, NULL, "0123456789abcdef", false, FAMILY_ALIVE, {"users", false},
         OAUTH_INVALID_TOKEN},
        {"revoked", resource, s_users, users, NULL, "", false, FAMILY_DEAD, {"users", false}, OAUTH_INVALID_TOKEN},
        {"of a client that is disabled", resource, s_users, users, NULL, "", false, FAMILY_CLIENT_GONE,
         {"users", false}, OAUTH_INVALID_TOKEN},
        {"of a client that is gone", resource, s_users, users, NULL, "", true, FAMILY_CLIENT_GONE, {"users", false},
         OAUTH_INVALID_TOKEN},
    };
    void *ctx = mem_root("test");
    for (size_t i = 0; i < COUNT(rows); i++) {
        char *audiences[] = {rows[i].audience}, *scopes[] = {rows[i].scope}, *powers[] = {rows[i].power};
        Rec__Client *client = records_new(ctx, &rec__client__descriptor);
        client->administration = powers;
        client->n_administration = rows[i].power != NULL;
        struct access_token token = {.grant = records_new(ctx, &rec__grant__descriptor),
                                     .family_id = bytes_of(rows[i].family)};
        token.grant->audiences = audiences;
        token.grant->scopes = scopes;
        token.grant->n_audiences = token.grant->n_scopes = 1;
        token.grant->user_id = rows[i].user_id;
        struct oauth_error error = {.code = OAUTH_OK};
        enum op_err err = administration_admit(ctx, &token, RESOURCE, rows[i].no_client ? NULL : client, rows[i].alive,
                                               &rows[i].wish, &error);
        row_equal(rows[i].what, err, rows[i].code == OAUTH_OK ? OP_OK : OP_DENIED);
        row_equal(rows[i].what, error.code, rows[i].code);
    }
    assert_string_equal(administration_scope_for(ctx, &(struct administration_wish){"users", false}),
                        "admin:users:read");
    assert_string_equal(administration_scope_for(ctx, &(struct administration_wish){"users", true}), "admin:users");
    assert_string_equal(administration_resource(ctx, "https://op.example"), RESOURCE);
    talloc_free(ctx);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(words_are_told_apart),
        cmocka_unit_test(tokens_are_granted),
        cmocka_unit_test(tokens_are_judged),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
