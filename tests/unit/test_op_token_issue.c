/* Whom an access token is for. */
#include "rows.h"

#include "issue.h"

#define ISSUER "https://op.example"

static const struct row {
    const char *name, *granted, *scope, *audiences, *asked;
} ROWS[] = {
    {"no audience: access_token_claims falls back to the issuer", "", "openid", ""},
    {"openid adds the issuer, whose userinfo endpoint asks for it",
     "https://api.example", "openid", "https://api.example " ISSUER},
    {"two and the issuer",
     "https://a.example https://b.example", "email openid", "https://a.example https://b.example " ISSUER},
    {"never twice", ISSUER " https://a.example", "openid", ISSUER " https://a.example"},
    {"without openid nothing is added", "https://api.example", "email", "https://api.example"},
    {"those that the request names (RFC 9068 §3)",
     "https://a.example https://b.example", "email", "https://b.example", "https://b.example"},
    {"and the issuer for openid", "https://a.example https://b.example", "openid", "https://b.example " ISSUER, "https://b.example"},
    {"not twice, where the issuer itself is named", ISSUER " https://b.example", "openid", ISSUER, ISSUER},
    {"the issuer stays out where it was not named and openid is left out", ISSUER " https://b.example", "email",
     "https://b.example", "https://b.example"},
};

static void audiences(void **state)
{
    (void)state;
    void *ctx = mem_root("test");
    for (size_t i = 0; i < COUNT(ROWS); i++) {
        struct scope_list scopes = scope_parse(ctx, ROWS[i].scope), granted = scope_parse(ctx, ROWS[i].granted),
                          asked = scope_parse(ctx, ROWS[i].asked);
        Rec__Grant grant = REC__GRANT__INIT;
        grant.audiences = granted.items;
        grant.n_audiences = granted.count;
        Rec__Grant *got = issue_grant(ctx, &grant, &asked, &scopes, ISSUER);
        row_string(ROWS[i].name, scope_text(ctx, got->audiences, got->n_audiences), ROWS[i].audiences);
        row_equal(ROWS[i].name, (long)grant.n_audiences, (long)granted.count);
    }
    talloc_free(ctx);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(audiences)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
