/* RFC 7662, a row per sentence: who is told what about which token. */
#include "rows.h"

#include "introspect.h"

#define ISSUER "https://op.example"

enum { NOW = 1000000, LOST = 600, RACE = 60 };

static const struct refresh_windows WINDOWS = {LOST, RACE};
static const uint8_t K[DIGEST_KEY_LEN] = "a key", FAMILY_ID[REFRESH_FAMILY_LEN] = "family number 1",
                     SECRET[REFRESH_SECRET_LEN] = "a secret";

static char **words(const void *ctx, const char *text, size_t *ret_count)
{
    size_t count = 0;
    char **items = mem_array(ctx, char *, 8), *rest = mem_strdup(ctx, text == NULL ? "" : text);
    for (char *word = strtok(rest, " "); word != NULL; word = strtok(NULL, " "))
        items[count++] = word;
    *ret_count = count;
    return items;
}

static Rec__Client *make_client(const void *ctx, const char *client_id, const char *audiences, bool allowed)
{
    Rec__Client *client = records_new(ctx, &rec__client__descriptor);
    client->client_id = mem_strdup(ctx, client_id);
    client->audiences = words(ctx, audiences, &client->n_audiences);
    client->introspection_allowed = allowed;
    return client;
}

static Rec__Grant *make_grant(const void *ctx, const char *scopes, const char *audiences)
{
    Rec__Grant *grant = records_new(ctx, &rec__grant__descriptor);
    grant->client_id = mem_strdup(ctx, "app");
    grant->user_id = mem_strdup(ctx, "u1");
    grant->scopes = words(ctx, scopes, &grant->n_scopes);
    grant->audiences = words(ctx, audiences, &grant->n_audiences);
    return grant;
}

static const struct access_row {
    const char *sentence;
    const char *asker, *askers_audiences;
    bool allowed;
    const char *aud;
    enum family_verdict alive;
    bool active;
} ACCESS[] = {
    {"§2.2: \"true\" means it was issued, has not been revoked, and is within its time window",
     "app", NULL, false, ISSUER, FAMILY_ALIVE, true},
    {"§4: a protected resource asks about a token meant for it, by its client_id",
     "api", NULL, true, "api", FAMILY_ALIVE, true},
    {"by an audience of its registration", "api", "https://api.example", true, "https://api.example", FAMILY_ALIVE, true},
    {"one audience of several", "api", "https://a.example https://b.example", true, ISSUER " https://b.example",
     FAMILY_ALIVE, true},
    {"§2.2: a token that the protected resource is not allowed to know about: no introspection_allowed",
     "api", "https://api.example", false, "https://api.example api", FAMILY_ALIVE, false},
    {"one that is not meant for it", "api", "https://api.example", true, "https://other.example", FAMILY_ALIVE, false},
    {"one that is meant for the issuer alone", "api", "https://api.example", true, ISSUER, FAMILY_ALIVE, false},
    {"an audience that only starts like its own", "api", "https://api.example", true, "https://api.example/x", FAMILY_ALIVE,
     false},
    {"a client_id that only starts like its own", "api", NULL, true, "api2", FAMILY_ALIVE, false},
    {"another client that is no resource server", "other", NULL, false, ISSUER, FAMILY_ALIVE, false},
    {"the sub of the token is nobody's client_id", "u1", NULL, true, ISSUER, FAMILY_ALIVE, false},
    {"§2.2: has been revoked", "app", NULL, false, ISSUER, FAMILY_DEAD, false},
    {"revoked, and a resource server asks", "api", NULL, true, "api", FAMILY_DEAD, false},
    {"§4: has expired", "app", NULL, false, ISSUER, FAMILY_EXPIRED, false},
    {"the session it leans on has ended", "app", NULL, false, ISSUER, FAMILY_SESSION_ENDED, false},
    {"the consent was withdrawn", "api", NULL, true, "api", FAMILY_CONSENT_WITHDRAWN, false},
    {"the user is gone", "api", NULL, true, "api", FAMILY_USER_GONE, false},
    {"the client it was issued to is gone", "api", NULL, true, "api", FAMILY_CLIENT_GONE, false},
};

