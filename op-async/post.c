#include "post.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/codec.h"
#include "base/log.h"
#include "base/rand.h"
#include "mail.h"
#include "runtime/metrics.h"
#include "runtime/server.h"
#include "runtime/settings.h"
#include "store/outbox.h"

enum {
    CLAIM_LEN = 16,
    CLAIM_SLACK_MS = 3000, /* for what comes before and after the delivery */
    PAGE = 64,              /* messages read at a time ... */
    PAGES_MAX = 256,        /* ... and pages in one look */
    SETTLE_TRIES = 2,
};

struct post_settings post_settings;

struct post {
    struct kv *kv;
    const struct site *site;
    struct smtp_server server;
    struct smtp *smtp;
    struct event *timer;
    uint8_t claim[CLAIM_LEN];
    struct job *jobs;
    size_t job_count;
    bool stopped;
};

enum outcome { DELIVERED, POSTPONED, DEAD, LET_GO };

/* One message that is being delivered; a talloc root of its own. */
struct job {
    struct post *post;
    struct job *next;
    struct bytes id;
    Rec__Message *message; /* once it is claimed */
    int64_t began_ms;
    unsigned settle_tries;
    /* how it ended: */
    enum outcome outcome;
    int64_t due_ms;       /* POSTPONED */
    const char *failure;  /* for the operator: may hold an address */
    const char *why;      /* for the log: holds none */
    long code;
};

static void look(struct post *post);

static struct bytes claim_of(const struct post *post)
{
    return bytes_from(post->claim, sizeof post->claim);
}

static struct bytes id_of(const Rec__Message *message)
{
    return bytes_from(message->message_id.data, message->message_id.len);
}

static void drop(struct job *job)
{
    struct job **link = &job->post->jobs;
    while (*link != job)
        link = &(*link)->next;
    *link = job->next;
    job->post->job_count--;
    talloc_free(job);
}

/* --- the end --- */

static void tell(const struct job *job)
{
    enum outcome how = job->outcome;
    enum log_level level = how == DEAD ? LOG_LEVEL_ERROR : how == POSTPONED ? LOG_LEVEL_WARNING : LOG_LEVEL_INFO;
    const char *event = how == DELIVERED   ? "mail_delivered"
                        : how == POSTPONED ? "mail_postponed"
                        : how == DEAD      ? "mail_dead"
                                           : "mail_let_go";
    char numbers[3][24];
    snprintf(numbers[0], sizeof numbers[0], "%u", job->message->tries);
    snprintf(numbers[1], sizeof numbers[1], "%lld", (long long)(clock_now_ms() - job->began_ms));
    snprintf(numbers[2], sizeof numbers[2], "%ld", job->code);
    metrics_count("partita_mails_delivered_total", how == DELIVERED);
    metrics_count("partita_mails_postponed_total", how == POSTPONED);
    metrics_count("partita_mails_dead_total", how == DEAD);
    metrics_count("partita_mails_let_go_total", how == LET_GO);
    log_event(level, event, NULL, NULL, "message", codec_hex(job, job->id), "try", numbers[0], "ms", numbers[1], "status",
              job->code == 0 ? NULL : numbers[2], "why", job->why, NULL);
}

static enum op_err settle(struct kv_txn *txn, void *arg)
{
    const struct job *job = arg;
    struct bytes claim = claim_of(job->post);
    switch (job->outcome) {
    case DELIVERED:
        return outbox_delivered(txn, job->id, claim);
    case POSTPONED:
        return outbox_postpone(txn, job->id, claim, job->due_ms, job->failure);
    case DEAD:
        return outbox_bury(txn, job->id, claim, job->failure, post_settings.dead_letter_lifetime,
                           (size_t)post_settings.dead_letters_max);
    default:
        return outbox_let_go(txn, job->id, claim, clock_now_ms());
    }
}

/* What cannot be written is claimed for a while yet, and then delivered once more. */
static void settled(enum op_err result, void *arg)
{
    struct job *job = arg;
    struct post *post = job->post;
    bool is_there = result != OP_MISMATCH && result != OP_ABSENT && result != OP_DENIED;
    if (result != OP_OK && is_there && !post->stopped && ++job->settle_tries < SETTLE_TRIES) {
        kv_run(post->kv, KV_OUTBOX, settle, settled, job);
        return;
    }
    if (result != OP_OK)
        log_event(LOG_LEVEL_ERROR, "mail_not_settled", NULL, NULL, "message", codec_hex(job, job->id), "result",
                  op_err_name(result), NULL);
    drop(job);
    look(post);
}

static void end(struct job *job)
{
    if (job->outcome == POSTPONED) {
        uint32_t chance;
        rand_bytes(&chance, sizeof chance);
        job->due_ms = clock_now_ms() + retry_delay_ms(&post_settings.retry, job->message->tries, chance);
    }
    tell(job);
    kv_run(job->post->kv, KV_OUTBOX, settle, settled, job);
}

