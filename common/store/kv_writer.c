#include "store/kv_writer.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "store/kv_process.h"

enum { SWEEPS_MAX = 32 };
enum { QUIET_US = 3 * 1000 * 1000 }; /* so long without a full error: then it is over */

struct job {
    struct job *next;
    kv_work *work;
    kv_done *done;
    void *arg;
    int64_t due; /* waiting longer than this it is given up */
    enum op_err result;
    bool waits; /* somebody blocks for it in kv_writer_run and owns it */
    bool finished;
    bool refused; /* its result is the store's, not its own */
};

struct queue {
    struct job *head, **tail;
    unsigned length;
};

struct kv_writer {
    struct kv_database *db;
    struct kv_snapshots *snapshots;
    struct kv_events *events;
    const char *dir;
    unsigned queue_max, wait_ms;
    int bell;
    pthread_t thread;

    pthread_mutex_t lock; /* guards all below */
    pthread_cond_t queued, finished;
    struct queue waiting, reports;
    bool stopping;
    uint64_t commits, works, full_errors, busy_errors, failed_commits;
    struct histogram batch_sizes, commit_us;
    enum op_err trouble; /* OP_OK, OP_FULL, OP_BROKEN: what the operator was told, or is to be */
    bool trouble_is_new, tampered;
    int64_t full_at;
    char reason[160];
};

static void queue_init(struct queue *queue)
{
    *queue = (struct queue){.tail = &queue->head};
}

static void queue_add(struct queue *queue, struct job *job)
{
    job->next = NULL;
    *queue->tail = job;
    queue->tail = &job->next;
    queue->length++;
}

static struct job *queue_take(struct queue *queue)
{
    struct job *job = queue->head;
    if (job == NULL)
        return NULL;
    queue->head = job->next;
    if (queue->head == NULL)
        queue->tail = &queue->head;
    queue->length--;
    return job;
}

/* With the lock held. */
static void finish(struct kv_writer *writer, struct job *job, enum op_err result)
{
    job->result = result;
    writer->busy_errors += result == OP_BUSY;
    if (job->waits) {
        job->finished = true;
        pthread_cond_broadcast(&writer->finished);
        return;
    }
    bool first = writer->reports.head == NULL;
    queue_add(&writer->reports, job);
    if (first)
        kv_events_signal(writer->events);
}

/* With the lock held: gives up the heads that are overdue. */
static void give_up_overdue(struct kv_writer *writer, int64_t now_us)
{
    while (writer->waiting.head != NULL && writer->waiting.head->due <= now_us)
        finish(writer, queue_take(&writer->waiting), OP_BUSY);
}

/* With the lock held. */
static void set_trouble(struct kv_writer *writer, enum op_err trouble)
{
    if (writer->trouble == trouble)
        return;
    writer->trouble = trouble;
    writer->trouble_is_new = true;
    if (trouble != OP_OK) {
        const char *reason = kv_database_error(writer->db);
        size_t len = strnlen(reason, sizeof writer->reason - 1);
        memcpy(writer->reason, reason, len);
        writer->reason[len] = '\0';
    }
    kv_events_signal(writer->events);
}

/* With the lock held: what one result says about the environment. */
static void judge(struct kv_writer *writer, enum op_err result, bool nearly_full)
{
    int64_t now = clock_monotonic_us();
    if (result == OP_FULL) {
        writer->full_errors++;
        writer->full_at = now;
        set_trouble(writer, OP_FULL);
    } else if (result == OP_BROKEN || result == OP_MISMATCH) {
        if (result == OP_MISMATCH && !writer->tampered) {
            writer->tampered = true;
            writer->trouble = OP_OK; /* whatever was told before */
        }
        set_trouble(writer, OP_BROKEN);
    } else if (!nearly_full && now - writer->full_at > QUIET_US) {
        set_trouble(writer, OP_OK);
    }
}

