#include "store_script.h"

#include "store/outbox.h"

enum { NOW = 1000000, HOUR_MS = 3600 * 1000, KEEP = 3600, MANY = 20, LETTERS_MAX = 3 };

static const char ONE[] = "process one", TWO[] = "process two";

static struct bytes id_of(const Rec__Message *message)
{
    return bytes_from(message->message_id.data, message->message_id.len);
}

static Rec__Message *new_mail(const void *ctx, const char *to)
{
    Rec__Message *message = records_new(ctx, &rec__message__descriptor);
    message->mail = records_new(message, &rec__mail__descriptor);
    message->mail->to = mem_strdup(message, to);
    return message;
}

/* The only message there is. */
static Rec__Message *only(struct script *script, struct kv_txn *txn)
{
    Rec__Message **messages = NULL;
    size_t count = 0;
    if (outbox_list(txn, script->ctx, bytes_of(NULL), 2, &messages, &count) != OP_OK || count != 1)
        return NULL;
    return messages[0];
}

static size_t due_count(struct script *script, struct kv_txn *txn, int64_t now_ms)
{
    struct outbox_page page = {0};
    size_t count = 0;
    do {
        if (outbox_due(txn, script->ctx, now_ms, 7, &page) != OP_OK)
            return SIZE_MAX;
        count += page.count;
    } while (page.place.len > 0);
    return count;
}

static int64_t next_ms(struct script *script, struct kv_txn *txn, int64_t now_ms)
{
    struct outbox_page page = {0};
    return outbox_due(txn, script->ctx, now_ms, MANY, &page) == OP_OK ? page.next_ms : -1;
}

static bool counts_are(struct kv_txn *txn, uint64_t waiting, uint64_t dead)
{
    struct outbox_counts counts;
    return outbox_count(txn, &counts) == OP_OK && counts.waiting == waiting && counts.dead == dead &&
           (counts.oldest_ms > 0) == (waiting > 0);
}

static enum op_err claim(struct script *script, struct kv_txn *txn, const char *who, int64_t now_ms)
{
    Rec__Message *message = only(script, txn), *claimed;
    return outbox_claim(txn, script->ctx, id_of(message), bytes_of(who), now_ms, now_ms + 1000, &claimed);
}

/* --- one after the other --- */

static enum op_err put_one(struct kv_txn *txn, void *arg)
{
    struct script *script = arg;
    Rec__Message *message = new_mail(script->ctx, "a@example.org"), *stored;
    CHECK(counts_are(txn, 0, 0) && due_count(script, txn, NOW) == 0 && next_ms(script, txn, NOW) == 0);
    CHECK(outbox_insert(txn, message, NOW, NOW) == OP_OK);
    CHECK(message->message_id.len == OUTBOX_ID_LEN && message->created_ms == NOW);
    CHECK(outbox_get(txn, script->ctx, id_of(message), &stored) == OP_OK && strcmp(stored->mail->to, "a@example.org") == 0);
    CHECK(due_count(script, txn, NOW) == 1 && due_count(script, txn, NOW - 1) == 0 && counts_are(txn, 1, 0));
    CHECK(next_ms(script, txn, NOW - 1) == NOW);
    return OP_OK;
}

static enum op_err one_of_two_claims(struct kv_txn *txn, void *arg)
{
    struct script *script = arg;
    CHECK(claim(script, txn, ONE, NOW) == OP_OK);
    CHECK(claim(script, txn, TWO, NOW) == OP_EXISTS && claim(script, txn, TWO, NOW + 999) == OP_EXISTS);
    CHECK(outbox_is_claimed(only(script, txn), NOW) && only(script, txn)->tries == 1);
    CHECK(due_count(script, txn, NOW + 999) == 0 && counts_are(txn, 1, 0));
    return OP_OK;
}

/* The first was killed: its claim lapses, and what it says later counts for nothing. */
static enum op_err the_other_takes_over(struct kv_txn *txn, void *arg)
{
    struct script *script = arg;
    struct bytes id = mem_bytes(script->ctx, id_of(only(script, txn)));
    CHECK(!outbox_is_claimed(only(script, txn), NOW + 1000) && due_count(script, txn, NOW + 1000) == 1);
    CHECK(claim(script, txn, TWO, NOW + 1000) == OP_OK && only(script, txn)->tries == 2);
    CHECK(outbox_delivered(txn, id, bytes_of(ONE)) == OP_MISMATCH);
    CHECK(outbox_postpone(txn, id, bytes_of(ONE), NOW, "late") == OP_MISMATCH);
    CHECK(outbox_bury(txn, id, bytes_of(ONE), "late", KEEP, LETTERS_MAX) == OP_MISMATCH);
    CHECK(outbox_let_go(txn, id, bytes_of(ONE), NOW) == OP_MISMATCH);
    CHECK(outbox_delivered(txn, id, bytes_of("")) == OP_MISMATCH);
    CHECK(outbox_delivered(txn, id, bytes_of(TWO)) == OP_OK);
    CHECK(only(script, txn) == NULL && counts_are(txn, 0, 0));
    CHECK(outbox_delivered(txn, id, bytes_of(TWO)) == OP_ABSENT);
    return OP_OK;
}

