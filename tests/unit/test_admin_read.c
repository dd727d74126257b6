/* What a call of the administration API says: query, preconditions, bodies. */
#include "rows.h"

#include "admin_read.h"

#include "base/codec.h"

static const struct admin_filter FILTERS[] = {{"username", 8, ""}, {0}};
static const char *const STATES[] = {"enabled", "disabled", NULL}, *const SHOWN[] = {"enabled", "gone", NULL};
static const struct admin_member MEMBERS[] = {
    {"id", ADMIN_TEXT, ADMIN_ANSWER, 8, NULL, ""},
    {"name", ADMIN_TEXT, ADMIN_NEW | ADMIN_NEEDED | ADMIN_CHANGE, 8, NULL, ""},
    {"note", ADMIN_TEXT, ADMIN_NEW | ADMIN_CHANGE | ADMIN_CLEAR, 8, NULL, ""},
    {"state", ADMIN_TEXT, ADMIN_ANSWER, 8, SHOWN, ""},
    {"state", ADMIN_TEXT, ADMIN_CHANGE, 8, STATES, ""},
    {"flag", ADMIN_BOOL, ADMIN_NEW | ADMIN_CHANGE, 0, NULL, ""},
    {"count", ADMIN_NUMBER, ADMIN_NEW | ADMIN_CHANGE, 9, NULL, ""},
    {"words", ADMIN_TEXTS, ADMIN_NEW | ADMIN_CHANGE, 2, NULL, ""},
    {"from", ADMIN_TEXTS, ADMIN_NEW, 2, STATES, ""},
    {"things", ADMIN_OBJECT, ADMIN_NEW | ADMIN_CHANGE, 0, NULL, ""},
    {0},
};
static const struct admin_schema SCHEMA = {"Thing", "", MEMBERS};
static const struct admin_operation LIST = {.id = "thing_list", .answer = ADMIN_GIVES_LIST, .filters = FILTERS},
                                    OTHER = {.id = "thing_listing", .answer = ADMIN_GIVES_LIST},
                                    ONE = {.id = "thing_show", .answer = ADMIN_GIVES_ONE};

