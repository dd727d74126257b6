#include "generate.h"

#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

/* The thread owns `own` and what hangs on it until it has written to the descriptor. */
struct generate_job {
    void *own;
    enum jose_alg *algs;
    size_t alg_count;
    uint8_t *seal_key;
    struct generated_key *keys;
    size_t count;
    generate_done *done;
    void *arg;
    pthread_t thread;
    bool joined;
    int fd;
    struct event *event;
};

static bool generate_one(struct generate_job *job, enum jose_alg alg)
{
    struct jose_key *key;
    if (jose_key_generate(job->own, alg, &key) != OP_OK)
        return false;
    struct generated_key *out = &job->keys[job->count];
    out->alg = alg;
    out->kid = jose_key_kid(key);
    out->public_jwk = jose_key_public_jwk(job->own, key);
    char *private_jwk = jose_key_private_jwk(job->own, key);
    out->sealed = digest_seal(job->own, job->seal_key, bytes_of(out->kid), bytes_of(private_jwk));
    talloc_free(private_jwk);
    job->count++;
    return true;
}

static void *work(void *arg)
{
    struct generate_job *job = arg;
    for (size_t i = 0; i < job->alg_count; i++)
        if (!generate_one(job, job->algs[i]))
            break;
    if (job->count < job->alg_count)
        job->count = 0;
    if (eventfd_write(job->fd, 1) != 0)
        abort(); /* an eventfd of ours takes a one */
    return NULL;
}

static void join(struct generate_job *job)
{
    if (!job->joined)
        pthread_join(job->thread, NULL);
    job->joined = true;
}

static int job_destroy(struct generate_job *job)
{
    join(job);
    event_free(job->event);
    close(job->fd);
    talloc_free(job->own);
    return 0;
}

static void on_finished(evutil_socket_t fd, short what, void *arg)
{
    (void)fd, (void)what;
    struct generate_job *job = arg;
    join(job);
    job->done(job->keys, job->count, job->arg);
    talloc_free(job);
}

/* Signals are for the event loop's thread. */
static void start_thread(struct generate_job *job)
{
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    if (pthread_create(&job->thread, NULL, work, job) != 0)
        abort(); /* no memory for a thread */
    pthread_sigmask(SIG_SETMASK, &before, NULL);
}

struct generate_job *generate_start(const void *ctx, struct event_base *base, const enum jose_alg *algs, size_t count,
                                    const uint8_t seal_key[DIGEST_KEY_LEN], generate_done *done, void *arg)
{
    struct generate_job *job = mem_new(ctx, struct generate_job);
    job->own = mem_root("generate");
    job->algs = mem_array(job->own, enum jose_alg, count);
    memcpy(job->algs, algs, count * sizeof *algs);
    job->alg_count = count;
    job->seal_key = mem_secret(mem_array(job->own, uint8_t, DIGEST_KEY_LEN));
    memcpy(job->seal_key, seal_key, DIGEST_KEY_LEN);
    job->keys = mem_array(job->own, struct generated_key, count);
    job->done = done;
    job->arg = arg;
    job->fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    job->event = event_new(base, job->fd, EV_READ, on_finished, job);
    if (job->fd < 0 || job->event == NULL || event_add(job->event, NULL) != 0)
        abort(); /* out of memory or descriptors */
    start_thread(job);
    talloc_set_destructor(job, job_destroy);
    return job;
}
