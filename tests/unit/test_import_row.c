#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/buf.h"
#include "import_row.h"

static const struct import_rules KEEP = {.keep_ids = true, .memory_max_kib = 65536};
static const struct import_rules ANEW = {.memory_max_kib = 65536};

#define BCRYPT "$2a$04$RN6DSkbYEQob0vnjnZQxjezfmLkDlPBqohaY29htpgaWtpUbXgXwa"
#define PASSWORD                                                                                                      \
    "{\"type\":\"password\",\"credentialData\":\"{\\\"hashIterations\\\":1000,\\\"algorithm\\\":\\\"pbkdf2-sha256\\\"}\"," \
    "\"secretData\":\"{\\\"value\\\":\\\"AhaeZ02AwPxykuhhDI8XvhQN8GKvmqM+qF6qvs/98I0=\\\",\\\"salt\\\":"                 \
    "\\\"AAECAwQFBgcICQoLDA0ODw==\\\"}\"}"
#define PBKDF2 "$pbkdf2-sha256$i=1000$AAECAwQFBgcICQoLDA0ODw$AhaeZ02AwPxykuhhDI8XvhQN8GKvmqM+qF6qvs/98I0"

/* All that was read, or why it was not. */
static char *describe(const void *ctx, enum op_err err, const struct import_row *row, const char *why)
{
    struct buf out = buf_make(ctx);
    if (err != OP_OK)
        return mem_printf(ctx, "%s: %s", op_err_name(err), why);
    buf_printf(&out, "%s sub=%s phc=%s %s%s", row->username, row->sub == NULL ? "-" : row->sub,
               row->phc == NULL ? "-" : row->phc, json_text(ctx, row->claims), row->disabled ? " disabled" : "");
    if (row->created_at != 0)
        buf_printf(&out, " created=%lld", (long long)row->created_at);
    for (size_t i = 0; i < row->note_count; i++)
        buf_printf(&out, "; %s", row->notes[i]);
    return buf_string(&out);
}

