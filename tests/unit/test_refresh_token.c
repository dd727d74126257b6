#include "rows.h"

#include <stdio.h>

#include "protocol/refresh_token.h"

enum { START = 1000000, LOST = 600, RACE = 60 };

static const struct refresh_windows WINDOWS = {LOST, RACE};
static uint8_t k[DIGEST_KEY_LEN], other_k[DIGEST_KEY_LEN], family_id[REFRESH_FAMILY_LEN], secret[REFRESH_SECRET_LEN];

/* A family and the tokens made so far: tokens[g] is of generation g. */
struct story {
    void *ctx;
    Rec__Family *family;
    struct refresh_token tokens[64];
    uint32_t newest;
    bool changed; /* the record, by the last presentation */
};

static void story_begin(struct story *s)
{
    s->ctx = mem_root("test");
    s->family = records_new(s->ctx, &rec__family__descriptor);
    s->family->has_family_id = true;
    s->family->family_id = (ProtobufCBinaryData){sizeof family_id, family_id};
    refresh_token_first(k, family_id, secret, &s->tokens[1]);
    refresh_begin(s->ctx, s->family, &s->tokens[1]);
    s->newest = 1;
    s->changed = false;
}

/* What op-token does with a token: judge, and apply what may be applied. *ret_next is the answer. */
static enum refresh_verdict present(struct story *s, const uint8_t key[DIGEST_KEY_LEN], const struct refresh_token *token,
                                    int64_t now, bool rotate, struct refresh_token *ret_next)
{
    enum refresh_verdict verdict = refresh_judge(key, token, s->family, &WINDOWS, now);
    if (verdict == REFRESH_CURRENT || verdict == REFRESH_RETRY) {
        refresh_token_next(key, token, ret_next);
        s->changed = refresh_apply(s->ctx, s->family, token, ret_next, rotate && verdict == REFRESH_CURRENT, now);
    }
    return verdict;
}

/* The newest token is used at this time. */
static void rotate_at(struct story *s, int64_t now)
{
    assert_int_equal(present(s, k, &s->tokens[s->newest], now, true, &s->tokens[s->newest + 1]), REFRESH_CURRENT);
    s->newest++;
}

static bool same_token(const struct refresh_token *a, const struct refresh_token *b)
{
    return memcmp(a, b, sizeof *a) == 0;
}

static int keys_setup(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof k; i++) {
        k[i] = (uint8_t)i;
        other_k[i] = (uint8_t)(0x80 + i);
        secret[i] = (uint8_t)(0x40 + i);
    }
    for (size_t i = 0; i < sizeof family_id; i++)
        family_id[i] = (uint8_t)(0xf0 + i);
    return 0;
}

/* Worked out apart from this code: DESIGN §6, "family, generation, 32-byte secret, tag". */
static void tokens_are_made_as_written_down(void **state)
{
    (void)state;
    static const char *const texts[] = {
        "8PHy8_T19vf4-fr7_P3-_wAAAAFAQUJDREVGR0hJSktMTU5PUFFSU1RVVldYWVpbXF1eX43dLCBeNBehreKkSkngpq3vAjQXsoznPxe3O4Bt-cv4",
        "8PHy8_T19vf4-fr7_P3-_wAAAAJE-XhM7EzwT7sgm17wVDq0I_IKnbnyEUfAsHlrq8ZWORjY2EqyZ7kt2qmo-IE1Xfrcs7hQGdkpiKYWe_egK5y6",
        "8PHy8_T19vf4-fr7_P3-_wAAAAOUAl-CQ4WF-nh7k49o93bHELJH5KhKOWcDAFn5IfgzPuIB-67jVNS5CUnkGaFQDebJ_evr-31C382j9KNtstiT",
    };
    void *ctx = mem_root("test");
    struct refresh_token token, read;
    refresh_token_first(k, family_id, secret, &token);
    for (size_t i = 0; i < COUNT(texts); i++) {
        row_equal(texts[i], token.generation, (long)i + 1);
        row_string("text", refresh_token_text(ctx, &token), texts[i]);
        assert_int_equal(refresh_token_parse(texts[i], &read), OP_OK);
        assert_true(same_token(&read, &token));
        assert_true(refresh_token_is_ours(k, &read));
        assert_false(refresh_token_is_ours(other_k, &read));
        refresh_token_next(k, &token, &token);
    }
    talloc_free(ctx);
}

