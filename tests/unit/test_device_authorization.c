/* What is stored when a device asks (RFC 8628 §3.1, §3.2). */
#include "rows.h"

#include "device_authorization.h"
#include "protocol/authorize_request.h"

static void what_is_stored(void **state)
{
    (void)state;
    void *ctx = mem_root("test");
    char *scopes[] = {(char[]){"openid"}, (char[]){"profile"}}, *resources[] = {(char[]){"https://api.example/"}};
    Rec__Client client = REC__CLIENT__INIT;
    client.client_id = (char[]){"tv"};
    struct scope_list asked = {scopes, 2}, for_whom = {resources, 1}, nobody = {NULL, 0};
    Rec__DeviceRequest *record = device_authorization_record(ctx, &client, &asked, &for_whom, 7, 600, 1000);
    assert_string_equal(record->client_id, "tv");
    assert_true(record->n_scopes == 2 && record->n_resources == 1);
    assert_string_equal(record->scopes[1], "profile");
    assert_string_equal(record->resources[0], "https://api.example/");
    assert_true(record->created_at == 1000 && record->expires_at == 1600 && record->interval == 7);
    assert_true(record->has_created_at && record->has_expires_at && record->has_interval);
    assert_true(record->grant == NULL && !record->denied && !record->has_polled_at && record->user_code == NULL);
    assert_int_equal(device_authorization_record(ctx, &client, &asked, &nobody, 5, 1, 0)->n_resources, 0);
    talloc_free(ctx);
}

/* The scopes of a device are judged as those of /authorize are (RFC 6749 §3.3, OpenID Connect Core §3.1.2.1, §11). */
static void scopes_are_those_of_authorize(void **state)
{
    (void)state;
    static const struct { const char *sentence, *asked; bool refresh; const char *kept; } rows[] = {
        {"what is registered may be asked for", "openid profile", true, "openid profile"},
        {"in the order that was asked for, each once", "profile openid profile", true, "profile openid"},
        {"one that nobody knows is ignored", "openid magic", true, "openid"},
        {"the operator's own, registered", "openid own", true, "openid own"},
        {"offline_access with the refresh_token grant", "openid offline_access", true, "openid offline_access"},
        {"offline_access is ignored without", "openid offline_access", false, "openid"},
        {"one that is known here but not registered is refused", "openid email", true, NULL},
        {"none", NULL, true, NULL},
        {"an empty one", "", true, NULL},
        {"only such as nobody knows", "magic", true, NULL},
        {"not a list of scopes", "openid  profile", true, NULL},
    };
    void *ctx = mem_root("test");
    struct scope_catalogue catalogue;
    const char *why;
    assert_int_equal(scope_catalogue_make(ctx, NULL, 0, &catalogue, &why), OP_OK);
    char *registered[] = {(char[]){"openid"}, (char[]){"profile"}, (char[]){"offline_access"}, (char[]){"own"}};
    char *grants[] = {(char[]){"refresh_token"}};
    for (size_t i = 0; i < COUNT(rows); i++) {
        Rec__Client client = REC__CLIENT__INIT;
        client.scopes = registered;
        client.n_scopes = COUNT(registered);
        client.grant_types = grants;
        client.n_grant_types = rows[i].refresh ? 1 : 0;
        struct scope_list kept;
        struct oauth_error error = {OAUTH_OK, NULL};
        enum op_err err = authorize_scopes(ctx, rows[i].asked, &client, &catalogue, &kept, &error);
        row_string(rows[i].sentence, err == OP_OK ? scope_text(ctx, kept.items, kept.count) : NULL, rows[i].kept);
        row_equal(rows[i].sentence, error.code, err == OP_OK ? OAUTH_OK : OAUTH_INVALID_SCOPE);
    }
    talloc_free(ctx);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_stored),
        cmocka_unit_test(scopes_are_those_of_authorize),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
