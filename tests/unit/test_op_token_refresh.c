/* The rules of a refresh, a row per sentence of RFC 6749 §6 and of ARCHITECTURE.md, "Refresh tokens". What a token is
 * worth within its family is tests/unit/test_refresh_token.c's. */
#include "rows.h"

#include "refresh.h"

enum { START = 1000, SOON = START + 50, PRESENTED = START + 20, IDLE = 1000, LOST = 100, RACE = 10 };
#define ALL "openid email"
#define NOTHING 0, false, NULL
#define NO_GRANT OAUTH_INVALID_GRANT, NOTHING

static const uint8_t K[DIGEST_KEY_LEN] = {1};
static const uint8_t SECRET[REFRESH_SECRET_LEN] = {2};
static const uint8_t FAMILY_ID[REFRESH_FAMILY_LEN] = {3};

/* Which token is presented: the family is at generation 2, rotated at START. */
enum presented { FIRST, SECOND, THIRD, FORGED };
enum client_kind { CLIENT_PUBLIC, CLIENT_WITH_SECRET, CLIENT_TOLD_TO, CLIENT_TOLD_NOT_TO, CLIENT_OTHER };

static const struct row {
    const char *sentence;
    enum presented presented;
    enum client_kind client;
    enum family_verdict alive;
    bool no_family;
    int64_t second_presented_at; /* 0: not yet */
    int64_t now;
    const char *scope;
    enum refresh_action action;
    enum oauth_code error;
    uint32_t answer; /* generation of the token in the answer */
    bool rotate;
    const char *scopes;
} ROWS[] = {
    {"a public client's token rotates (RFC 9700 §2.2.2)",
     SECOND, CLIENT_PUBLIC, FAMILY_ALIVE, false, 0, SOON, NULL, REFRESH_ANSWER, OAUTH_OK, 3, true, ALL},
    {"a confidential client's is answered with the same one",
     SECOND, CLIENT_WITH_SECRET, FAMILY_ALIVE, false, 0, SOON, NULL, REFRESH_ANSWER, OAUTH_OK, 2, false, ALL},
    {"unless it is told to rotate",
     SECOND, CLIENT_TOLD_TO, FAMILY_ALIVE, false, 0, SOON, NULL, REFRESH_ANSWER, OAUTH_OK, 3, true, ALL},
    {"and a public one may be told not to",
     SECOND, CLIENT_TOLD_NOT_TO, FAMILY_ALIVE, false, 0, SOON, NULL, REFRESH_ANSWER, OAUTH_OK, 2, false, ALL},
    {"the refresh token must have been issued to the authenticated client (§6)",
     SECOND, CLIENT_OTHER, FAMILY_ALIVE, false, 0, SOON, NULL, REFRESH_REFUSE, NO_GRANT},
    {"a stranger with an old token kills nothing",
     FIRST, CLIENT_OTHER, FAMILY_ALIVE, false, START, START + 99, NULL, REFRESH_REFUSE, NO_GRANT},
    {"for a refresh token an absent family is dead",
     SECOND, CLIENT_PUBLIC, FAMILY_DEAD, true, 0, SOON, NULL, REFRESH_REFUSE, NO_GRANT},
    {"a dead family",
     SECOND, CLIENT_PUBLIC, FAMILY_DEAD, false, 0, SOON, NULL, REFRESH_REFUSE, NO_GRANT},
    {"an expired family",
     SECOND, CLIENT_PUBLIC, FAMILY_EXPIRED, false, 0, SOON, NULL, REFRESH_REFUSE, NO_GRANT},
    {"its session ended",
     SECOND, CLIENT_PUBLIC, FAMILY_SESSION_ENDED, false, 0, SOON, NULL, REFRESH_REFUSE, NO_GRANT},
    {"its consent withdrawn",
     SECOND, CLIENT_PUBLIC, FAMILY_CONSENT_WITHDRAWN, false, 0, SOON, NULL, REFRESH_REFUSE, NO_GRANT},
    {"its user gone",
     SECOND, CLIENT_PUBLIC, FAMILY_USER_GONE, false, 0, SOON, NULL, REFRESH_REFUSE, NO_GRANT},
    {"its client gone",
     SECOND, CLIENT_PUBLIC, FAMILY_CLIENT_GONE, false, 0, SOON, NULL, REFRESH_REFUSE, NO_GRANT},
    {"a lost answer: the predecessor gets the same successor again",
     FIRST, CLIENT_PUBLIC, FAMILY_ALIVE, false, 0, START + LOST, NULL, REFRESH_ANSWER, OAUTH_OK, 2, false, ALL},
    {"also for a client that does not rotate any more",
     FIRST, CLIENT_WITH_SECRET, FAMILY_ALIVE, false, 0, START + LOST, NULL, REFRESH_ANSWER, OAUTH_OK, 2, false, ALL},
    {"later than the lost-answer window is theft",
     FIRST, CLIENT_PUBLIC, FAMILY_ALIVE, false, 0, START + LOST + 1, NULL, REFRESH_KILL, NO_GRANT},
    {"a race: the successor was presented a moment ago",
     FIRST, CLIENT_PUBLIC, FAMILY_ALIVE, false, PRESENTED, PRESENTED + RACE, NULL, REFRESH_ANSWER, OAUTH_OK, 2, false, ALL},
    {"later than the race window is theft",
     FIRST, CLIENT_PUBLIC, FAMILY_ALIVE, false, PRESENTED, PRESENTED + RACE + 1, NULL, REFRESH_KILL, NO_GRANT},
    {"theft is theft whatever scope is asked for",
     FIRST, CLIENT_PUBLIC, FAMILY_ALIVE, false, 0, START + LOST + 1, "admin", REFRESH_KILL, NO_GRANT},
    {"a theft in a family that is dead already changes nothing",
     FIRST, CLIENT_PUBLIC, FAMILY_DEAD, false, 0, START + LOST + 1, NULL, REFRESH_REFUSE, NO_GRANT},
    {"a generation from the future kills nothing",
     THIRD, CLIENT_PUBLIC, FAMILY_ALIVE, false, 0, SOON, NULL, REFRESH_REFUSE, NO_GRANT},
    {"nor does a secret that was never issued",
     FORGED, CLIENT_PUBLIC, FAMILY_ALIVE, false, 0, SOON, NULL, REFRESH_REFUSE, NO_GRANT},
    {"the scope may be narrowed (§6)",
     SECOND, CLIENT_PUBLIC, FAMILY_ALIVE, false, 0, SOON, "email", REFRESH_ANSWER, OAUTH_OK, 3, true, "email"},
    {"the requested scope must not include any scope not originally granted (§6)",
     SECOND, CLIENT_PUBLIC, FAMILY_ALIVE, false, 0, SOON, "openid phone", REFRESH_REFUSE, OAUTH_INVALID_SCOPE, NOTHING},
    {"if omitted it is equal to the scope originally granted (§6)",
     SECOND, CLIENT_WITH_SECRET, FAMILY_ALIVE, false, 0, SOON, NULL, REFRESH_ANSWER, OAUTH_OK, 2, false, ALL},
};