static void rubbish_is_no_token(void **state)
{
    (void)state;
    static const char good[] =
        "8PHy8_T19vf4-fr7_P3-_wAAAAFAQUJDREVGR0hJSktMTU5PUFFSU1RVVldYWVpbXF1eX43dLCBeNBehreKkSkngpq3vAjQXsoznPxe3O4Bt-cv4";
    struct refresh_token token;
    memset(&token, 0x55, sizeof token);
    const struct refresh_token untouched = token;
    char text[200];
    for (size_t len = 0; len < sizeof good - 1; len++) {
        memcpy(text, good, len);
        text[len] = '\0';
        row_equal(text, refresh_token_parse(text, &token), OP_INVALID);
    }
    static const char *const changes[] = {"+", "/", "=", " ", "\n", "\x80"};
    for (size_t i = 0; i < COUNT(changes); i++) {
        memcpy(text, good, sizeof good);
        text[50] = *changes[i];
        row_equal(text, refresh_token_parse(text, &token), OP_INVALID);
    }
    snprintf(text, sizeof text, "%sA", good);
    row_equal(text, refresh_token_parse(text, &token), OP_INVALID);
    snprintf(text, sizeof text, "%s=", good);
    row_equal(text, refresh_token_parse(text, &token), OP_INVALID);
    assert_memory_equal(&token, &untouched, sizeof token);
}

/* DESIGN §6: any byte that changes makes it another token, which is not ours. */
static void forged_tokens_kill_nothing(void **state)
{
    (void)state;
    struct story s;
    story_begin(&s);
    rotate_at(&s, START);
    for (size_t i = 0; i < REFRESH_SECRET_LEN + DIGEST_SHA256_LEN; i++) {
        struct refresh_token forged = s.tokens[1];
        uint8_t *byte = i < REFRESH_SECRET_LEN ? &forged.secret[i] : &forged.tag[i - REFRESH_SECRET_LEN];
        *byte ^= 1;
        assert_false(refresh_token_is_ours(k, &forged));
        if (i < REFRESH_SECRET_LEN)
            assert_int_equal(refresh_judge(k, &forged, s.family, &WINDOWS, START + 1000000), REFRESH_INVALID);
    }
    struct refresh_token forged = s.tokens[1];
    forged.family_id[0] ^= 1;
    assert_false(refresh_token_is_ours(k, &forged));
    assert_int_equal(refresh_judge(k, &forged, s.family, &WINDOWS, START), REFRESH_INVALID);
    forged = s.tokens[1];
    forged.generation = 2;
    assert_false(refresh_token_is_ours(k, &forged));
    assert_int_equal(refresh_judge(k, &forged, s.family, &WINDOWS, START), REFRESH_INVALID);
    talloc_free(s.ctx);
}

/* When a predecessor (generation 1, rotated at START) is presented. */
static void predecessors_are_judged_by_both_windows(void **state)
{
    (void)state;
    enum { NEVER = -1 };
    static const struct {
        const char *rule;
        int64_t successor_presented, again; /* seconds after START */
        enum refresh_verdict verdict;
    } rows[] = {
        {"§6: a lost answer is retried at once", NEVER, 0, REFRESH_RETRY},
        {"§6: a lost answer is retried after a minute: nobody raced", NEVER, RACE + 1, REFRESH_RETRY},
        {"§6: until ten minutes after its rotation", NEVER, LOST, REFRESH_RETRY},
        {"§6: later is theft", NEVER, LOST + 1, REFRESH_THEFT},
        {"§6: much later is theft", NEVER, 100 * LOST, REFRESH_THEFT},
        {"§6: a race, the successor in use already", 5, 5, REFRESH_RETRY},
        {"§6: no longer than 60 s after its successor was presented", 5, 5 + RACE, REFRESH_RETRY},
        {"§6: later than that is theft", 5, 5 + RACE + 1, REFRESH_THEFT},
        {"§6: whichever ends first: the ten minutes", LOST - 10, LOST, REFRESH_RETRY},
        {"§6: whichever ends first: not 60 s more", LOST - 10, LOST + 1, REFRESH_THEFT},
        {"a clock that went back", NEVER, -5, REFRESH_RETRY},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct story s;
        struct refresh_token answer;
        story_begin(&s);
        rotate_at(&s, START);
        if (rows[i].successor_presented != NEVER)
            rotate_at(&s, START + rows[i].successor_presented);
        bool answered = refresh_token_is_answered(&s.tokens[1], s.family, &WINDOWS, START + rows[i].again);
        enum refresh_verdict verdict = present(&s, k, &s.tokens[1], START + rows[i].again, true, &answer);
        row_equal(rows[i].rule, verdict, rows[i].verdict);
        row_equal(rows[i].rule, answered, verdict == REFRESH_RETRY);
        row_equal(rows[i].rule, refresh_token_is_kept(&s.tokens[1], s.family), true);
        if (verdict == REFRESH_RETRY)
            row_equal(rows[i].rule, same_token(&answer, &s.tokens[2]), true);
        row_equal(rows[i].rule, s.family->generations[s.family->n_generations - 1]->generation, s.newest);
        talloc_free(s.ctx);
    }
}

