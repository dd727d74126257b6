/* The store in trouble: a lock file that somebody wrote to, files that may not be written, full disks. */
#include <sched.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include "kv_children.h"

/* --- a lock file that somebody wrote to --- */

enum { LOCK_TXNID_AT = 48 }; /* LMDB 0.9 on x86-64: magic, format, a mutex of 40 bytes */

struct alarms {
    unsigned broken, other;
    char line[512];
};

static void on_alarm(enum kv_env env, enum op_err what, const char *line, void *arg)
{
    struct alarms *alarms = arg;
    alarms->broken += what == OP_BROKEN && env == KV_TOKENS;
    alarms->other += what != OP_BROKEN || env != KV_TOKENS;
    snprintf(alarms->line, sizeof alarms->line, "%s", line);
}

static void tampered_writer(const struct store_home *home, int in, int out)
{
    struct store_home mine = *home;
    struct alarms alarms = {0};
    mine.config.alarm = on_alarm;
    mine.config.alarm_arg = &alarms;
    struct kv *kv = child_open(&mine, BOTH, 2);
    for (uint32_t i = 0; i < 5; i++) {
        struct one one = {&NUMBERS, i, NULL};
        HOLDS(kv_run_wait(kv, KV_TOKENS, put_work, &one) == OP_OK);
    }
    kv_dispatch(kv);
    HOLDS(alarms.broken == 0);
    say(out);
    hear(in);
    for (uint32_t i = 5; i < 10; i++) {
        struct one one = {&NUMBERS, i, NULL};
        HOLDS(kv_run_wait(kv, KV_TOKENS, put_work, &one) == OP_BROKEN);
        HOLDS(kv_run_wait(kv, KV_CODES, put_work, &(struct one){&TICKETS, i, NULL}) == OP_OK);
    }
    kv_dispatch(kv);
    HOLDS(alarms.broken == 1 && alarms.other == 0);
    HOLDS(strstr(alarms.line, "/tokens/lock.mdb") != NULL);
    struct kv_stats stats;
    HOLDS(kv_stats(kv, KV_TOKENS, &stats) == OP_OK && stats.is_tampered && stats.is_broken && !stats.is_full);
    say(out);
    hear(in); /* repaired: it does not trust it again */
    HOLDS(kv_run_wait(kv, KV_TOKENS, put_work, &(struct one){&NUMBERS, 99, NULL}) == OP_BROKEN);
    talloc_free(kv);
}

static uint64_t swap_txnid(const char *lock, int64_t by)
{
    uint64_t id;
    int fd = open(lock, O_RDWR | O_CLOEXEC);
    assert_true(fd >= 0);
    assert_int_equal(pread(fd, &id, sizeof id, LOCK_TXNID_AT), sizeof id);
    uint64_t changed = id + (uint64_t)by;
    assert_int_equal(pwrite(fd, &changed, sizeof changed, LOCK_TXNID_AT), sizeof changed);
    close(fd);
    return id;
}

static void a_tampered_lock_file_stops_writing(void **state)
{
    struct fixture *f = *state;
    static const int64_t changes[] = {-2, -1, 1, 2, 1000};
    char lock[160];
    store_home_path(&f->home, KV_TOKENS, "lock.mdb", lock);
    for (size_t i = 0; i < sizeof changes / sizeof *changes; i++) {
        struct child writer = child_start(f, tampered_writer);
        child_hear(&writer);
        assert_true(swap_txnid(lock, changes[i]) >= 5);
        child_tell(&writer);
        child_hear(&writer);
        swap_txnid(lock, -changes[i]);
        child_tell(&writer);
        assert_int_equal(child_end(&writer), 0);
        struct kv *kv = store_home_open(&f->home, NULL, BOTH, 2); /* started again, it is as it was */
        for (uint32_t n = 0; n < 10; n++) {
            struct one one = {&NUMBERS, n, kv};
            assert_int_equal(kv_run_wait(kv, KV_TOKENS, take_work, &one), n < 5 ? OP_OK : OP_ABSENT);
            one.table = &TICKETS;
            assert_int_equal(kv_run_wait(kv, KV_CODES, take_work, &one), n < 5 ? OP_ABSENT : OP_OK);
        }
        talloc_free(kv);
    }
}