static void bodies_follow_the_schema(void **state)
{
    (void)state;
    static const struct {
        const char *body;
        enum admin_use use;
        const char *member, *what; /* NULL: taken */
    } rows[] = {
        {"{\"name\":\"a\"}", ADMIN_NEW, NULL, NULL},
        {"{\"name\":\"a\",\"note\":\"b\",\"flag\":true,\"count\":9,\"words\":[\"x\",\"y\"],\"things\":{\"z\":[1]}}", ADMIN_NEW,
         NULL, NULL},
        {"{}", ADMIN_CHANGE, NULL, NULL},
        {"{\"note\":null}", ADMIN_CHANGE, NULL, NULL},
        {"{\"state\":\"disabled\"}", ADMIN_CHANGE, NULL, NULL},
        {"{\"name\":\"12345678\"}", ADMIN_CHANGE, NULL, NULL},
        {"{}", ADMIN_NEW, "name", "is missing"},
        {"{\"name\":null}", ADMIN_NEW, "name", "is null: leave it out instead"},
        {"{\"name\":\"a\",\"note\":null}", ADMIN_NEW, "note", "is null: leave it out instead"},
        {"{\"name\":null}", ADMIN_CHANGE, "name", "cannot be taken away"},
        {"{\"name\":\"123456789\"}", ADMIN_CHANGE, "name", "is longer than 8 bytes"},
        {"{\"name\":\"\\u00e4\\u00e4\\u00e4\\u00e4\\u00e4\"}", ADMIN_CHANGE, "name", "is longer than 8 bytes"},
        {"{\"name\":1}", ADMIN_CHANGE, "name", "is not a string"},
        {"{\"name\":\"a\",\"id\":\"b\"}", ADMIN_NEW, "id", "cannot be set here"},
        {"{\"id\":\"b\"}", ADMIN_CHANGE, "id", "cannot be changed here"},
        {"{\"state\":\"enabled\",\"name\":\"a\"}", ADMIN_NEW, "state", "cannot be set here"},
        {"{\"state\":\"gone\"}", ADMIN_CHANGE, "state", "is none of the words it may be"},
        {"{\"from\":[\"gone\"],\"name\":\"a\"}", ADMIN_NEW, "from",
         "has an item that is no string, too long a one, or none of the words it may be"},
        {"{\"flag\":\"true\"}", ADMIN_CHANGE, "flag", "is neither true nor false"},
        {"{\"count\":10}", ADMIN_CHANGE, "count", "is not a whole number from 0 to 9"},
        {"{\"count\":-1}", ADMIN_CHANGE, "count", "is not a whole number from 0 to 9"},
        {"{\"count\":1.0}", ADMIN_CHANGE, "count", "is not a whole number from 0 to 9"},
        {"{\"words\":\"x\"}", ADMIN_CHANGE, "words", "is not an array"},
        {"{\"words\":[\"x\",\"y\",\"z\"]}", ADMIN_CHANGE, "words", "has more than 2 items"},
        {"{\"words\":[1]}", ADMIN_CHANGE, "words",
         "has an item that is no string, too long a one, or none of the words it may be"},
        {"{\"things\":[]}", ADMIN_CHANGE, "things", "is not an object"},
        {"{\"nmae\":\"a\"}", ADMIN_CHANGE, "nmae", "is not known here"},
        {"{\"\":1}", ADMIN_CHANGE, "", "is not known here"},
        {"{\"name\":\"a\",\"name\":\"b\"}", ADMIN_CHANGE, "name", "is there more than once"},
        {"{\"things\":{\"x\":1,\"x\":2}}", ADMIN_CHANGE, "x", "is there more than once"},
        {"[]", ADMIN_CHANGE, NULL, "the body is not a JSON object"},
        {"", ADMIN_CHANGE, NULL, "the body is not JSON that is read here: line 0, column 0: nothing is there"},
        {"{\"name\":\"secret\" x", ADMIN_CHANGE, NULL,
         "the body is not JSON that is read here: line 1, column 18: '}' expected"},
        {"{\"name\":\"\\u0000\"}", ADMIN_CHANGE, NULL,
         "the body is not JSON that is read here: line 1, column 16: \\u0000 is not allowed without JSON_ALLOW_NUL"},
        {"{\"name\":\"\xff\"}", ADMIN_CHANGE, NULL,
         "the body is not JSON that is read here: line 1, column 9: unable to decode byte 0xff"},
        {"[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]", ADMIN_CHANGE, NULL,
         "the body is not JSON that is read here: more than 262144 bytes, or more than 32 deep"},
    };
    void *ctx = mem_root("test");
    for (size_t i = 0; i < COUNT(rows); i++) {
        json_t *body = NULL;
        struct refusal refusal = {0};
        enum op_err err = admin_read_body(ctx, &SCHEMA, rows[i].use, bytes_of(rows[i].body), &body, &refusal);
        row_equal(rows[i].body, err, rows[i].what == NULL ? OP_OK : OP_INVALID);
        row_string(rows[i].body, refusal.member, rows[i].member);
        row_string(rows[i].body, refusal.what, rows[i].what);
        row_equal(rows[i].body, body != NULL, rows[i].what == NULL);
    }
    talloc_free(ctx);
}

static void preconditions_are_entity_tags(void **state)
{
    (void)state;
    static const struct {
        const char *field;
        bool weak, good, matches; /* version 7 */
    } rows[] = {
        {NULL, false, true, false},        {"*", false, true, true},           {"\"7\"", false, true, true},
        {"\"8\"", false, true, false},     {"\"6\", \"7\"", false, true, true}, {"\"6\",\"8\"", false, true, false},
        {" \"7\" ", false, true, true},    {"W/\"7\"", false, true, false},    {"W/\"7\"", true, true, true},
        {"\"abc\"", false, true, false},   {"\"\"", false, true, false},       {"\"07\"", false, true, true},
        {"7", false, false, false},        {"\"7", false, false, false},       {"7\"", false, false, false},
        {"\"7\",", false, false, false},   {"\"7\" \"8\"", false, false, false}, {"", false, false, false},
        {"w/\"7\"", true, false, false},   {"*,\"7\"", false, false, false},   {"\"7\" x", false, false, false},
        {"\"18446744073709551623\"", false, true, false}, {"\"7 \"", false, false, false},
        {"\"1\",\"1\",\"1\",\"1\",\"1\",\"1\",\"1\",\"1\",\"1\",\"1\",\"1\",\"1\",\"1\",\"1\",\"1\",\"1\",\"7\"", false,
         false, false},
    };
    void *ctx = mem_root("test");
    for (size_t i = 0; i < COUNT(rows); i++) {
        const char *what = rows[i].field == NULL ? "none" : rows[i].field;
        struct admin_match match = {0};
        row_equal(what, admin_read_match(ctx, rows[i].field, rows[i].weak, &match), rows[i].good ? OP_OK : OP_INVALID);
        row_equal(what, rows[i].good && admin_matches(&match, 7), rows[i].matches);
        row_equal(what, match.is_there, rows[i].good && rows[i].field != NULL);
    }
    talloc_free(ctx);
}