static void make_tokens(struct refresh_token tokens[4])
{
    refresh_token_first(K, FAMILY_ID, SECRET, &tokens[FIRST]);
    refresh_token_next(K, &tokens[FIRST], &tokens[SECOND]);
    refresh_token_next(K, &tokens[SECOND], &tokens[THIRD]);
    tokens[FORGED] = tokens[SECOND];
    tokens[FORGED].secret[0] ^= 1;
}

static Rec__Family *make_family(void *ctx, const struct refresh_token tokens[4], int64_t second_presented_at)
{
    Rec__Family *family = records_new(ctx, &rec__family__descriptor);
    family->has_family_id = true;
    family->family_id = (ProtobufCBinaryData){sizeof FAMILY_ID, mem_array(ctx, uint8_t, sizeof FAMILY_ID)};
    memcpy(family->family_id.data, FAMILY_ID, sizeof FAMILY_ID);
    family->grant = records_new(ctx, &rec__grant__descriptor);
    family->grant->client_id = mem_strdup(ctx, "c1");
    family->grant->scopes = records_strings(ctx, (char *[]){(char[]){"openid"}, (char[]){"email"}}, 2);
    family->grant->n_scopes = 2;
    family->last_used = START;
    refresh_begin(ctx, family, &tokens[FIRST]);
    assert_true(refresh_apply(ctx, family, &tokens[FIRST], &tokens[SECOND], true, START));
    family->generations[0]->has_successor_presented_at = second_presented_at != 0;
    family->generations[0]->successor_presented_at = second_presented_at;
    return family;
}