static void one_process_at_a_time_delivers_a_message(void **state)
{
    (void)state;
    RUN(KV_OUTBOX, put_one, one_of_two_claims, the_other_takes_over);
}

/* --- tries --- */

static enum op_err postponed(struct kv_txn *txn, void *arg)
{
    struct script *script = arg;
    struct bytes id = mem_bytes(script->ctx, id_of(only(script, txn)));
    CHECK(claim(script, txn, ONE, NOW) == OP_OK);
    CHECK(outbox_postpone(txn, id, bytes_of(ONE), NOW + HOUR_MS, "greylisted") == OP_OK);
    CHECK(!outbox_is_claimed(only(script, txn), NOW) && strcmp(only(script, txn)->failure, "greylisted") == 0);
    CHECK(claim(script, txn, TWO, NOW + HOUR_MS - 1) == OP_EXISTS);
    CHECK(next_ms(script, txn, NOW) == NOW + HOUR_MS);
    CHECK(outbox_delivered(txn, id, bytes_of(ONE)) == OP_MISMATCH); /* the claim has ended */
    CHECK(claim(script, txn, TWO, NOW + HOUR_MS) == OP_OK && only(script, txn)->tries == 2);
    return OP_OK;
}

static enum op_err let_go(struct kv_txn *txn, void *arg)
{
    struct script *script = arg;
    struct bytes id = mem_bytes(script->ctx, id_of(only(script, txn)));
    CHECK(outbox_make_due(txn, id, NOW + HOUR_MS) == OP_EXISTS); /* it is being delivered */
    CHECK(outbox_let_go(txn, id, bytes_of(TWO), NOW + HOUR_MS) == OP_OK);
    CHECK(only(script, txn)->tries == 1 && claim(script, txn, ONE, NOW + HOUR_MS) == OP_OK);
    return OP_OK;
}

static enum op_err buried(struct kv_txn *txn, void *arg)
{
    struct script *script = arg;
    struct bytes id = mem_bytes(script->ctx, id_of(only(script, txn)));
    CHECK(outbox_bury(txn, id, bytes_of(ONE), "550 nobody", KEEP, LETTERS_MAX) == OP_OK);
    CHECK(only(script, txn)->has_died_at && strcmp(only(script, txn)->failure, "550 nobody") == 0);
    CHECK(counts_are(txn, 0, 1) && due_count(script, txn, NOW + 100 * (int64_t)HOUR_MS) == 0);
    CHECK(claim(script, txn, ONE, NOW + 100 * (int64_t)HOUR_MS) == OP_ABSENT);
    return OP_OK;
}

static enum op_err called_back(struct kv_txn *txn, void *arg)
{
    struct script *script = arg;
    struct bytes id = mem_bytes(script->ctx, id_of(only(script, txn)));
    CHECK(outbox_make_due(txn, id, NOW) == OP_OK);
    CHECK(!only(script, txn)->has_died_at && only(script, txn)->tries == 0 && counts_are(txn, 1, 0));
    CHECK(due_count(script, txn, NOW) == 1 && claim(script, txn, ONE, NOW) == OP_OK);
    CHECK(outbox_drop(txn, id) == OP_OK && only(script, txn) == NULL && counts_are(txn, 0, 0));
    CHECK(outbox_drop(txn, id) == OP_ABSENT && outbox_make_due(txn, id, NOW) == OP_ABSENT);
    CHECK(outbox_delivered(txn, id, bytes_of(ONE)) == OP_ABSENT);
    return OP_OK;
}

static void a_message_waits_dies_and_is_called_back(void **state)
{
    (void)state;
    RUN(KV_OUTBOX, put_one, postponed, let_go, buried, called_back);
}

/* --- held back --- */

static enum op_err held(struct kv_txn *txn, void *arg)
{
    struct script *script = arg;
    Rec__Message *message = new_mail(script->ctx, "a@example.org");
    CHECK(outbox_insert(txn, message, NOW, NOW + OUTBOX_HOLD_MS) == OP_OK);
    CHECK(due_count(script, txn, NOW + OUTBOX_HOLD_MS - 1) == 0 && claim(script, txn, ONE, NOW) == OP_EXISTS);
    CHECK(due_count(script, txn, NOW + OUTBOX_HOLD_MS) == 1); /* nobody said what became of it */
    CHECK(outbox_make_due(txn, id_of(message), NOW + 5) == OP_OK);
    CHECK(due_count(script, txn, NOW + 5) == 1 && due_count(script, txn, NOW + 4) == 0);
    return OP_OK;
}

static void a_message_is_held_back_until_what_it_tells_of_is_done(void **state)
{
    (void)state;
    RUN(KV_OUTBOX, held);
}