static void give_up(struct job *job, const char *why)
{
    job->outcome = DEAD;
    job->failure = job->why = why;
    end(job);
}

/* --- the delivery --- */

static bool was_last_try(const struct job *job)
{
    return job->message->tries >= post_settings.retry.tries;
}

static void handed_over(const struct smtp_answer *answer, void *arg)
{
    struct job *job = arg;
    job->code = answer->code;
    if (answer->fate == SMTP_DELIVERED)
        job->outcome = DELIVERED;
    else if (job->post->stopped)
        job->outcome = LET_GO;
    else
        job->outcome = answer->fate == SMTP_REFUSED || was_last_try(job) ? DEAD : POSTPONED;
    if (answer->error != NULL) {
        job->why = mem_strdup(job, answer->error);
        job->failure = mem_strdup(job, answer->reply != NULL ? answer->reply : answer->error);
    }
    end(job);
}

static void deliver(struct job *job)
{
    struct smtp_letter letter;
    const char *why;
    if (job->message->tries > post_settings.retry.tries)
        give_up(job, "its last try never ended: whoever made it was killed");
    else if (mail_write(job, job->post->site, job->message, &letter, &why) != OP_OK)
        give_up(job, why);
    else
        smtp_send(job->post->smtp, &letter, handed_over, job);
}

static enum op_err claim(struct kv_txn *txn, void *arg)
{
    struct job *job = arg;
    int64_t now_ms = clock_now_ms(), longest_ms = 2 * post_settings.timeout * 1000;
    return outbox_claim(txn, job, job->id, claim_of(job->post), now_ms, now_ms + longest_ms + CLAIM_SLACK_MS,
                        &job->message);
}

static void claimed(enum op_err result, void *arg)
{
    struct job *job = arg;
    struct post *post = job->post;
    job->began_ms = clock_now_ms();
    if (result != OP_OK) {
        drop(job);
        if (result == OP_EXISTS || result == OP_ABSENT) /* another instance was faster */
            look(post);
    } else if (post->stopped) {
        job->outcome = LET_GO;
        end(job);
    } else {
        deliver(job);
    }
}

/* --- which messages to take --- */

struct choice {
    struct post *post;
    void *ctx;
    struct bytes *ids;
    size_t count, slots;
    int64_t now_ms, next_ms;
};

static bool is_ours(const struct post *post, struct bytes id)
{
    for (const struct job *job = post->jobs; job != NULL; job = job->next)
        if (bytes_equal(job->id, id))
            return true;
    return false;
}

static enum op_err choose(struct kv_txn *txn, void *arg)
{
    struct choice *choice = arg;
    struct outbox_page page = {0};
    enum op_err err = OP_OK;
    choice->count = 0;
    for (unsigned n = 0; n < PAGES_MAX && choice->count < choice->slots && err == OP_OK; n++) {
        err = outbox_due(txn, choice->ctx, choice->now_ms, PAGE, &page);
        for (size_t i = 0; err == OP_OK && i < page.count && choice->count < choice->slots; i++)
            if (!is_ours(choice->post, id_of(page.messages[i])))
                choice->ids[choice->count++] = id_of(page.messages[i]);
        choice->next_ms = page.next_ms;
        if (page.place.len == 0)
            break;
    }
    return err;
}

static void wait_for_next(struct post *post, const struct choice *choice)
{
    int64_t ms = choice->next_ms - choice->now_ms + 1;
    struct timeval after = {.tv_sec = (time_t)(ms / 1000), .tv_usec = (suseconds_t)(ms % 1000 * 1000)};
    if (choice->next_ms > 0 && event_add(post->timer, &after) != 0)
        abort(); /* out of memory */
}

static void chosen(enum op_err result, void *arg)
{
    const struct choice *choice = arg;
    struct post *post = choice->post;
    for (size_t i = 0; result == OP_OK && i < choice->count; i++) {
        struct job *job = mem_new(NULL, struct job);
        *job = (struct job){.post = post, .next = post->jobs, .id = mem_bytes(job, choice->ids[i])};
        post->jobs = job;
        post->job_count++;
        kv_run(post->kv, KV_OUTBOX, claim, claimed, job);
    }
}

static void look(struct post *post)
{
    size_t most = (size_t)post_settings.deliveries_max;
    if (post->stopped || post->job_count >= most)
        return;
    struct choice choice = {
        .post = post, .ctx = mem_root("look"), .slots = most - post->job_count, .now_ms = clock_now_ms()};
    choice.ids = mem_array(choice.ctx, struct bytes, choice.slots);
    kv_run(post->kv, KV_READ_ONLY, choose, chosen, &choice);
    wait_for_next(post, &choice);
    talloc_free(choice.ctx);
}