static void objects_are_read(void **state)
{
    (void)state;
    static const struct {
        const char *text, *read;
    } rows[] = {
        {"{\"username\":\"ann\"}", "ann sub=- phc=- {}"},
        {"{\"username\":\"ann\",\"sub\":\"x|1\",\"password_hash\":\"" BCRYPT "\",\"enabled\":false,\"email\":\"a@b\","
         "\"groups\":[\"x\"],\"nickname\":null}",
         "ann sub=x|1 phc=" BCRYPT " {\"email\":\"a@b\",\"groups\":[\"x\"]} disabled"},
        {"{}", "invalid: there is no username"},
        {"{\"username\":1}", "invalid: there is no username"},
        {"[]", "invalid: a user is an object { ... }"},
        {"\"ann\"", "invalid: a user is an object { ... }"},
        {"{\"username\":\"\"}", "invalid: username is not 1 to 128 bytes"},
        {"{\"username\":\"a\\u200eb\"}", "invalid: username has control characters, or others that nobody sees"},
        {"{\"username\":\"ann\",\"sub\":\"a b\"}",
         "invalid: the id is not 1 to 128 characters of visible ASCII without \" and \\"},
        {"{\"username\":\"ann\",\"sub\":\"\"}",
         "invalid: the id is not 1 to 128 characters of visible ASCII without \" and \\"},
        {"{\"username\":\"ann\",\"sub\":7}", "invalid: sub or password_hash is not text"},
        {"{\"username\":\"ann\",\"password_hash\":[]}", "invalid: sub or password_hash is not text"},
        {"{\"username\":\"ann\",\"password_hash\":\"$2b$31$" "abcdefghijklmnopqrstuuabcdefghijklmnopqrstuvabcdefghi\"}",
         "invalid: the hash costs too much: bcrypt of 31, where 14 is the most"},
        {"{\"username\":\"ann\",\"enabled\":\"no\"}", "invalid: enabled is not true or false"},
        {"{\"username\":\"ann\",\"aud\":\"x\"}", "invalid: the claim aud belongs to the protocol and cannot be set"},
        {"{\"username\":\"ann\",\"email_verified\":\"yes\"}",
         "invalid: the claim email_verified is neither true nor false"},
        {"{\"username\":\"ann\",\"name\":7}", "invalid: the claim name is not text"},
        /* Keycloak's */
        {"{\"id\":\"0b-1\",\"username\":\"kc\",\"enabled\":true,\"email\":\"k@x\",\"emailVerified\":true,"
         "\"firstName\":\"K\",\"lastName\":\"C\",\"createdTimestamp\":1600000000999,\"credentials\":[" PASSWORD "]}",
         "kc sub=0b-1 phc=" PBKDF2 " {\"given_name\":\"K\",\"family_name\":\"C\",\"name\":\"K C\",\"email\":\"k@x\","
         "\"email_verified\":true} created=1600000000"},
        {"{\"id\":\"2\",\"username\":\"kc\",\"enabled\":false,\"firstName\":\"K\",\"attributes\":{\"locale\":[\"de\"],"
         "\"tags\":[\"a\",\"b\"],\"none\":[],\"aud\":[\"x\"],\"email_verified\":[\"true\"],\"firstname\":[\"k\"]},"
         "\"groups\":[\"/a\"],\"credentials\":[" PASSWORD ",{\"type\":\"otp\"}]}",
         "kc sub=2 phc=" PBKDF2 " {\"given_name\":\"K\",\"name\":\"K\",\"groups\":[\"/a\"],\"locale\":\"de\","
         "\"tags\":[\"a\",\"b\"],\"email_verified\":true,\"firstname\":\"k\"} disabled; an attribute is left out: "
         "the claim aud belongs to the protocol and cannot be set; a credential that is no password is left out "
         "(a second factor, a passkey)"},
        {"{\"username\":\"kc\",\"credentials\":[],\"federatedIdentities\":[{}]}",
         "kc sub=- phc=- {}; the link to another identity provider is left out; there is no password: nobody can sign "
         "in with one until it is set"},
        {"{\"username\":\"kc\",\"credentials\":[{\"type\":\"password\",\"value\":\"plain\"}]}",
         "invalid: the credential says no algorithm"},
        {"{\"username\":\"kc\",\"credentials\":{\"type\":1},\"attributes\":[1]}",
         "kc sub=- phc=- {}; there is no password: nobody can sign in with one until it is set"},
        {"{\"username\":\"service-account-x\",\"serviceAccountClientId\":\"x\"}",
         "denied: the service account of a client is left out"},
        {"{\"firstName\":\"K\"}", "invalid: there is no username"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        void *ctx = mem_root("test");
        struct import_row row;
        const char *why = "";
        json_t *object;
        assert_int_equal(json_read(ctx, bytes_of(rows[i].text), &object), OP_OK);
        enum op_err err = import_row_read(ctx, object, &KEEP, &row, &why);
        assert_string_equal(describe(ctx, err, &row, why), rows[i].read);
        if (import_row_read(ctx, object, &ANEW, &row, &why) == OP_OK)
            assert_null(row.sub);
        talloc_free(ctx);
    }
}

static void rows_of_csv_are_read(void **state)
{
    (void)state;
    static char *names[] = {"username", "sub", "password_hash", "enabled", "email_verified", "groups:=", "name"};
    static const struct csv_row header = {.fields = names, .count = 7};
    static const struct {
        char *cells[8];
        size_t count;
        const char *read;
    } rows[] = {
        {{"ann", "", "", "", "", "", ""}, 7, "ann sub=- phc=- {}"},
        {{"ann", "7", BCRYPT, "FALSE", "TRUE", "[\"x\"]", "Ann, the first"}, 7,
         "ann sub=7 phc=" BCRYPT " {\"email_verified\":true,\"groups\":[\"x\"],\"name\":\"Ann, the first\"} disabled"},
        {{"true", "", "", "true", "", "", ""}, 7, "true sub=- phc=- {}"},
        {{"", "", "", "", "", "", "Ann"}, 7, "invalid: there is no username"},
        {{"ann", "", "", "no", "", "", ""}, 7, "invalid: enabled is not true or false"},
        {{"ann", "", "", "", "maybe", "", ""}, 7, "invalid: the claim email_verified is neither true nor false"},
        {{"ann", "", "", "", "", "[", ""}, 7,
         "invalid: the claim groups is not JSON (text like it is written groups:=\"...\")"},
        {{"ann", "", "$1$x$y", "", "", "", ""}, 7, "invalid: MD5-crypt hashes are not verified here"},
        {{"ann"}, 1, "invalid: it has 1 fields, and the first line names 7"},
        {{"ann", "", "", "", "", "", "", ""}, 8, "invalid: it has 8 fields, and the first line names 7"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        void *ctx = mem_root("test");
        struct import_row row;
        const char *why = "";
        const struct csv_row cells = {.fields = (char **)rows[i].cells, .count = rows[i].count};
        enum op_err err = import_row_read_csv(ctx, &header, &cells, &KEEP, &row, &why);
        assert_string_equal(describe(ctx, err, &row, why), rows[i].read);
        talloc_free(ctx);
    }
}

static void headers_are_judged(void **state)
{
    (void)state;
    static const struct {
        char *names[3];
        size_t count;
        const char *why; /* NULL: fine */
    } rows[] = {
        {{"username"}, 1, NULL},
        {{"name", "username", "tags:="}, 3, NULL},
        {{"name", "email"}, 2, "the first line names the columns, and none of them is username"},
        {{"username", ""}, 2, "column 2 has no name in the first line"},
        {{"username", "name", "name"}, 3, "columns 2 and 3 have the same name"},
        {{"username", "a=b"}, 2, "column 2 is neither a name nor NAME:="},
        {{"username", "a="}, 2, "column 2 is neither a name nor NAME:="},
        {{"username", "="}, 2, "column 2 is neither a name nor NAME:="},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        void *ctx = mem_root("test");
        const char *why = NULL;
        const struct csv_row header = {.fields = (char **)rows[i].names, .count = rows[i].count};
        enum op_err err = import_row_check_header(ctx, &header, &why);
        assert_int_equal(err, rows[i].why == NULL ? OP_OK : OP_INVALID);
        if (rows[i].why != NULL)
            assert_string_equal(why, rows[i].why);
        talloc_free(ctx);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(objects_are_read),
        cmocka_unit_test(rows_of_csv_are_read),
        cmocka_unit_test(headers_are_judged),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