static void who_is_told_of_an_access_token(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(ACCESS); i++) {
        const struct access_row *row = &ACCESS[i];
        void *ctx = mem_root("test");
        struct presented_token token = {.kind = TOKEN_ACCESS, .access = {.grant = make_grant(ctx, "openid", row->aud)}};
        struct introspect_facts facts = {
            .client = make_client(ctx, row->asker, row->askers_audiences, row->allowed),
            .token = &token,
            .alive = row->alive,
            .windows = WINDOWS,
            .now = NOW,
        };
        row_equal(row->sentence, introspect_decide(&facts), row->active);
        talloc_free(ctx);
    }
}

/* A family at its third generation: the first was rotated at NOW - 30, the second at NOW - 20 when it was
 * first presented. */
struct family_story {
    Rec__Family *family;
    struct refresh_token tokens[5];
};

static struct family_story tell(const void *ctx)
{
    struct family_story story = {.family = records_new(ctx, &rec__family__descriptor)};
    story.family->grant = make_grant(ctx, "openid profile", "api");
    struct bytes id = mem_bytes(ctx, bytes_from(FAMILY_ID, sizeof FAMILY_ID));
    story.family->family_id = (ProtobufCBinaryData){id.len, (uint8_t *)(uintptr_t)id.data};
    story.family->idle_expires_at = NOW + 100;
    story.family->expires_at = NOW + 200;
    refresh_token_first(K, FAMILY_ID, SECRET, &story.tokens[1]);
    refresh_begin(ctx, story.family, &story.tokens[1]);
    for (uint32_t g = 1; g <= 2; g++) {
        refresh_token_next(K, &story.tokens[g], &story.tokens[g + 1]);
        refresh_apply(ctx, story.family, &story.tokens[g], &story.tokens[g + 1], true, NOW - 40 + 10 * g);
    }
    refresh_token_next(K, &story.tokens[3], &story.tokens[4]);
    return story;
}

static const struct refresh_row {
    const char *sentence;
    const char *asker;
    bool allowed, stored;
    uint32_t generation;
    int64_t later; /* seconds */
    enum family_verdict alive;
    bool active;
} REFRESH[] = {
    {"§2.1: the current refresh token of the client that asks", "app", false, true, 3, 0, FAMILY_ALIVE, true},
    {"its predecessor, which op-token would answer", "app", false, true, 2, 0, FAMILY_ALIVE, true},
    {"until the end of the window for lost answers", "app", false, true, 2, LOST - 20, FAMILY_ALIVE, true},
    {"not later", "app", false, true, 2, LOST - 19, FAMILY_ALIVE, false},
    {"the one before, within the window for races", "app", false, true, 1, RACE - 20, FAMILY_ALIVE, true},
    {"not later", "app", false, true, 1, RACE - 19, FAMILY_ALIVE, false},
    {"a generation from the future", "app", false, true, 4, 0, FAMILY_ALIVE, false},
    {"a family that is not there is dead", "app", false, false, 3, 0, FAMILY_DEAD, false},
    {"not there, whatever was judged", "app", false, false, 3, 0, FAMILY_ALIVE, false},
    {"§2.2: has been revoked", "app", false, true, 3, 0, FAMILY_DEAD, false},
    {"has expired", "app", false, true, 3, 0, FAMILY_EXPIRED, false},
    {"its session has ended", "app", false, true, 3, 0, FAMILY_SESSION_ENDED, false},
    {"another client's", "other", false, true, 3, 0, FAMILY_ALIVE, false},
    {"another client's, and a resource server asks whom its aud names", "api", true, true, 3, 0, FAMILY_ALIVE, false},
};

static void who_is_told_of_a_refresh_token(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(REFRESH); i++) {
        const struct refresh_row *row = &REFRESH[i];
        void *ctx = mem_root("test");
        struct family_story story = tell(ctx);
        struct presented_token token = {.kind = TOKEN_REFRESH, .refresh = story.tokens[row->generation]};
        struct introspect_facts facts = {
            .client = make_client(ctx, row->asker, NULL, row->allowed),
            .token = &token,
            .family = row->stored ? story.family : NULL,
            .alive = row->alive,
            .windows = WINDOWS,
            .now = NOW + row->later,
        };
        row_equal(row->sentence, introspect_decide(&facts), row->active);
        talloc_free(ctx);
    }
}

