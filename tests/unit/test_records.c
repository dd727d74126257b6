#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/buf.h"
#include "data/records.h"

/* Field number and wire type, as one byte or two. */
static void add_tag(struct buf *buf, unsigned field, unsigned wire)
{
    unsigned tag = field << 3 | wire;
    if (tag > 127) {
        buf_add_char(buf, (char)((tag & 127) | 128));
        buf_add_char(buf, (char)(tag >> 7));
    } else {
        buf_add_char(buf, (char)tag);
    }
}

static void add_string(struct buf *buf, unsigned field, const char *value)
{
    add_tag(buf, field, 2);
    buf_add_char(buf, (char)strlen(value));
    buf_add(buf, value);
}

static bool holds(struct bytes in, const char *text)
{
    return memmem(in.data, in.len, text, strlen(text)) != NULL;
}

static void a_record_comes_back(void **state)
{
    (void)state;
    void *ctx = mem_root("test");
    Rec__Client *client = records_new(ctx, &rec__client__descriptor), *read = NULL;
    char one[] = "https://a.example/cb", two[] = "https://b.example/cb";
    char *uris[] = {one, two};
    client->client_id = mem_strdup(ctx, "abc");
    client->redirect_uris = records_strings(ctx, uris, 2);
    client->n_redirect_uris = 2;
    client->has_first_party = true;
    client->first_party = true;
    client->has_since = true;
    client->since = 1700000000;
    struct bytes packed = records_pack(ctx, client);
    assert_int_equal(records_unpack(ctx, &rec__client__descriptor, packed, &read), OP_OK);
    assert_string_equal(read->client_id, "abc");
    assert_int_equal(read->n_redirect_uris, 2);
    assert_string_equal(read->redirect_uris[1], two);
    assert_true(read->has_first_party && read->first_party && !read->has_disabled);
    assert_true(read->since == 1700000000);
    assert_null(read->client_name);
    assert_true(bytes_equal(records_pack(ctx, read), packed));
    assert_ptr_equal(talloc_parent(read), ctx);
    talloc_free(ctx);
}

static void unknown_fields_survive_a_change(void **state)
{
    (void)state;
    void *ctx = mem_root("test");
    struct buf in = buf_make(ctx);
    add_string(&in, 3, "user1");
    add_string(&in, 200, "from the future");
    add_string(&in, 4, "anna");
    Rec__User *user = NULL;
    assert_int_equal(records_unpack(ctx, &rec__user__descriptor, buf_bytes(&in), &user), OP_OK);
    user->username = mem_strdup(ctx, "berta");
    struct bytes out = records_pack(ctx, user);
    assert_true(holds(out, "from the future"));
    assert_true(holds(out, "berta"));
    assert_false(holds(out, "anna"));
    assert_int_equal(records_unpack(ctx, &rec__user__descriptor, out, &user), OP_OK);
    assert_string_equal(user->user_id, "user1");
    talloc_free(ctx);
}

static void unknown_fields_survive_in_nested_messages(void **state)
{
    (void)state;
    void *ctx = mem_root("test");
    struct buf grant = buf_make(ctx), generation = buf_make(ctx), in = buf_make(ctx);
    add_string(&grant, 1, "client1");
    add_string(&grant, 150, "grant of tomorrow");
    add_tag(&generation, 1, 0);
    buf_add_char(&generation, 7);
    add_string(&generation, 99, "generation of tomorrow");
    add_string(&in, 3, buf_string(&grant));
    add_string(&in, 11, buf_string(&generation));
    Rec__Family *family = NULL;
    assert_int_equal(records_unpack(ctx, &rec__family__descriptor, buf_bytes(&in), &family), OP_OK);
    family->has_dead = true;
    family->dead = true;
    family->grant->sid = mem_strdup(ctx, "changed");
    family->generations[0]->has_rotated_at = true;
    family->generations[0]->rotated_at = 5;
    struct bytes out = records_pack(ctx, family);
    assert_true(holds(out, "grant of tomorrow"));
    assert_true(holds(out, "generation of tomorrow"));
    assert_int_equal(records_unpack(ctx, &rec__family__descriptor, out, &family), OP_OK);
    assert_string_equal(family->grant->client_id, "client1");
    assert_string_equal(family->grant->sid, "changed");
    assert_int_equal(family->generations[0]->generation, 7);
    assert_int_equal(family->generations[0]->rotated_at, 5);
    talloc_free(ctx);
}