static void a_cursor_is_of_one_list(void **state)
{
    (void)state;
    void *ctx = mem_root("test");
    const char *after = NULL, *cursor = admin_cursor(ctx, &LIST, "some id");
    assert_int_equal(admin_read_cursor(ctx, &LIST, cursor, &after), OP_OK);
    assert_string_equal(after, "some id");
    assert_int_equal(admin_read_cursor(ctx, &OTHER, cursor, &after), OP_INVALID);
    assert_int_equal(admin_read_cursor(ctx, &ONE, cursor, &after), OP_INVALID);
    static const char *const plain[] = {"", "thing_list", "thing_list\n", "thing_listx", "thing_list\na\nb", "thing_list\n\xff"};
    for (size_t i = 0; i < COUNT(plain); i++)
        row_equal(plain[i], admin_read_cursor(ctx, &LIST, codec_base64url(ctx, bytes_of(plain[i])), &after), OP_INVALID);
    assert_int_equal(admin_read_cursor(ctx, &LIST, "***", &after), OP_INVALID);
    assert_int_equal(admin_read_cursor(ctx, &LIST, codec_base64url(ctx, bytes_from("thing_list\na\0b", 14)), &after),
                     OP_INVALID);
    talloc_free(ctx);
}

static void queries_have_known_parameters(void **state)
{
    (void)state;
    static const struct {
        const struct admin_operation *operation;
        const char *query, *member; /* NULL: taken */
        bool refused;
        size_t limit;
    } rows[] = {
        {&LIST, "", NULL, false, 50},           {&LIST, "limit=1", NULL, false, 1},
        {&LIST, "limit=200", NULL, false, 200}, {&LIST, "username=a&limit=7", NULL, false, 7},
        {&LIST, "limit=0", "limit", true, 0},   {&LIST, "limit=201", "limit", true, 0},
        {&LIST, "limit=-1", "limit", true, 0},  {&LIST, "limit=", "limit", true, 0},
        {&LIST, "limit=1x", "limit", true, 0},  {&LIST, "limit=1&limit=1", "limit", true, 0},
        {&LIST, "cursor=x", "cursor", true, 0}, {&LIST, "cursor=", "cursor", true, 0},
        {&LIST, "username=", "username", true, 0}, {&LIST, "username=123456789", "username", true, 0},
        {&LIST, "user=a", "user", true, 0},     {&LIST, "username=%ff", NULL, true, 0},
        {&LIST, "username=%0", NULL, true, 0},  {&ONE, "", NULL, false, 50},
        {&ONE, "limit=1", "limit", true, 0},    {&ONE, "access_token=a", "access_token", true, 0},
        {&LIST, "a=1&b=1&c=1&d=1&e=1&f=1&g=1&h=1&i=1&j=1&k=1&l=1&m=1&n=1&o=1&p=1&q=1", NULL, true, 0},
    };
    void *ctx = mem_root("test");
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct form form;
        size_t limit = 0;
        const char *after = NULL;
        struct refusal refusal = {0};
        enum op_err err =
            admin_read_query(ctx, rows[i].operation, bytes_of(rows[i].query), &form, &limit, &after, &refusal);
        row_equal(rows[i].query, err, rows[i].refused ? OP_INVALID : OP_OK);
        row_string(rows[i].query, refusal.member, rows[i].member);
        row_equal(rows[i].query, (long)limit, (long)rows[i].limit);
    }
    talloc_free(ctx);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bodies_follow_the_schema),
        cmocka_unit_test(preconditions_are_entity_tags),
        cmocka_unit_test(a_cursor_is_of_one_list),
        cmocka_unit_test(queries_have_known_parameters),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