static Rec__Client *make_client(void *ctx, enum client_kind kind)
{
    bool public = kind == CLIENT_PUBLIC || kind == CLIENT_TOLD_NOT_TO || kind == CLIENT_OTHER;
    Rec__Client *client = records_new(ctx, &rec__client__descriptor);
    client->client_id = mem_strdup(ctx, kind == CLIENT_OTHER ? "c2" : "c1");
    client->token_endpoint_auth_method = mem_strdup(ctx, public ? "none" : "client_secret_basic");
    client->has_rotate_refresh_tokens = kind == CLIENT_TOLD_TO || kind == CLIENT_TOLD_NOT_TO;
    client->rotate_refresh_tokens = kind == CLIENT_TOLD_TO;
    return client;
}

static void check(void *ctx, const struct row *row)
{
    struct refresh_token tokens[4];
    make_tokens(tokens);
    struct refresh_plan plan = refresh_decide(&(struct refresh_facts){
        .k = K,
        .presented = &tokens[row->presented],
        .family = row->no_family ? NULL : make_family(ctx, tokens, row->second_presented_at),
        .alive = row->alive,
        .client = make_client(ctx, row->client),
        .asked = scope_parse(ctx, row->scope),
        .windows = {.lost_answer = LOST, .race = RACE},
        .idle_lifetime = IDLE,
        .now = row->now,
    });
    row_equal(row->sentence, plan.action, row->action);
    row_equal(row->sentence, plan.error.code, row->error);
    if (row->action != REFRESH_ANSWER)
        return;
    row_equal(row->sentence, plan.answer.generation, row->answer);
    row_equal(row->sentence, memcmp(&plan.answer, &tokens[row->answer - 1], sizeof plan.answer), 0);
    row_equal(row->sentence, plan.rotate, row->rotate);
    row_string(row->sentence, scope_text(ctx, plan.scopes.items, plan.scopes.count), row->scopes);
}

static void every_sentence(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(ROWS); i++) {
        void *ctx = mem_root("test");
        check(ctx, &ROWS[i]);
        talloc_free(ctx);
    }
}

static void the_use_is_written_every_tenth_of_the_idle_time(void **state)
{
    (void)state;
    static const struct {
        const char *when;
        int64_t now;
        bool touch;
    } rows[] = {
        {"at once", START, false},
        {"just before", START + IDLE / 10 - 1, false},
        {"at a tenth", START + IDLE / 10, true},
        {"later", START + IDLE / 2, true},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        void *ctx = mem_root("test");
        struct refresh_token tokens[4];
        make_tokens(tokens);
        struct refresh_plan plan = refresh_decide(&(struct refresh_facts){
            .k = K, .presented = &tokens[SECOND], .family = make_family(ctx, tokens, 0), .alive = FAMILY_ALIVE,
            .client = make_client(ctx, CLIENT_WITH_SECRET), .windows = {LOST, RACE}, .idle_lifetime = IDLE,
            .now = rows[i].now,
        });
        row_equal(rows[i].when, plan.action, REFRESH_ANSWER);
        row_equal(rows[i].when, plan.touch, rows[i].touch);
        talloc_free(ctx);
    }
}

static void racers_get_the_same_successor(void **state)
{
    (void)state;
    void *ctx = mem_root("test");
    struct refresh_token tokens[4];
    make_tokens(tokens);
    Rec__Family *family = make_family(ctx, tokens, 0);
    char *first = NULL;
    for (int i = 0; i < 64; i++) {
        struct refresh_plan plan = refresh_decide(&(struct refresh_facts){
            .k = K, .presented = &tokens[SECOND], .family = family, .alive = FAMILY_ALIVE,
            .client = make_client(ctx, CLIENT_PUBLIC), .windows = {LOST, RACE}, .idle_lifetime = IDLE, .now = START + 1,
        });
        assert_int_equal(plan.action, REFRESH_ANSWER);
        assert_int_equal(plan.rotate, i == 0);
        assert_int_equal(refresh_apply(ctx, family, &tokens[SECOND], &plan.next, plan.rotate, START + 1), i == 0);
        char *text = refresh_token_text(ctx, &plan.answer);
        if (first == NULL)
            first = text;
        assert_string_equal(text, first);
    }
    talloc_free(ctx);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_sentence),
        cmocka_unit_test(the_use_is_written_every_tenth_of_the_idle_time),
        cmocka_unit_test(racers_get_the_same_successor),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
