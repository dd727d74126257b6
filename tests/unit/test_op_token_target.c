/* RFC 8707 §2.2, a row per sentence. */
#include "rows.h"

#include "target.h"

#define A "https://a.example/"
#define B "https://b.example/"
#define C "https://c.example/"

static struct param_list asked_of(const void *ctx, const char *text)
{
    struct scope_list words = scope_parse(ctx, text);
    struct param_list asked = {.items = mem_array(ctx, const char *, words.count), .count = words.count};
    for (size_t i = 0; i < words.count; i++)
        asked.items[i] = words.items[i];
    return asked;
}

static void check(const void *ctx, const char *sentence, enum op_err err, const struct scope_list *got, const char *want,
                  const struct oauth_error *error)
{
    row_equal(sentence, err, want == NULL ? OP_INVALID : OP_OK);
    row_equal(sentence, error->code, want == NULL ? OAUTH_INVALID_TARGET : OAUTH_OK);
    row_equal(sentence, error->description != NULL, want == NULL);
    if (want != NULL)
        row_string(sentence, scope_text(ctx, got->items, got->count), want);
}

static void codes_refresh_tokens_and_devices(void **state)
{
    (void)state;
    static const struct {
        const char *sentence, *granted, *asked, *audiences; /* NULL: invalid_target; "": as granted */
    } rows[] = {
        {"none is named: all that was granted", A " " B, NULL, ""},
        {"it indicates the target where the client intends to use the token", A, A, A},
        {"the resources may be limited to those originally granted", A " " B, B " " A, B " " A},
        {"or a subset thereof", A " " B, B, B},
        {"not to others", A " " B, C, NULL},
        {"not even beside good ones", A " " B, A " " C, NULL},
        {"the client's audiences are what was granted where it named no resource", A, A, A},
        {"where nothing was granted, nothing can be named", "", A, NULL},
        {"malformed", A, "a.example", NULL},
        {"with a fragment", A "#x", A "#x", NULL},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        void *ctx = mem_root("test");
        struct scope_list granted = scope_parse(ctx, rows[i].granted), got;
        struct param_list asked = asked_of(ctx, rows[i].asked);
        struct oauth_error error = {OAUTH_OK, NULL};
        Rec__Grant grant = REC__GRANT__INIT;
        grant.audiences = granted.items;
        grant.n_audiences = granted.count;
        enum op_err err = target_of_grant(ctx, &asked, &grant, &got, &error);
        check(ctx, rows[i].sentence, err, &got, rows[i].audiences, &error);
        row_equal("the grant keeps what was granted", (long)grant.n_audiences, (long)granted.count);
        talloc_free(ctx);
    }
}

static void clients_for_themselves(void **state)
{
    (void)state;
    static const struct {
        const char *sentence, *audiences, *resources, *asked, *got; /* NULL: invalid_target */
    } rows[] = {
        {"none is named: a predefined default (§2.1)", A, B " " C, NULL, A},
        {"which may be empty", "", B, NULL, ""},
        {"one is named", A, B " " C, C, C},
        {"several are", A, B " " C, B " " C, B " " C},
        {"what is acceptable is at the server's discretion: what is registered", A, B, C, NULL},
        {"the default is registered, too, or not to be named", A, B, A, NULL},
        {"nothing is registered", A, "", B, NULL},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        void *ctx = mem_root("test");
        struct scope_list audiences = scope_parse(ctx, rows[i].audiences), resources = scope_parse(ctx, rows[i].resources), got;
        struct param_list asked = asked_of(ctx, rows[i].asked);
        struct oauth_error error = {OAUTH_OK, NULL};
        Rec__Client client = REC__CLIENT__INIT;
        client.audiences = audiences.items;
        client.n_audiences = audiences.count;
        client.resources = resources.items;
        client.n_resources = resources.count;
        check(ctx, rows[i].sentence, target_of_client(ctx, &asked, &client, &got, &error), &got, rows[i].got, &error);
        talloc_free(ctx);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(codes_refresh_tokens_and_devices),
        cmocka_unit_test(clients_for_themselves),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