/* With the lock held. */
static void count_commit(struct kv_writer *writer, enum op_err err, unsigned works, int64_t us)
{
    histogram_add(&writer->commit_us, (uint64_t)us);
    if (err != OP_OK) {
        writer->failed_commits++;
        return;
    }
    writer->commits++;
    writer->works += works;
    histogram_add(&writer->batch_sizes, works);
}

/* Runs jobs in one transaction. Their results stand once it is committed. */
static enum op_err run_batch(struct kv_writer *writer, struct kv_batch *batch, struct queue *jobs)
{
    bool rings = false, one_rings;
    unsigned kept = 0;
    for (struct job *job = jobs->head; job != NULL; job = job->next) {
        job->result = kv_batch_work(batch, job->work, job->arg, &one_rings, &job->refused);
        rings = rings || one_rings;
        kept += job->result == OP_OK;
    }
    int64_t began = clock_monotonic_us();
    enum op_err err = kv_batch_commit(batch);
    int64_t took = clock_monotonic_us() - began;
    if (err == OP_OK && rings)
        kv_bell_ring(writer->bell);
    pthread_mutex_lock(&writer->lock);
    count_commit(writer, err, kept, took);
    judge(writer, err != OP_OK ? err : batch->refused, batch->nearly_full);
    pthread_mutex_unlock(&writer->lock);
    return err;
}

/* A refused commit takes every result in the batch with it, since one work saw what another wrote.
 * What did not fit beside its neighbours goes to retry, if that is given. */
static void finish_batch(struct kv_writer *writer, struct queue *jobs, enum op_err err, struct queue *retry)
{
    struct job *job;
    pthread_mutex_lock(&writer->lock);
    while ((job = queue_take(jobs)) != NULL) {
        enum op_err result = err != OP_OK ? err : job->result;
        if (retry != NULL && result == OP_FULL && (err != OP_OK || job->refused))
            queue_add(retry, job);
        else
            finish(writer, job, result);
    }
    pthread_mutex_unlock(&writer->lock);
}

static void run_alone(struct kv_writer *writer, struct job *job)
{
    struct queue one;
    struct kv_batch batch;
    enum op_err err = OP_BUSY;
    queue_init(&one);
    queue_add(&one, job);
    if (clock_monotonic_us() < job->due)
        err = kv_batch_begin(writer->db, writer->snapshots, &batch);
    if (err == OP_OK)
        err = run_batch(writer, &batch, &one);
    else if (err == OP_MISMATCH)
        err = OP_BROKEN; /* the next one finds it too, and says so */
    finish_batch(writer, &one, err, NULL);
}

/* Removes expired entries: many if there are pages for that, else one. True when there may be more. */
static bool sweep(struct kv_batch *batch)
{
    const size_t limits[] = {batch->sweep_max, 1};
    bool rings, refused, swept = false, more = false;
    for (size_t i = 0; i < sizeof limits / sizeof *limits && !swept; i++) {
        struct kv_sweeping sweeping = {.limit = limits[i]};
        swept = kv_batch_work(batch, kv_sweep_work, &sweeping, &rings, &refused) == OP_OK;
        more = swept && sweeping.removed == sweeping.limit;
    }
    batch->refused = OP_OK;
    return more;
}

/* Begins a batch. An environment that is nearly full first makes room, over as many commits as it takes
 * within bounds: what one frees is to be had in the next but one. */
static enum op_err begin(struct kv_writer *writer, struct kv_batch *batch)
{
    enum op_err err = kv_batch_begin(writer->db, writer->snapshots, batch);
    for (unsigned round = 1; err == OP_OK && batch->nearly_full && sweep(batch) && round < SWEEPS_MAX; round++) {
        err = kv_batch_commit(batch);
        if (err == OP_OK)
            err = kv_batch_begin(writer->db, writer->snapshots, batch);
    }
    return err;
}

static void take_jobs(struct kv_writer *writer, size_t max, struct queue *jobs)
{
    queue_init(jobs);
    give_up_overdue(writer, clock_monotonic_us());
    while (jobs->length < max && writer->waiting.head != NULL)
        queue_add(jobs, queue_take(&writer->waiting));
}