/* §6: clients that race with one token all receive the same next one, with no fork and no lock-out. */
static void many_race_with_one_token(void **state)
{
    (void)state;
    struct story s;
    story_begin(&s);
    rotate_at(&s, START);
    struct refresh_token answer;
    for (int i = 0; i < 64; i++) {
        assert_int_equal(present(&s, k, &s.tokens[1], START + i % 10, true, &answer), REFRESH_RETRY);
        assert_true(same_token(&answer, &s.tokens[2]));
        assert_false(s.changed);
    }
    assert_int_equal(s.family->n_generations, 2);
    /* and go on with it, each of them */
    rotate_at(&s, START + 10);
    assert_int_equal(present(&s, k, &s.tokens[2], START + 11, true, &answer), REFRESH_RETRY);
    assert_true(same_token(&answer, &s.tokens[3]));
    talloc_free(s.ctx);
}

/* §6: 60 s after its successor was first presented; further presentations move nothing. */
static void the_first_use_of_the_successor_counts(void **state)
{
    (void)state;
    struct story s;
    struct refresh_token answer;
    story_begin(&s);
    rotate_at(&s, START);
    rotate_at(&s, START + 5);
    for (int64_t t = 6; t <= 5 + RACE; t++) { /* each retry of 2 presents it again, which moves nothing */
        assert_int_equal(present(&s, k, &s.tokens[2], START + t, true, &answer), REFRESH_RETRY);
        assert_int_equal(refresh_judge(k, &s.tokens[1], s.family, &WINDOWS, START + t), REFRESH_RETRY);
    }
    assert_int_equal(refresh_judge(k, &s.tokens[1], s.family, &WINDOWS, START + 5 + RACE + 1), REFRESH_THEFT);
    assert_int_equal(s.family->generations[0]->successor_presented_at, START + 5);
    talloc_free(s.ctx);
}

static void generations_are_told_apart(void **state)
{
    (void)state;
    struct story s;
    story_begin(&s);
    for (int i = 0; i < 40; i++)
        rotate_at(&s, START + i * 1000);
    assert_int_equal(s.family->n_generations, REFRESH_GENERATIONS_KEPT);
    int64_t now = START + 40 * 1000;
    struct refresh_token future = s.tokens[s.newest], none = s.tokens[1];
    refresh_token_next(k, &future, &future);
    none.generation = 0;
    struct refresh_token forged = s.tokens[3], stranger = s.tokens[s.newest];
    forged.tag[0] ^= 1;
    stranger.family_id[3] ^= 1;
    const struct {
        const char *rule;
        const uint8_t *key;
        const struct refresh_token *token;
        enum refresh_verdict verdict;
        bool kept;
    } rows[] = {
        {"the current one", k, &s.tokens[s.newest], REFRESH_CURRENT, true},
        {"§6: tokens whose hash is kept outlive a change of K", other_k, &s.tokens[s.newest], REFRESH_CURRENT, true},
        {"a kept one, late", k, &s.tokens[s.newest - 15], REFRESH_THEFT, true},
        {"a kept one, late, after a change of K", other_k, &s.tokens[s.newest - 15], REFRESH_THEFT, true},
        {"§6: an old generation whose hash is gone is told by its tag", k, &s.tokens[s.newest - 16], REFRESH_THEFT},
        {"the oldest", k, &s.tokens[1], REFRESH_THEFT},
        {"§6: which a change of K makes unverifiable", other_k, &s.tokens[1], REFRESH_INVALID},
        {"§6: a forged tag kills nothing", k, &forged, REFRESH_INVALID},
        {"§6: a generation newer than the stored one kills nothing, tag or no tag", k, &future, REFRESH_INVALID},
        {"there is no generation 0", k, &none, REFRESH_INVALID},
        {"a token of another family", k, &stranger, REFRESH_INVALID},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        row_equal(rows[i].rule, refresh_judge(rows[i].key, rows[i].token, s.family, &WINDOWS, now), rows[i].verdict);
        row_equal(rows[i].rule, refresh_token_is_kept(rows[i].token, s.family), rows[i].kept);
        row_equal(rows[i].rule, refresh_token_is_answered(rows[i].token, s.family, &WINDOWS, now),
                  rows[i].verdict == REFRESH_CURRENT);
    }
    talloc_free(s.ctx);
}

