/* Who is told what, and what becomes of it around a change. */
#include "store_script.h"

#include <poll.h>

#include "data/json.h"
#include "runtime/notice.h"
#include "runtime/settings.h"
#include "store/outbox.h"

enum { NOW = 951782400, MAP_SMALL = 1 << 20 };

static Rec__User *new_user(const void *ctx, const char *const *claims)
{
    Rec__User *user = records_new(ctx, &rec__user__descriptor);
    user->username = mem_strdup(ctx, "ada");
    user->claims = mem_array(ctx, Rec__Claim *, 8);
    for (; claims[0] != NULL; claims += 2) {
        Rec__Claim *claim = records_new(ctx, &rec__claim__descriptor);
        claim->name = mem_strdup(ctx, claims[0]);
        claim->json = mem_strdup(ctx, claims[1]);
        user->claims[user->n_claims++] = claim;
    }
    return user;
}

#define ADDRESS "email", "\"ada@example.org\""
#define VERIFIED "email_verified", "true"

static const struct {
    const char *server, *claims[9], *locale;
    const char *to, *name, *language; /* to NULL: nobody is told */
} ROWS[] = {
    {"smtp://mail.example", {ADDRESS, VERIFIED, "name", "\"Ada Lovelace\""}, "de", "ada@example.org", "Ada Lovelace", " de"},
    {"smtp://mail.example", {ADDRESS, VERIFIED, "locale", "\"fr-CH\""}, "de", "ada@example.org", NULL, "fr-CH de"},
    {"smtp://mail.example", {ADDRESS, VERIFIED}, NULL, "ada@example.org", NULL, " "},
    {"smtp://mail.example", {ADDRESS, VERIFIED, "name", "[\"Ada\"]", "locale", "7"}, NULL, "ada@example.org", NULL, " "},
    {"", {ADDRESS, VERIFIED}, "de", NULL, NULL, NULL},
    {"smtp://mail.example", {VERIFIED}, "de", NULL, NULL, NULL},
    {"smtp://mail.example", {ADDRESS}, "de", NULL, NULL, NULL},
    {"smtp://mail.example", {ADDRESS, "email_verified", "false"}, "de", NULL, NULL, NULL},
    {"smtp://mail.example", {ADDRESS, "email_verified", "\"true\""}, "de", NULL, NULL, NULL},
    {"smtp://mail.example", {"email", "{}", VERIFIED}, "de", NULL, NULL, NULL},
    {"smtp://mail.example", {"email", "\"broken", VERIFIED}, "de", NULL, NULL, NULL},
};

static void whoever_has_a_verified_address_is_told(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof ROWS / sizeof *ROWS; i++) {
        void *ctx = mem_root("test");
        settings.mail_server = ROWS[i].server;
        const Rec__Message *message = notice_password_changed(ctx, new_user(ctx, ROWS[i].claims), ROWS[i].locale, NOW);
        assert_int_equal(message != NULL, ROWS[i].to != NULL);
        if (message != NULL) {
            assert_string_equal(message->mail->event, "password_changed");
            assert_string_equal(message->mail->to, ROWS[i].to);
            assert_string_equal(message->mail->language, ROWS[i].language);
            assert_string_equal(message->mail->username, "ada");
            assert_int_equal(message->mail->happened_at, NOW);
            assert_int_equal(message->mail->name != NULL, ROWS[i].name != NULL);
            if (ROWS[i].name != NULL)
                assert_string_equal(message->mail->name, ROWS[i].name);
        }
        talloc_free(ctx);
    }
}

static void texts_are_bounded(void **state)
{
    (void)state;
    void *ctx = mem_root("test");
    char name[1000], address[400], locale[100];
    memset(name, 'n', sizeof name);
    memset(address, 'a', sizeof address);
    memset(locale, 'l', sizeof locale);
    name[0] = name[998] = address[0] = address[398] = locale[0] = locale[98] = '"';
    name[999] = address[399] = locale[99] = '\0';
    settings.mail_server = "smtp://mail.example";
    const char *const long_name[] = {ADDRESS, VERIFIED, "name", name, "locale", locale, NULL};
    const Rec__Message *message = notice_password_changed(ctx, new_user(ctx, long_name), NULL, NOW);
    assert_null(message->mail->name);
    assert_string_equal(message->mail->language, " ");
    const char *const long_address[] = {"email", address, VERIFIED, NULL};
    assert_null(notice_password_changed(ctx, new_user(ctx, long_address), NULL, NOW));
    talloc_free(ctx);
}

/* --- around the change --- */

struct scene {
    struct store_home home;
    struct kv *kv;
    void *ctx;
    int done;
    bool was_held;
};

static const struct kv_store STORE = {KV_OUTBOX, true};

static void begin(struct scene *scene)
{
    *scene = (struct scene){.ctx = mem_root("scene")};
    settings.mail_server = "smtp://mail.example";
    store_home_make(&scene->home, &STORE, 1, MAP_SMALL);
    scene->kv = store_home_open(&scene->home, scene->ctx, &STORE, 1);
}