/* --- files that may not be written --- */

static void become_plain(void)
{
    if (geteuid() == 0)
        HOLDS(setgid(65534) == 0 && setuid(65534) == 0);
}

/* That opening is refused for this path and this reason. */
static void refused(const struct store_home *home, bool write, const char *name, const char *reason)
{
    const struct kv_store store = {KV_TOKENS, write};
    char path[160];
    struct kv *kv = NULL;
    const char *why = NULL;
    store_home_path(home, KV_TOKENS, name, path);
    HOLDS(kv_open(NULL, &home->config, &store, 1, &kv, &why) == OP_DENIED);
    if (strncmp(why, path, strlen(path)) != 0 || strstr(why, reason) == NULL || strchr(why, '\n') != NULL)
        fprintf(stderr, "%s\n", why);
    HOLDS(strncmp(why, path, strlen(path)) == 0 && strstr(why, reason) != NULL && strchr(why, '\n') == NULL);
}

static void plain_without_lock(const struct store_home *home, int in, int out)
{
    (void)in, (void)out;
    become_plain();
    refused(home, false, "lock.mdb", "partita-tokens");
    refused(home, true, "lock.mdb", "partita-tokens");
}

static void plain_reader(const struct store_home *home, int in, int out)
{
    (void)in, (void)out;
    become_plain();
    refused(home, true, "data.mdb", "partita-tokens");
    static const struct kv_store reader[] = {{KV_TOKENS, false}};
    struct kv *kv = child_open(home, reader, 1);
    struct one one = {&NUMBERS, 7, kv};
    HOLDS(kv_run_wait(kv, KV_READ_ONLY, has_work, &one) == OP_OK);
    unsigned bells = 0;
    HOLDS(kv_watch(kv, KV_TOKENS, count_bell, &bells) == OP_OK);
    talloc_free(kv);
}

static void plain_without_bell(const struct store_home *home, int in, int out)
{
    (void)in, (void)out;
    become_plain();
    refused(home, true, "bell", "partita-tokens");
}

static void set_modes(const struct fixture *f, mode_t data, mode_t lock, mode_t bell)
{
    const struct {
        const char *name;
        mode_t mode;
    } files[] = {{"data.mdb", data}, {"lock.mdb", lock}, {"bell", bell}, {"", 0755}};
    for (size_t i = 0; i < 4; i++) {
        char path[160];
        store_home_path(&f->home, KV_TOKENS, files[i].name, path);
        assert_int_equal(chmod(path, files[i].mode), 0);
    }
    assert_int_equal(chmod(f->home.dir, 0755), 0);
}

static void files_that_may_not_be_written_are_named(void **state)
{
    struct fixture *f = *state;
    struct kv *kv = store_home_open(&f->home, NULL, BOTH, 2);
    assert_int_equal(kv_run_wait(kv, KV_TOKENS, put_work, &(struct one){&NUMBERS, 7, NULL}), OP_OK);
    talloc_free(kv);
    set_modes(f, 0666, 0444, 0666); /* LMDB would go on without locking */
    run_child(f, plain_without_lock);
    set_modes(f, 0444, 0666, 0444);
    run_child(f, plain_reader);
    set_modes(f, 0666, 0666, 0444);
    run_child(f, plain_without_bell);
}

/* --- a mount of one's own, where the system lets us --- */

static void write_file(const char *path, const char *text)
{
    int fd = open(path, O_WRONLY | O_CLOEXEC);
    if (fd >= 0) {
        ssize_t written = write(fd, text, strlen(text));
        (void)written;
        close(fd);
    }
}