/* K leaked and was changed between a rotation and the retry of its lost answer. */
static void a_lost_answer_survives_a_change_of_k(void **state)
{
    (void)state;
    struct story s;
    struct refresh_token remade, again;
    story_begin(&s);
    rotate_at(&s, START);
    assert_int_equal(present(&s, other_k, &s.tokens[1], START + 1, true, &remade), REFRESH_RETRY);
    assert_true(s.changed);
    assert_false(same_token(&remade, &s.tokens[2]));
    assert_int_equal(s.family->n_generations, 2);
    assert_int_equal(refresh_judge(other_k, &remade, s.family, &WINDOWS, START + 2), REFRESH_CURRENT);
    assert_int_equal(present(&s, other_k, &s.tokens[1], START + 2, true, &again), REFRESH_RETRY);
    assert_true(same_token(&remade, &again));
    /* the successor nobody had presented is no longer one, and kills nothing */
    assert_int_equal(refresh_judge(other_k, &s.tokens[2], s.family, &WINDOWS, START + 2), REFRESH_INVALID);
    talloc_free(s.ctx);
}

static void a_successor_in_use_is_not_replaced(void **state)
{
    (void)state;
    struct story s;
    story_begin(&s);
    rotate_at(&s, START);
    rotate_at(&s, START + 5);
    assert_int_equal(refresh_judge(k, &s.tokens[1], s.family, &WINDOWS, START + 6), REFRESH_RETRY);
    assert_int_equal(refresh_judge(other_k, &s.tokens[1], s.family, &WINDOWS, START + 6), REFRESH_INVALID);
    assert_int_equal(refresh_judge(other_k, &s.tokens[1], s.family, &WINDOWS, START + 66), REFRESH_THEFT);
    assert_int_equal(refresh_judge(other_k, &s.tokens[3], s.family, &WINDOWS, START + 6), REFRESH_CURRENT);
    talloc_free(s.ctx);
}

static void without_rotation_nothing_moves(void **state)
{
    (void)state;
    struct story s;
    struct refresh_token next;
    story_begin(&s);
    for (int64_t t = 0; t < 10; t++)
        assert_int_equal(present(&s, k, &s.tokens[1], START + t * 100000, false, &next), REFRESH_CURRENT);
    assert_int_equal(s.family->n_generations, 1);
    /* a client that was told to rotate and then not to: the predecessor is judged as ever */
    rotate_at(&s, START);
    assert_int_equal(present(&s, k, &s.tokens[2], START + 1, false, &next), REFRESH_CURRENT);
    assert_int_equal(present(&s, k, &s.tokens[1], START + 1 + RACE, false, &next), REFRESH_RETRY);
    assert_int_equal(present(&s, k, &s.tokens[1], START + 2 + RACE, false, &next), REFRESH_THEFT);
    assert_int_equal(s.family->n_generations, 2);
    talloc_free(s.ctx);
}

static void a_family_without_generations_knows_no_token(void **state)
{
    (void)state;
    struct story s;
    story_begin(&s);
    s.family->n_generations = 0;
    assert_int_equal(refresh_judge(k, &s.tokens[1], s.family, &WINDOWS, START), REFRESH_INVALID);
    assert_false(refresh_token_is_kept(&s.tokens[1], s.family));
    assert_false(refresh_token_is_answered(&s.tokens[1], s.family, &WINDOWS, START));
    talloc_free(s.ctx);
}

static void rotation_is_a_setting(void **state)
{
    (void)state;
    static const struct {
        const char *rule, *method;
        int told; /* -1: not */
        bool rotates;
    } rows[] = {
        {"RFC 9700 §4.14.2: public clients rotate", "none", -1, true},
        {"§6: others only if told to", "client_secret_basic", -1, false},
        {"§6: others only if told to: the default method", NULL, -1, false},
        {"§6: told to", "client_secret_basic", 1, true},
        {"§6: told not to", "none", 0, false},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        Rec__Client client = REC__CLIENT__INIT;
        client.token_endpoint_auth_method = (char *)(uintptr_t)rows[i].method;
        client.has_rotate_refresh_tokens = rows[i].told >= 0;
        client.rotate_refresh_tokens = rows[i].told == 1;
        row_equal(rows[i].rule, refresh_rotates(&client), rows[i].rotates);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tokens_are_made_as_written_down),
        cmocka_unit_test(rubbish_is_no_token),
        cmocka_unit_test(forged_tokens_kill_nothing),
        cmocka_unit_test(predecessors_are_judged_by_both_windows),
        cmocka_unit_test(many_race_with_one_token),
        cmocka_unit_test(the_first_use_of_the_successor_counts),
        cmocka_unit_test(generations_are_told_apart),
        cmocka_unit_test(a_lost_answer_survives_a_change_of_k),
        cmocka_unit_test(a_successor_in_use_is_not_replaced),
        cmocka_unit_test(without_rotation_nothing_moves),
        cmocka_unit_test(a_family_without_generations_knows_no_token),
        cmocka_unit_test(rotation_is_a_setting),
    };
    return cmocka_run_group_tests(tests, keys_setup, NULL);
}
