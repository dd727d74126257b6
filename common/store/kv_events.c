#include "store/kv_events.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "base/clock.h"

enum { LOOK_EVERY_US = 10 * 1000 * 1000 };

struct watch {
    int descriptor;
    kv_bell *callback;
    void *arg;
    int64_t look_at; /* if nobody has rung by then */
    bool rung;
};

struct kv_events {
    int epoll, signal, bells, timer;
    int64_t wake_at, timer_at; /* 0: not set */
    struct watch *watches;
    size_t watch_count;
};

static int events_close(struct kv_events *events)
{
    const int fds[] = {events->timer, events->bells, events->signal, events->epoll};
    for (size_t i = 0; i < sizeof fds / sizeof *fds; i++)
        if (fds[i] >= 0)
            close(fds[i]);
    return 0;
}

static bool events_add(const struct kv_events *events, int fd)
{
    struct epoll_event event = {.events = EPOLLIN, .data.fd = fd};
    return fd >= 0 && epoll_ctl(events->epoll, EPOLL_CTL_ADD, fd, &event) == 0;
}

static enum op_err from_errno(int reason)
{
    return reason == EMFILE || reason == ENFILE || reason == ENOSPC || reason == ENOMEM ? OP_FULL : OP_BROKEN;
}

enum op_err kv_events_new(const void *ctx, struct kv_events **ret)
{
    struct kv_events *events = mem_new(ctx, struct kv_events);
    events->epoll = epoll_create1(EPOLL_CLOEXEC);
    events->signal = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    events->bells = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
    events->timer = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
    talloc_set_destructor(events, events_close);
    if (!events_add(events, events->signal) || !events_add(events, events->bells) ||
        !events_add(events, events->timer)) {
        enum op_err err = from_errno(errno);
        talloc_free(events);
        return err;
    }
    *ret = events;
    return OP_OK;
}

int kv_events_fd(const struct kv_events *events)
{
    return events->epoll;
}

void kv_events_signal(struct kv_events *events)
{
    uint64_t one = 1;
    ssize_t written = write(events->signal, &one, sizeof one);
    (void)written; /* fails only when it is signalled already */
}

static int64_t next_look(const struct kv_events *events)
{
    int64_t next = 0;
    for (size_t i = 0; i < events->watch_count; i++)
        if (next == 0 || events->watches[i].look_at < next)
            next = events->watches[i].look_at;
    return next;
}

static void set_timer(struct kv_events *events)
{
    int64_t at = next_look(events);
    if (events->wake_at != 0 && (at == 0 || events->wake_at < at))
        at = events->wake_at;
    if (at == events->timer_at)
        return;
    struct itimerspec when = {.it_value = {.tv_sec = at / 1000000, .tv_nsec = at % 1000000 * 1000}};
    timerfd_settime(events->timer, TFD_TIMER_ABSTIME, &when, NULL);
    events->timer_at = at;
}

void kv_events_wake_at(struct kv_events *events, int64_t at_us)
{
    if (events->wake_at == 0 || at_us < events->wake_at) {
        events->wake_at = at_us;
        set_timer(events);
    }
}

enum op_err kv_events_watch(struct kv_events *events, const char *dir, kv_bell *callback, void *arg)
{
    char *path = mem_printf(events, "%s/bell", dir);
    int descriptor = inotify_add_watch(events->bells, path, IN_ATTRIB);
    int reason = errno;
    talloc_free(path);
    if (descriptor < 0)
        return from_errno(reason);
    events->watches = mem_grow(events, events->watches, struct watch, events->watch_count + 1);
    events->watches[events->watch_count++] = (struct watch){
        .descriptor = descriptor, .callback = callback, .arg = arg, .look_at = clock_monotonic_us() + LOOK_EVERY_US};
    set_timer(events);
    return OP_OK;
}

/* A queue that overflowed (descriptor -1) rings every bell. */
static void mark_rung(struct kv_events *events, int descriptor)
{
    for (size_t i = 0; i < events->watch_count; i++)
        if (descriptor < 0 || events->watches[i].descriptor == descriptor)
            events->watches[i].rung = true;
}

static void read_bells(struct kv_events *events)
{
    char buffer[4096] __attribute__((aligned(8)));
    for (int rounds = 0; rounds < 16; rounds++) {
        ssize_t len = read(events->bells, buffer, sizeof buffer);
        if (len <= 0)
            return;
        for (ssize_t at = 0; at < len;) {
            const struct inotify_event *event = (const void *)(buffer + at);
            mark_rung(events, event->wd);
            at += (ssize_t)(sizeof *event + event->len);
        }
    }
}

static void call_bells(struct kv_events *events, int64_t now)
{
    for (size_t i = 0; i < events->watch_count; i++) { /* a callback may add one */
        struct watch *watch = &events->watches[i];
        if (!watch->rung && watch->look_at > now)
            continue;
        watch->rung = false;
        watch->look_at = now + LOOK_EVERY_US;
        watch->callback(watch->arg);
    }
}

static void drain(int fd)
{
    uint64_t count;
    ssize_t len = read(fd, &count, sizeof count);
    (void)len; /* not readable: nothing to drain */
}

bool kv_events_dispatch(struct kv_events *events)
{
    struct epoll_event ready[3];
    int count = epoll_wait(events->epoll, ready, 3, 0);
    bool timer = false;
    for (int i = 0; i < count; i++) {
        if (ready[i].data.fd == events->bells)
            read_bells(events);
        else
            drain(ready[i].data.fd);
        timer = timer || ready[i].data.fd == events->timer;
    }
    int64_t now = clock_monotonic_us();
    bool woken = events->wake_at != 0 && events->wake_at <= now;
    if (woken)
        events->wake_at = 0;
    call_bells(events, now);
    if (timer)
        events->timer_at = 0; /* it went off */
    set_timer(events);
    return woken;
}

int kv_bell_open(const char *dir)
{
    char path[4096];
    int len = snprintf(path, sizeof path, "%s/bell", dir);
    if (len < 0 || (size_t)len >= sizeof path) {
        errno = ENAMETOOLONG;
        return -1;
    }
    return open(path, O_WRONLY | O_CLOEXEC);
}

void kv_bell_ring(int bell)
{
    futimens(bell, NULL);
}