static void changed_tokens_are_nobodys(void **state)
{
    (void)state;
    void *ctx = mem_root("test");
    struct family_story story = tell(ctx);
    struct presented_token token = {.kind = TOKEN_REFRESH, .refresh = story.tokens[3]};
    struct introspect_facts facts = {
        .client = make_client(ctx, "app", NULL, false), .token = &token, .family = story.family, .windows = WINDOWS, .now = NOW};
    uint8_t *const bytes[] = {&token.refresh.family_id[3], &token.refresh.secret[0], &token.refresh.secret[31],
                              &token.refresh.tag[0], &token.refresh.tag[31]};
    assert_true(introspect_decide(&facts));
    for (size_t i = 0; i < COUNT(bytes); i++) {
        *bytes[i] ^= 1;
        row_equal("a changed byte", introspect_decide(&facts), false);
        *bytes[i] ^= 1;
    }
    token.kind = TOKEN_UNKNOWN;
    row_equal("§2.2: not known to this server", introspect_decide(&facts), false);
    story.family->grant = NULL; /* the mark of a family that died before it was stored */
    token.kind = TOKEN_REFRESH;
    row_equal("a dead mark", introspect_decide(&facts), false);
    talloc_free(ctx);
}

static const char *told(const void *ctx, const struct presented_token *token, const Rec__Family *family, bool user)
{
    Rec__User *person = records_new(ctx, &rec__user__descriptor);
    person->user_id = mem_strdup(ctx, "u1");
    person->username = mem_strdup(ctx, "ann");
    struct introspect_facts facts = {.token = token, .family = family};
    return json_text(ctx, introspect_members(ctx, &facts, user ? person : NULL, ISSUER));
}

static void what_is_told(void **state)
{
    (void)state;
    void *ctx = mem_root("test");
    struct presented_token token = {
        .kind = TOKEN_ACCESS,
        .access = {.grant = make_grant(ctx, "openid email", ISSUER), .jti = "j1", .sub = "u1", .iat = 10, .exp = 20},
    };
    Rec__Grant *grant = token.access.grant;
    row_string("§2.2: active, scope, client_id, token_type, exp, iat, sub, aud, iss, jti", told(ctx, &token, NULL, true),
               "{\"active\":true,\"iss\":\"" ISSUER "\",\"client_id\":\"app\",\"scope\":\"openid email\","
               "\"token_type\":\"Bearer\",\"exp\":20,\"iat\":10,\"sub\":\"u1\",\"aud\":\"" ISSUER "\",\"jti\":\"j1\"}");
    grant->scopes = words(ctx, "profile", &grant->n_scopes);
    grant->audiences = words(ctx, "a b", &grant->n_audiences);
    grant->has_auth_time = true;
    grant->auth_time = 5;
    grant->acr = mem_strdup(ctx, "1");
    grant->amr = words(ctx, "pwd otp", &grant->n_amr);
    row_string("username with profile; aud a list of strings; RFC 9068 §2.2.1 what the sign-in was",
               told(ctx, &token, NULL, true),
               "{\"active\":true,\"iss\":\"" ISSUER "\",\"client_id\":\"app\",\"scope\":\"profile\",\"username\":\"ann\","
               "\"token_type\":\"Bearer\",\"exp\":20,\"iat\":10,\"sub\":\"u1\",\"aud\":[\"a\",\"b\"],\"jti\":\"j1\","
               "\"auth_time\":5,\"acr\":\"1\",\"amr\":[\"pwd\",\"otp\"]}");
    token.access.grant = make_grant(ctx, NULL, "a");
    token.access.grant->user_id = NULL;
    token.access.sub = "app";
    row_string("a client's own token: nobody's name, no scope", told(ctx, &token, NULL, false),
               "{\"active\":true,\"iss\":\"" ISSUER "\",\"client_id\":\"app\",\"token_type\":\"Bearer\",\"exp\":20,\"iat\":10,"
               "\"sub\":\"app\",\"aud\":\"a\",\"jti\":\"j1\"}");
    struct family_story story = tell(ctx);
    token.kind = TOKEN_REFRESH;
    row_string("a refresh token: no token_type (it is none of §5.1 of RFC 6749), exp of what ends first",
               told(ctx, &token, story.family, true),
               "{\"active\":true,\"iss\":\"" ISSUER "\",\"client_id\":\"app\",\"scope\":\"openid profile\","
               "\"username\":\"ann\",\"exp\":1000100,\"sub\":\"u1\"}");
    story.family->idle_expires_at = NOW + 300;
    assert_non_null(strstr(told(ctx, &token, story.family, true), "\"exp\":1000200"));
    talloc_free(ctx);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(who_is_told_of_an_access_token),
        cmocka_unit_test(who_is_told_of_a_refresh_token),
        cmocka_unit_test(changed_tokens_are_nobodys),
        cmocka_unit_test(what_is_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