static bool own_mounts(void)
{
    uid_t uid = geteuid();
    if (uid != 0) {
        char map[32];
        snprintf(map, sizeof map, "0 %u 1", uid);
        if (unshare(CLONE_NEWUSER | CLONE_NEWNS) != 0)
            return false;
        write_file("/proc/self/setgroups", "deny");
        write_file("/proc/self/uid_map", map);
    } else if (unshare(CLONE_NEWNS) != 0) {
        return false;
    }
    return mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0;
}

enum { CANNOT_MOUNT = 77 };

static void run_mounting_child(const struct fixture *f, child_main *run)
{
    struct child child = child_start(f, run);
    int status = child_end(&child);
    if (status == CANNOT_MOUNT) {
        print_message("this system lets us mount nothing\n");
        skip();
    }
    assert_int_equal(status, 0);
}

static void behind_a_read_only_mount(const struct store_home *home, int in, int out)
{
    (void)in, (void)out;
    if (!own_mounts() || mount(home->dir, home->dir, NULL, MS_BIND, NULL) != 0 ||
        mount(NULL, home->dir, NULL, MS_BIND | MS_REMOUNT | MS_RDONLY, NULL) != 0)
        _exit(CANNOT_MOUNT);
    refused(home, false, "lock.mdb", "mount it read-write");
    refused(home, true, "lock.mdb", "mount it read-write");
}

static void a_read_only_mount_is_named(void **state)
{
    run_mounting_child(*state, behind_a_read_only_mount);
}

/* Works that grow the file by about 16 pages each. */
static enum op_err grow_work(struct kv_txn *txn, void *arg)
{
    static const uint8_t value[60000];
    const struct one *one = arg;
    uint8_t key[4];
    number_key(one->number, key);
    return kv_insert(txn, one->table, bytes_from(key, 4), bytes_from(value, sizeof value), 0);
}

struct growth {
    struct one one;
    enum op_err result;
    unsigned *done;
};

static void grow_done(enum op_err result, void *arg)
{
    struct growth *growth = (struct growth *)((char *)arg - offsetof(struct growth, one));
    growth->result = result;
    ++*growth->done;
}

/* Queues count works at once; returns how many were done well. */
static unsigned grow(struct kv *kv, struct growth *growths, uint32_t first, uint32_t count)
{
    unsigned done = 0, good = 0;
    for (uint32_t i = 0; i < count; i++) {
        growths[i] = (struct growth){.one = {&NUMBERS, first + i, kv}, .done = &done};
        kv_run(kv, KV_TOKENS, grow_work, grow_done, &growths[i].one);
    }
    int64_t end = clock_monotonic_us() + 20000000;
    while (done < count && clock_monotonic_us() < end) {
        struct pollfd fd = {.fd = kv_event_fd(kv), .events = POLLIN};
        poll(&fd, 1, 1000);
        kv_dispatch(kv);
    }
    HOLDS(done == count);
    for (uint32_t i = 0; i < count; i++) { /* what was acknowledged is there, and nothing else */
        enum op_err err = kv_run_wait(kv, KV_READ_ONLY, has_work, &growths[i].one);
        HOLDS(growths[i].result == OP_OK || growths[i].result == OP_FULL);
        HOLDS(err == (growths[i].result == OP_OK ? OP_OK : OP_ABSENT));
        good += growths[i].result == OP_OK;
    }
    return good;
}

static void on_full_alarm(enum kv_env env, enum op_err what, const char *line, void *arg)
{
    struct alarms *alarms = arg;
    alarms->broken += what == OP_FULL && env == KV_TOKENS;
    alarms->other += what == OP_BROKEN || env != KV_TOKENS;
    snprintf(alarms->line, sizeof alarms->line, "%s", line);
}

static void ballast_path(const struct store_home *home, char out[200])
{
    snprintf(out, 200, "%s/codes/ballast", home->dir);
}

static void fill_disk_in_part(const struct store_home *home)
{
    char path[200];
    ballast_path(home, path);
    int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    HOLDS(fd >= 0 && posix_fallocate(fd, 0, 600000) == 0);
    close(fd);
}