/* --- many --- */

static enum op_err many(struct kv_txn *txn, void *arg)
{
    struct script *script = arg;
    for (int i = 0; i < MANY; i++)
        CHECK(outbox_insert(txn, new_mail(script->ctx, mem_printf(script->ctx, "%d", i)), NOW + i, NOW + MANY - i) == OP_OK);
    CHECK(counts_are(txn, MANY, 0) && due_count(script, txn, NOW + MANY) == MANY);
    struct outbox_counts counts;
    CHECK(outbox_count(txn, &counts) == OP_OK && counts.oldest_ms == NOW); /* which is due last */
    struct outbox_page page = {0};
    CHECK(outbox_due(txn, script->ctx, NOW + MANY, 2, &page) == OP_OK && page.count == 2 && page.place.len > 0);
    CHECK(page.messages[0]->due_ms == NOW + 1 && page.messages[1]->due_ms == NOW + 2); /* longest due first */
    Rec__Message **messages;
    size_t count;
    CHECK(outbox_list(txn, script->ctx, bytes_of(NULL), MANY + 1, &messages, &count) == OP_OK && count == MANY);
    for (int i = 0; i < MANY; i++)
        CHECK(strcmp(messages[i]->mail->to, mem_printf(script->ctx, "%d", i)) == 0); /* the oldest first */
    return OP_OK;
}

static enum op_err bury_all(struct kv_txn *txn, void *arg)
{
    struct script *script = arg;
    Rec__Message **messages, *claimed;
    size_t count;
    int64_t later = NOW + HOUR_MS;
    CHECK(outbox_list(txn, script->ctx, bytes_of(NULL), MANY, &messages, &count) == OP_OK && count == MANY);
    for (size_t i = 0; i < count; i++) {
        CHECK(outbox_claim(txn, script->ctx, id_of(messages[i]), bytes_of(ONE), later, later + 1, &claimed) == OP_OK);
        CHECK(outbox_bury(txn, id_of(messages[i]), bytes_of(ONE), "no", KEEP, LETTERS_MAX) == OP_OK);
    }
    CHECK(counts_are(txn, 0, LETTERS_MAX));
    CHECK(outbox_list(txn, script->ctx, bytes_of(NULL), MANY, &messages, &count) == OP_OK && count == LETTERS_MAX);
    CHECK(strcmp(messages[0]->mail->to, mem_printf(script->ctx, "%d", MANY - LETTERS_MAX)) == 0);
    CHECK(outbox_insert(txn, new_mail(script->ctx, "alive"), NOW, NOW) == OP_OK);
    CHECK(outbox_list_dead(txn, script->ctx, bytes_of(NULL), 2, &messages, &count) == OP_OK && count == 2);
    CHECK(outbox_list_dead(txn, script->ctx, id_of(messages[1]), 9, &messages, &count) == OP_OK && count == LETTERS_MAX - 2);
    CHECK(messages[0]->has_died_at);
    return OP_OK;
}

static void dead_letters_are_bounded_and_the_oldest_are_forgotten(void **state)
{
    (void)state;
    RUN(KV_OUTBOX, many, bury_all);
}

/* --- a newer version's --- */

static enum op_err newer(struct kv_txn *txn, void *arg)
{
    struct script *script = arg;
    Rec__Message *message = new_mail(script->ctx, "a@example.org"), *claimed;
    message->has_needs = true;
    message->needs = RECORDS_FORMAT + 1;
    CHECK(outbox_insert(txn, message, NOW, NOW) == OP_OK);
    struct bytes id = id_of(message);
    CHECK(due_count(script, txn, NOW) == 0 && only(script, txn)->needs > RECORDS_FORMAT);
    CHECK(outbox_claim(txn, script->ctx, id, bytes_of(ONE), NOW, NOW + 1, &claimed) == OP_DENIED);
    CHECK(outbox_make_due(txn, id, NOW) == OP_DENIED && outbox_drop(txn, id) == OP_DENIED);
    CHECK(outbox_delivered(txn, id, bytes_of(ONE)) == OP_DENIED && counts_are(txn, 1, 0));
    CHECK(outbox_insert(txn, new_mail(script->ctx, "b@example.org"), NOW, NOW) == OP_OK);
    CHECK(due_count(script, txn, NOW) == 1); /* it stands in nobody's way */
    return OP_OK;
}

static void a_record_of_a_newer_version_is_left_alone(void **state)
{
    (void)state;
    RUN(KV_OUTBOX, newer);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_process_at_a_time_delivers_a_message),
        cmocka_unit_test(a_message_waits_dies_and_is_called_back),
        cmocka_unit_test(a_message_is_held_back_until_what_it_tells_of_is_done),
        cmocka_unit_test(dead_letters_are_bounded_and_the_oldest_are_forgotten),
        cmocka_unit_test(a_record_of_a_newer_version_is_left_alone),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