static void serve(struct kv_writer *writer)
{
    struct kv_batch batch;
    struct queue jobs, retry;
    queue_init(&retry);
    enum op_err err = writer->tampered ? OP_MISMATCH : begin(writer, &batch);
    pthread_mutex_lock(&writer->lock);
    if (err != OP_OK)
        judge(writer, err, true);
    take_jobs(writer, err == OP_OK ? batch.works_max : SIZE_MAX, &jobs);
    pthread_mutex_unlock(&writer->lock);
    bool together = jobs.length > 1 && err == OP_OK;
    if (err == OP_OK)
        err = run_batch(writer, &batch, &jobs);
    else if (err == OP_MISMATCH)
        err = OP_BROKEN;
    finish_batch(writer, &jobs, err, together ? &retry : NULL);
    for (struct job *job; (job = queue_take(&retry)) != NULL;)
        run_alone(writer, job);
}

static void *writer_main(void *arg)
{
    struct kv_writer *writer = arg;
    for (;;) {
        pthread_mutex_lock(&writer->lock);
        while (writer->waiting.head == NULL && !writer->stopping)
            pthread_cond_wait(&writer->queued, &writer->lock);
        bool end = writer->waiting.head == NULL;
        pthread_mutex_unlock(&writer->lock);
        if (end)
            return NULL;
        serve(writer);
    }
}

static void writer_init(struct kv_writer *writer, struct kv_database *db, struct kv_snapshots *snapshots,
                        const struct kv_writer_config *config)
{
    writer->db = db;
    writer->snapshots = snapshots;
    writer->events = config->events;
    writer->dir = config->dir;
    writer->queue_max = config->queue_max;
    writer->wait_ms = config->wait_ms;
    writer->full_at = -QUIET_US;
    writer->batch_sizes = histogram_make(&HISTOGRAM_SIZES);
    writer->commit_us = histogram_make(&HISTOGRAM_TIMES);
    queue_init(&writer->waiting);
    queue_init(&writer->reports);
    pthread_mutex_init(&writer->lock, NULL);
    pthread_cond_init(&writer->queued, NULL);
    pthread_condattr_t monotonic;
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_cond_init(&writer->finished, &monotonic);
    pthread_condattr_destroy(&monotonic);
}

/* Signals are the loop's. */
static int start_thread(struct kv_writer *writer)
{
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int reason = pthread_create(&writer->thread, NULL, writer_main, writer);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return reason;
}

enum op_err kv_writer_start(const void *ctx, struct kv_database *db, struct kv_snapshots *snapshots,
                            const struct kv_writer_config *config, struct kv_writer **ret, const char **ret_why)
{
    struct kv_writer *writer = mem_new(ctx, struct kv_writer);
    int bell = kv_bell_open(config->dir), reason = errno;
    if (bell >= 0) {
        writer_init(writer, db, snapshots, config);
        writer->bell = bell;
        reason = start_thread(writer);
        if (reason == 0) {
            *ret = writer;
            return OP_OK;
        }
        close(bell);
    }
    *ret_why = mem_printf(ctx, "%s: no writer: %s", config->dir, strerror(reason));
    kv_snapshots_free(snapshots);
    talloc_free(writer);
    return OP_BROKEN;
}

void kv_writer_stop(struct kv_writer *writer)
{
    pthread_mutex_lock(&writer->lock);
    writer->stopping = true;
    pthread_cond_signal(&writer->queued);
    pthread_mutex_unlock(&writer->lock);
    pthread_join(writer->thread, NULL);
    kv_snapshots_free(writer->snapshots);
    close(writer->bell);
}

/* With the lock held. */
static void push(struct kv_writer *writer, struct job *job)
{
    job->due = clock_monotonic_us() + (int64_t)writer->wait_ms * 1000;
    if (writer->stopping || writer->waiting.length >= writer->queue_max) {
        finish(writer, job, OP_BUSY);
        return;
    }
    queue_add(&writer->waiting, job);
    pthread_cond_signal(&writer->queued);
}