static void serve_on_a_full_disk(const struct store_home *home)
{
    struct store_home mine = *home;
    struct alarms alarms = {0};
    static struct growth growths[40];
    char path[200];
    mine.config.alarm = on_full_alarm;
    mine.config.alarm_arg = &alarms;
    struct kv *kv = child_open(&mine, BOTH, 2);
    unsigned good = grow(kv, growths, 0, 40);
    HOLDS(good > 5 && good < 40); /* those that fit, one by one, where all together did not */
    HOLDS(alarms.broken == 1 && alarms.other == 0);
    HOLDS(grow(kv, growths, 100, 10) < 5);
    ballast_path(home, path);
    HOLDS(unlink(path) == 0);
    HOLDS(grow(kv, growths, 200, 5) == 5);
    talloc_free(kv);
    kv = child_open(&mine, BOTH, 2); /* nothing acknowledged is lost */
    for (uint32_t i = 200; i < 205; i++)
        HOLDS(kv_run_wait(kv, KV_READ_ONLY, has_work, &(struct one){&NUMBERS, i, kv}) == OP_OK);
    talloc_free(kv);
}

static void on_a_small_disk(const struct store_home *home, int in, int out)
{
    (void)in, (void)out;
    if (!own_mounts() || mount("tmpfs", home->dir, "tmpfs", 0, "size=2m") != 0)
        _exit(CANNOT_MOUNT);
    for (int i = 0; i < 2; i++) {
        char path[160];
        const char *why;
        store_home_path(home, BOTH[i].env, "", path);
        HOLDS(mkdir(path, 0755) == 0 && kv_create(NULL, path, BOTH[i].env, 64 << 20, &why) == OP_OK);
    }
    fill_disk_in_part(home);
    serve_on_a_full_disk(home);
}

static void a_full_disk_refuses_and_recovers(void **state)
{
    run_mounting_child(*state, on_a_small_disk);
}

static void limit_files(bool more)
{
    struct rlimit limit;
    HOLDS(getrlimit(RLIMIT_FSIZE, &limit) == 0);
    limit.rlim_cur = more ? 3500000 : 1200000;
    HOLDS(setrlimit(RLIMIT_FSIZE, &limit) == 0);
}

/* A file that may not grow: the same without a mount. A write that fits in part is EIO to LMDB while
 * the disk has room, so that one may be called broken. */
static void with_a_file_limit(const struct store_home *home, int in, int out)
{
    (void)in, (void)out;
    signal(SIGXFSZ, SIG_IGN);
    struct kv *kv = child_open(home, BOTH, 2);
    limit_files(false);
    enum op_err err = OP_OK;
    uint32_t good = 0;
    for (; err == OP_OK && good < 100; good++)
        err = kv_run_wait(kv, KV_TOKENS, grow_work, &(struct one){&NUMBERS, good, kv});
    HOLDS(err == OP_FULL || err == OP_BROKEN);
    good--;
    HOLDS(good > 5 && good < 40);
    for (uint32_t i = 0; i < good; i++)
        HOLDS(kv_run_wait(kv, KV_READ_ONLY, has_work, &(struct one){&NUMBERS, i, kv}) == OP_OK);
    limit_files(true);
    for (uint32_t i = 0; i < 5; i++)
        HOLDS(kv_run_wait(kv, KV_TOKENS, grow_work, &(struct one){&NUMBERS, 100 + i, kv}) == OP_OK);
    talloc_free(kv);
}

static void a_file_that_may_not_grow_recovers(void **state)
{
    run_child(*state, with_a_file_limit);
}

int main(void)
{
    signal(SIGPIPE, SIG_IGN);
    const struct CMUnitTest tests[] = {
        TEST(a_tampered_lock_file_stops_writing),
        TEST(files_that_may_not_be_written_are_named),
        TEST(a_read_only_mount_is_named),
        TEST(a_full_disk_refuses_and_recovers),
        TEST(a_file_that_may_not_grow_recovers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
