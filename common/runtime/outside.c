#include "runtime/outside.h"

#include <stdlib.h>
#include <sys/queue.h>

#include "base/clock.h"
#include "store/guard.h"
#include "store/remote.h"
#include "store/wishes.h"

enum { RETRY_AFTER = 5 };

struct outside_settings outside_settings;

static const struct guard_limit ANEW = {"outside/anew", 5, 60};

struct question {
    const struct http_request *req;
    const char *url;
    int64_t since_ms;
    outside_done *done;
    void *arg;
    /* set by load: */
    enum op_err result;
    Rec__Document *document; /* what is there; NULL: nothing */
    /* set by wish: */
    unsigned wait;           /* seconds until it may be asked for anew */
    int64_t wished_since_ms;
    struct event *deadline;
    bool is_waiting;
    LIST_ENTRY(question) link;
};

static LIST_HEAD(questions, question) waiting = LIST_HEAD_INITIALIZER(waiting);

static int question_free(struct question *question)
{
    if (question->is_waiting)
        LIST_REMOVE(question, link);
    if (question->deadline != NULL)
        event_free(question->deadline);
    return 0;
}

static void answer(struct question *question, const struct outside_answer *what)
{
    outside_done *done = question->done;
    void *arg = question->arg;
    struct outside_answer copy = *what;
    talloc_free(question);
    done(&copy, arg);
}

static void answer_document(struct question *question)
{
    answer(question, &(struct outside_answer){.document = question->document});
}

static void answer_later(struct question *question, int64_t seconds)
{
    answer(question, &(struct outside_answer){.err = OP_BUSY, .retry_after = seconds > 1 ? (unsigned)seconds : 1});
}

static void answer_error(struct question *question, enum op_err err)
{
    /* What only a newer version may read cannot be had from this one. */
    answer(question, &(struct outside_answer){.err = err == OP_DENIED ? OP_BUSY : err, .retry_after = RETRY_AFTER});
}

static enum op_err load(struct kv_txn *txn, void *arg)
{
    struct question *question = arg;
    question->document = NULL;
    enum op_err err = remote_get(txn, question->req, question->url, &question->document);
    return err == OP_ABSENT ? OP_OK : err;
}

static void loaded(enum op_err result, void *arg)
{
    struct question *question = arg;
    question->result = result;
}

/* Answers by what stands in remote, if that will do. */
static bool settle(struct question *question)
{
    kv_run(server_kv(), KV_READ_ONLY, load, loaded, question);
    int64_t now_ms = clock_now_ms();
    if (question->result != OP_OK) {
        answer_error(question, question->result);
        return true;
    }
    switch (remote_judge(question->document, question->since_ms, now_ms)) {
    case REMOTE_FRESH:
        answer_document(question);
        return true;
    case REMOTE_FAILING:
        if (remote_is_usable(question->document, question->since_ms, now_ms))
            answer_document(question);
        else
            answer_later(question, question->document->retry_at - now_ms / 1000);
        return true;
    case REMOTE_WANTED:
        break;
    }
    return false;
}

/* --- waiting --- */

static void on_bell(void *arg)
{
    (void)arg;
    struct question *question = LIST_FIRST(&waiting), *next;
    for (; question != NULL; question = next) {
        next = LIST_NEXT(question, link);
        settle(question);
    }
}

static void on_deadline(evutil_socket_t fd, short what, void *arg)
{
    (void)fd, (void)what;
    struct question *question = arg;
    if (settle(question))
        return;
    if (remote_is_usable(question->document, question->since_ms, clock_now_ms()))
        answer_document(question);
    else
        answer_later(question, RETRY_AFTER);
}

static void wait_for_bell(struct question *question)
{
    struct timeval wait = {.tv_sec = outside_settings.wait / 1000, .tv_usec = outside_settings.wait % 1000 * 1000};
    question->deadline = event_new(server_base(), -1, 0, on_deadline, question);
    if (question->deadline == NULL || event_add(question->deadline, &wait) != 0)
        abort(); /* out of memory */
    LIST_INSERT_HEAD(&waiting, question, link);
    question->is_waiting = true;
}

bool outside_waiting(uint64_t *ret)
{
    const struct question *question;
    *ret = 0;
    LIST_FOREACH(question, &waiting, link)
        ++*ret;
    return true;
}

/* --- wishing --- */

/* Who asks anew while that is being done already waits for the same answer; else a few times a minute only, or
 * strangers could have a client's server asked at every request. */
static enum op_err wish(struct kv_txn *txn, void *arg)
{
    struct question *question = arg;
    Rec__Wish *other;
    question->wait = 0;
    question->wished_since_ms = question->since_ms;
    if (question->since_ms > 0) {
        enum op_err err = wishes_get(txn, question, question->url, &other);
        bool anew = err == OP_OK && question->document != NULL && other->since_ms > question->document->fetched_ms;
        if (anew && other->since_ms < question->since_ms) {
            question->wished_since_ms = other->since_ms;
            return OP_OK;
        }
        err = guard_try(txn, &ANEW, question->url, &question->wait);
        if (err != OP_OK || question->wait > 0)
            return err;
    }
    return wishes_leave(txn, question->url, question->since_ms, trace_parent(question, question->req->trace));
}

static void wished(enum op_err result, void *arg)
{
    struct question *question = arg;
    question->since_ms = question->wished_since_ms;
    if (result != OP_OK) {
        answer_error(question, result);
    } else if (question->wait == 0) {
        wait_for_bell(question);
        settle(question); /* it may have come while the wish was on its way */
    } else if (question->document != NULL && question->document->has_body) {
        answer_document(question);
    } else {
        answer_later(question, question->wait);
    }
}

void outside_get(const struct http_request *req, const char *url, int64_t since_ms, outside_done *done, void *arg)
{
    struct question *question = mem_new(req, struct question);
    talloc_set_destructor(question, question_free);
    question->req = req;
    question->url = mem_strdup(question, url);
    question->since_ms = since_ms;
    question->done = done;
    question->arg = arg;
    if (!settle(question))
        kv_run(server_kv(), KV_GUARD, wish, wished, question);
}

enum op_err outside_start(struct server *server, const char **ret_why)
{
    enum op_err err = kv_watch(server_kv(), KV_REMOTE, on_bell, NULL);
    if (err != OP_OK)
        *ret_why = mem_printf(server, "the bell of remote cannot be watched: %s", op_err_name(err));
    return err;
}