static void a_newer_record_is_denied(void **state)
{
    (void)state;
    void *ctx = mem_root("test");
    static const struct {
        bool has;
        uint32_t needs;
        enum op_err err;
    } rows[] = {
        {false, 0, OP_OK},
        {true, 0, OP_OK},
        {true, RECORDS_FORMAT, OP_OK},
        {true, RECORDS_FORMAT + 1, OP_DENIED},
        {true, UINT32_MAX, OP_DENIED},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        Rec__Code *code = records_new(ctx, &rec__code__descriptor), *read = NULL;
        code->has_needs = rows[i].has;
        code->needs = rows[i].needs;
        code->redirect_uri = mem_strdup(ctx, "https://a.example/");
        struct bytes packed = records_pack(ctx, code);
        assert_int_equal(records_unpack(ctx, &rec__code__descriptor, packed, &read), rows[i].err);
        assert_true((read != NULL) == (rows[i].err == OP_OK));
        assert_int_equal(records_unpack_any(ctx, &rec__code__descriptor, packed, &read), OP_OK);
        assert_string_equal(read->redirect_uri, "https://a.example/");
    }
    talloc_free(ctx);
}

static void a_denied_record_leaves_nothing_behind(void **state)
{
    (void)state;
    void *ctx = mem_root("test"), *read_ctx = talloc_new(ctx);
    Rec__User *user = records_new(ctx, &rec__user__descriptor), *read = NULL;
    user->has_needs = true;
    user->needs = 1000;
    user->username = mem_strdup(ctx, "anna");
    struct bytes packed = records_pack(ctx, user);
    assert_int_equal(records_unpack(read_ctx, &rec__user__descriptor, packed, &read), OP_DENIED);
    assert_int_equal(records_unpack(read_ctx, &rec__user__descriptor, bytes_from(packed.data, packed.len - 1), &read),
                     OP_BROKEN);
    assert_int_equal(talloc_total_blocks(read_ctx), 1);
    talloc_free(ctx);
}

static void garbage_is_broken(void **state)
{
    (void)state;
    static const struct {
        const char *data;
        size_t len;
    } rows[] = {
        {"\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff", 11}, /* a tag without end */
        {"\x1a\x05"
         "abc",
         5},                /* a string cut short */
        {"\x18\x01", 2},    /* user_id as a number */
        {"\x08", 1},        /* a number without value */
        {"hello, world", 12},
        {"\x00\x01", 2},    /* field number 0 */
        {"\x80\x00\x01", 3}, /* the same, overlong */
        {"\x4a\x03\x80\x00\x01", 5}, /* and in a claim */
    };
    void *ctx = mem_root("test");
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        Rec__User *user = NULL;
        struct bytes in = bytes_from(rows[i].data, rows[i].len);
        assert_int_equal(records_unpack(ctx, &rec__user__descriptor, in, &user), OP_BROKEN);
        assert_int_equal(records_unpack_any(ctx, &rec__user__descriptor, in, &user), OP_BROKEN);
        assert_null(user);
    }
    talloc_free(ctx);
}

static void lists_are_searched(void **state)
{
    (void)state;
    char one[] = "openid", two[] = "email";
    char *const list[] = {one, two};
    assert_true(records_contain(list, 2, "email"));
    assert_false(records_contain(list, 1, "email"));
    assert_false(records_contain(list, 2, "Email"));
    assert_false(records_contain(NULL, 0, "email"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_record_comes_back),
        cmocka_unit_test(unknown_fields_survive_a_change),
        cmocka_unit_test(unknown_fields_survive_in_nested_messages),
        cmocka_unit_test(a_newer_record_is_denied),
        cmocka_unit_test(a_denied_record_leaves_nothing_behind),
        cmocka_unit_test(garbage_is_broken),
        cmocka_unit_test(lists_are_searched),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