static void end(struct scene *scene)
{
    talloc_free(scene->ctx);
    store_home_remove(&scene->home);
}

static void note_done(bool is_held, void *arg)
{
    struct scene *scene = arg;
    scene->done++;
    scene->was_held = is_held;
}

static enum op_err count(struct kv_txn *txn, void *arg)
{
    return outbox_count(txn, arg);
}

static uint64_t waiting(struct scene *scene)
{
    struct outbox_counts counts;
    assert_int_equal(kv_run_wait(scene->kv, KV_READ_ONLY, count, &counts), OP_OK);
    return counts.waiting;
}

struct due {
    void *ctx;
    size_t count;
};

static enum op_err due_now(struct kv_txn *txn, void *arg)
{
    struct due *due = arg;
    struct outbox_page page = {0};
    enum op_err err = outbox_due(txn, due->ctx, (kv_now(txn) + 1) * 1000, 9, &page);
    due->count = page.count;
    return err;
}

static size_t due(struct scene *scene)
{
    struct due due = {.ctx = scene->ctx};
    assert_int_equal(kv_run_wait(scene->kv, KV_READ_ONLY, due_now, &due), OP_OK);
    return due.count;
}

static Rec__Message *hold(struct scene *scene)
{
    const char *const claims[] = {ADDRESS, VERIFIED, NULL};
    Rec__Message *message = notice_password_changed(scene->ctx, new_user(scene->ctx, claims), NULL, NOW);
    notice_hold(scene->kv, message, NULL, NULL, note_done, scene);
    struct pollfd ready = {.fd = kv_event_fd(scene->kv), .events = POLLIN};
    while (scene->done == 0 && poll(&ready, 1, 10000) == 1)
        kv_dispatch(scene->kv);
    assert_int_equal(scene->done, 1);
    return message;
}

/* Whoever waits for a write waits for those before it. */
static enum op_err nothing(struct kv_txn *txn, void *arg)
{
    (void)txn, (void)arg;
    return OP_OK;
}

static void settle(struct scene *scene, const Rec__Message *message, bool happened)
{
    notice_settle(scene->kv, message, happened);
    assert_int_equal(kv_run_wait(scene->kv, KV_OUTBOX, nothing, NULL), OP_OK);
}

static void it_is_let_out_after_the_change(void **state)
{
    (void)state;
    struct scene scene;
    begin(&scene);
    Rec__Message *message = hold(&scene);
    assert_true(scene.was_held && waiting(&scene) == 1 && due(&scene) == 0);
    settle(&scene, message, true);
    assert_true(waiting(&scene) == 1 && due(&scene) == 1);
    end(&scene);
}

static void it_is_withdrawn_when_nothing_changed(void **state)
{
    (void)state;
    struct scene scene;
    begin(&scene);
    settle(&scene, hold(&scene), false);
    assert_true(waiting(&scene) == 0);
    end(&scene);
}

static enum op_err fill(struct kv_txn *txn, void *arg)
{
    static const uint8_t value[1000];
    static const struct kv_table table = {KV_OUTBOX, 200, "filling"};
    unsigned *key = arg;
    ++*key;
    return kv_put(txn, &table, bytes_from(key, sizeof *key), bytes_from(value, *key < 2000 ? sizeof value : 1), 0);
}

static void an_outbox_without_room_keeps_nobody_from_the_change(void **state)
{
    (void)state;
    struct scene scene;
    unsigned key = 0;
    begin(&scene);
    while (key < 2000) /* the large ones until none fits, then the small ones */
        (void)!kv_run_wait(scene.kv, KV_OUTBOX, fill, &key);
    while (kv_run_wait(scene.kv, KV_OUTBOX, fill, &key) == OP_OK)
        assert_true(key < 1000000);
    Rec__Message *message = NULL;
    uint64_t held = 0;
    for (scene.was_held = true; scene.was_held; held += scene.was_held) { /* some may fit between the others */
        assert_in_range(held, 0, 1000);
        scene.done = 0;
        message = hold(&scene);
    }
    settle(&scene, message, true);
    assert_int_equal(waiting(&scene), held);
    end(&scene);
}

static void nobody_to_tell(void **state)
{
    (void)state;
    struct scene scene = {0};
    notice_hold(NULL, NULL, NULL, NULL, note_done, &scene);
    assert_int_equal(scene.done, 1);
    assert_true(scene.was_held);
    notice_settle(NULL, NULL, true);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(whoever_has_a_verified_address_is_told),
        cmocka_unit_test(texts_are_bounded),
        cmocka_unit_test(it_is_let_out_after_the_change),
        cmocka_unit_test(it_is_withdrawn_when_nothing_changed),
        cmocka_unit_test(an_outbox_without_room_keeps_nobody_from_the_change),
        cmocka_unit_test(nobody_to_tell),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
