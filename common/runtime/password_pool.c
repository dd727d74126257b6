#include "runtime/password_pool.h"

#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"

enum { PUT_OFF_MAX_US = 2000000 };

/* A root of its own in memory: one thread at a time owns it, so nothing of it hangs on a request. */
struct task {
    char *password, *phc, *new_password;
    enum op_err result;
    char *new_phc;
    int64_t begun_us;       /* when a thread took it, ... */
    int64_t foreign_cpu_us; /* ... and what it cost to verify, when that was of another cost than the pool's */
    struct event *timer;    /* of a refusal that is put off */
    password_done *done;
    void *arg;
};

/* Tasks go to the threads and come back as pointers through two pipes, not under a mutex: a thread of idle
 * priority that was put off the processor while it held one would hold up the event loop. */
struct password_pool {
    int jobs[2], results[2];
    atomic_bool stopping;
    struct password_cost cost;
    struct event_base *base;
    unsigned tasks, tasks_max; /* queued or being hashed; the event loop's own */
    int64_t slowest_us;        /* hash of another cost than the pool's that was seen; the event loop's own */
    unsigned thread_count;
    pthread_t *threads;
    struct event *event;
};

static bool send_task(int fd, struct task *task)
{
    return write(fd, &task, sizeof task) == (ssize_t)sizeof task;
}

static struct task *receive_task(int fd)
{
    struct task *task = NULL;
    return read(fd, &task, sizeof task) == (ssize_t)sizeof task ? task : NULL;
}

/* --- on the threads --- */

static void be_idle(void)
{
    struct sched_param param = {0};
    if (sched_setscheduler(0, SCHED_IDLE, &param) != 0)
        setpriority(PRIO_PROCESS, (id_t)syscall(SYS_gettid), 19);
}