int64_t kv_writer_push(struct kv_writer *writer, kv_work *work, kv_done *done, void *arg)
{
    struct job *job = mem_new(NULL, struct job);
    *job = (struct job){.work = work, .done = done, .arg = arg};
    pthread_mutex_lock(&writer->lock);
    push(writer, job);
    int64_t due = job->due;
    pthread_mutex_unlock(&writer->lock);
    return due;
}

enum op_err kv_writer_run(struct kv_writer *writer, kv_work *work, void *arg)
{
    struct job job = {.work = work, .arg = arg, .waits = true};
    pthread_mutex_lock(&writer->lock);
    push(writer, &job);
    struct timespec due = {.tv_sec = job.due / 1000000, .tv_nsec = job.due % 1000000 * 1000};
    while (!job.finished && pthread_cond_timedwait(&writer->finished, &writer->lock, &due) != ETIMEDOUT)
        ;
    give_up_overdue(writer, clock_monotonic_us());
    while (!job.finished) /* it is being committed */
        pthread_cond_wait(&writer->finished, &writer->lock);
    pthread_mutex_unlock(&writer->lock);
    return job.result;
}

int64_t kv_writer_expire(struct kv_writer *writer, int64_t now_us)
{
    pthread_mutex_lock(&writer->lock);
    give_up_overdue(writer, now_us);
    int64_t next = writer->waiting.head == NULL ? 0 : writer->waiting.head->due;
    pthread_mutex_unlock(&writer->lock);
    return next;
}

bool kv_writer_deliver(struct kv_writer *writer)
{
    pthread_mutex_lock(&writer->lock);
    struct job *jobs = writer->reports.head;
    queue_init(&writer->reports);
    pthread_mutex_unlock(&writer->lock);
    bool some = jobs != NULL;
    while (jobs != NULL) {
        struct job *job = jobs;
        jobs = job->next;
        if (job->done != NULL)
            job->done(job->result, job->arg);
        talloc_free(job);
    }
    return some;
}

static char *describe_trouble(const struct kv_writer *writer)
{
    if (writer->tampered)
        return mem_printf(NULL, "%s/%s: nothing more is written here; stop every server, find out who did it, "
                                "run `opctl init`, start again", writer->dir, writer->reason);
    if (writer->trouble == OP_OK)
        return mem_printf(NULL, "%s/data.mdb: writes succeed again", writer->dir);
    if (writer->trouble == OP_FULL)
        return mem_printf(NULL, "%s/data.mdb: %s: what needs room is refused until there is some", writer->dir,
                          writer->reason);
    return mem_printf(NULL, "%s/data.mdb: a write failed: %s", writer->dir, writer->reason);
}

char *kv_writer_alarm(struct kv_writer *writer, enum op_err *ret_what)
{
    char *line = NULL;
    pthread_mutex_lock(&writer->lock);
    if (writer->trouble_is_new) {
        writer->trouble_is_new = false;
        *ret_what = writer->trouble;
        line = describe_trouble(writer);
    }
    pthread_mutex_unlock(&writer->lock);
    return line;
}

void kv_writer_stats(struct kv_writer *writer, struct kv_stats *stats)
{
    pthread_mutex_lock(&writer->lock);
    stats->commits = writer->commits;
    stats->works = writer->works;
    stats->full_errors = writer->full_errors;
    stats->busy_errors = writer->busy_errors;
    stats->failed_commits = writer->failed_commits;
    stats->queue_length = writer->waiting.length;
    stats->queue_max = writer->queue_max;
    stats->is_full = writer->trouble == OP_FULL;
    stats->is_broken = writer->trouble == OP_BROKEN;
    stats->is_tampered = writer->tampered;
    stats->batch_sizes = writer->batch_sizes;
    stats->commit_us = writer->commit_us;
    pthread_mutex_unlock(&writer->lock);
}