static void on_bell(void *arg)
{
    look(arg);
}

static void on_timer(evutil_socket_t fd, short what, void *arg)
{
    (void)fd, (void)what;
    look(arg);
}

/* --- how many there are --- */

static enum op_err count(struct kv_txn *txn, void *arg)
{
    return outbox_count(txn, arg);
}

static void counted(enum op_err result, void *arg)
{
    if (result != OP_OK)
        *(struct outbox_counts *)arg = (struct outbox_counts){UINT64_MAX, UINT64_MAX, 0};
}

static struct outbox_counts counts; /* as the metric that comes first found them */

bool post_messages(uint64_t *ret)
{
    kv_run(server_kv(), KV_READ_ONLY, count, counted, &counts);
    *ret = counts.waiting;
    return *ret != UINT64_MAX;
}

bool post_dead_letters(uint64_t *ret)
{
    *ret = counts.dead;
    return *ret != UINT64_MAX;
}

bool post_oldest_age(uint64_t *ret)
{
    int64_t age_ms = counts.oldest_ms == 0 ? 0 : clock_now_ms() - counts.oldest_ms;
    *ret = age_ms < 0 ? 0 : (uint64_t)age_ms / 1000;
    return counts.waiting != UINT64_MAX;
}

/* --- start and stop --- */

const char *post_check_settings(void)
{
    if (*settings.mail_server == '\0')
        return NULL;
    if (*settings.mail_from == '\0')
        return "mail_server is set, but not mail_from ([all])";
    if (*post_settings.user != '\0' && !post_settings.starttls && strncmp(settings.mail_server, "smtp:", 5) == 0)
        return "mail_user: its password is sent under TLS only: mail_starttls = yes, or smtps://";
    return NULL;
}

static enum op_err check_ca_file(const void *ctx, const char **ret_why)
{
    if (*post_settings.ca_file == '\0' || access(post_settings.ca_file, R_OK) == 0)
        return OP_OK;
    *ret_why = mem_printf(ctx, "%s cannot be read: %s: mail_ca_file names it", post_settings.ca_file, strerror(errno));
    return OP_INVALID;
}

static const char *or_null(const char *text)
{
    return *text == '\0' ? NULL : text;
}

static int post_free(struct post *post)
{
    while (post->jobs != NULL)
        drop(post->jobs);
    event_free(post->timer);
    return 0;
}

static struct post *post_new(const void *ctx, struct event_base *base, struct kv *kv, const struct site *site,
                             const char *password)
{
    struct post *post = mem_new(ctx, struct post);
    post->kv = kv;
    post->site = site;
    post->server = (struct smtp_server){
        .url = settings.mail_server, .hello = mail_host(post), .starttls = post_settings.starttls,
        .user = or_null(post_settings.user), .password = password, .ca_file = or_null(post_settings.ca_file),
        .timeout = post_settings.timeout};
    post->smtp = smtp_new(post, base, &post->server);
    post->timer = event_new(base, -1, 0, on_timer, post);
    if (post->timer == NULL)
        abort(); /* out of memory */
    rand_bytes(post->claim, sizeof post->claim);
    talloc_set_destructor(post, post_free);
    return post;
}

/* Once everything stands. */
static void say_none(evutil_socket_t fd, short what, void *arg)
{
    (void)fd, (void)what, (void)arg;
    log_event(LOG_LEVEL_INFO, "no_mail_server", NULL, NULL, "what",
              "mail_server is not set: people are told nothing by mail, and nothing is written into the outbox", NULL);
}

enum op_err post_start(const void *ctx, struct event_base *base, struct kv *kv, const struct site *site,
                       const char *password, struct post **ret, const char **ret_why)
{
    if (*settings.mail_server == '\0') {
        if (event_base_once(base, -1, EV_TIMEOUT, say_none, NULL, &(struct timeval){0}) != 0)
            abort(); /* out of memory */
        *ret = NULL;
        return OP_OK;
    }
    enum op_err err = check_ca_file(ctx, ret_why);
    if (err != OP_OK)
        return err;
    struct post *post = post_new(ctx, base, kv, site, password);
    err = kv_watch(kv, KV_OUTBOX, on_bell, post);
    if (err != OP_OK) {
        *ret_why = mem_printf(ctx, "the bell of outbox cannot be watched: %s", op_err_name(err));
        smtp_stop(post->smtp);
        talloc_free(post);
        return err;
    }
    look(post);
    *ret = post;
    return OP_OK;
}

void post_stop(struct post *post)
{
    if (post == NULL)
        return;
    post->stopped = true;
    smtp_stop(post->smtp);
}