static int64_t cpu_us(void)
{
    struct timespec t;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

static void work_on(struct task *task, struct password_cost cost)
{
    task->begun_us = clock_monotonic_us();
    int64_t cpu_before = cpu_us();
    bool stale = task->phc != NULL && password_is_stale(task->phc, cost);
    task->result = task->password == NULL ? OP_OK : password_verify(task->password, task->phc, cost);
    if (stale)
        task->foreign_cpu_us = cpu_us() - cpu_before;
    if (task->result != OP_OK)
        return;
    const char *to_hash = task->new_password;
    if (to_hash == NULL && stale && password_is_known_whole(task->password, task->phc))
        to_hash = task->password;
    if (to_hash != NULL)
        task->result = password_hash(task, to_hash, cost, &task->new_phc);
}

static void *thread_main(void *arg)
{
    struct password_pool *pool = arg;
    be_idle();
    struct task *task = NULL;
    while ((task = receive_task(pool->jobs[0])) != NULL) {
        if (!atomic_load(&pool->stopping))
            work_on(task, pool->cost);
        send_task(pool->results[1], task);
    }
    return NULL;
}

/* --- on the event loop --- */

static void finish(struct task *task)
{
    task->done(task->result, task->new_phc, task->arg);
    talloc_free(task);
}

static void finish_late(evutil_socket_t fd, short what, void *arg)
{
    (void)fd;
    (void)what;
    finish(arg);
}

static int free_timer(struct task *task)
{
    event_free(task->timer);
    return 0;
}

static void put_off(struct password_pool *pool, struct task *task, int64_t us)
{
    const struct timeval wait = {.tv_sec = us / 1000000, .tv_usec = us % 1000000};
    talloc_steal(pool, task);
    task->timer = evtimer_new(pool->base, finish_late, task);
    if (task->timer == NULL || evtimer_add(task->timer, &wait) != 0)
        abort();
    talloc_set_destructor(task, free_timer);
}

/* An account whose hash was imported, and costs more than ours, would be known by how long a refusal takes: where
 * there are such, every refusal takes as long. */
static int64_t to_wait_us(struct password_pool *pool, const struct task *task)
{
    if (task->foreign_cpu_us > pool->slowest_us)
        pool->slowest_us = task->foreign_cpu_us < PUT_OFF_MAX_US ? task->foreign_cpu_us : PUT_OFF_MAX_US;
    return task->result == OP_OK ? 0 : task->begun_us + pool->slowest_us - clock_monotonic_us();
}

static void deliver(evutil_socket_t fd, short what, void *arg)
{
    (void)what;
    struct password_pool *pool = arg;
    struct task *task = NULL;
    while ((task = receive_task(fd)) != NULL) {
        pool->tasks--;
        int64_t wait = to_wait_us(pool, task);
        if (wait > 0)
            put_off(pool, task, wait);
        else
            finish(task);
    }
}

static int stop(struct password_pool *pool)
{
    atomic_store(&pool->stopping, true);
    close(pool->jobs[1]); /* the threads find the end of the pipe */
    for (unsigned i = 0; i < pool->thread_count; i++)
        pthread_join(pool->threads[i], NULL);
    struct task *task = NULL;
    while ((task = receive_task(pool->results[0])) != NULL)
        talloc_free(task);
    event_free(pool->event);
    close(pool->jobs[0]);
    close(pool->results[0]);
    close(pool->results[1]);
    return 0;
}

static void open_pipes(struct password_pool *pool)
{
    /* Each pipe holds every task there can be, so that no write ever waits. */
    int bytes = (int)(pool->tasks_max * sizeof(struct task *));
    if (pipe2(pool->jobs, O_CLOEXEC) != 0 || pipe2(pool->results, O_CLOEXEC) != 0 ||
        fcntl(pool->results[0], F_SETFL, O_NONBLOCK) != 0)
        abort();
    if (bytes > 65536 && (fcntl(pool->jobs[1], F_SETPIPE_SZ, bytes) < bytes ||
                          fcntl(pool->results[1], F_SETPIPE_SZ, bytes) < bytes))
        abort();
}

static void start_threads(struct password_pool *pool, unsigned threads)
{
    sigset_t all, before;
    sigfillset(&all); /* signals are the event loop's */
    pthread_sigmask(SIG_SETMASK, &all, &before);
    while (pool->thread_count < threads &&
           pthread_create(&pool->threads[pool->thread_count], NULL, thread_main, pool) == 0)
        pool->thread_count++;
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (pool->thread_count == 0)
        abort();
}

struct password_pool *password_pool_new(const void *ctx, struct event_base *base, unsigned threads, unsigned queue_max,
                                        struct password_cost cost)
{
    struct password_pool *pool = mem_new(ctx, struct password_pool);
    pool->cost = cost;
    pool->base = base;
    pool->tasks_max = threads + queue_max;
    pool->threads = mem_array(pool, pthread_t, threads);
    open_pipes(pool);
    pool->event = event_new(base, pool->results[0], EV_READ | EV_PERSIST, deliver, pool);
    if (pool->event == NULL || event_add(pool->event, NULL) != 0)
        abort();
    start_threads(pool, threads);
    talloc_set_destructor(pool, stop);
    return pool;
}

static char *secret_copy(const void *ctx, const char *s)
{
    return s == NULL ? NULL : mem_secret(mem_strdup(ctx, s));
}

unsigned password_pool_length(const struct password_pool *pool)
{
    return pool->tasks;
}

unsigned password_pool_limit(const struct password_pool *pool)
{
    return pool->tasks_max;
}

bool password_pool_full(const struct password_pool *pool)
{
    return pool->tasks >= pool->tasks_max;
}

enum op_err password_pool_run(struct password_pool *pool, const struct password_job *job, password_done *done,
                              void *arg)
{
    if (password_pool_full(pool))
        return OP_BUSY;
    struct task *task = mem_new(NULL, struct task);
    task->password = secret_copy(task, job->password);
    task->new_password = secret_copy(task, job->new_password);
    task->phc = job->phc == NULL ? NULL : mem_strdup(task, job->phc);
    task->done = done;
    task->arg = arg;
    if (!send_task(pool->jobs[1], task)) {
        talloc_free(task);
        return OP_BUSY;
    }
    pool->tasks++;
    return OP_OK;
}
