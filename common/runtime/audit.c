#include "runtime/audit.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/clock.h"
#include "data/json.h"

enum { WINDOW_US = 60 * 1000 * 1000, LOCK_PATIENCE_US = 1000 * 1000, PAGE = 4096 };

/* bounded: strangers can cause it as often as they like. */
static const struct event {
    const char *name;
    enum log_level level;
    bool bounded;
    const char *meaning;
} EVENTS[AUDIT_EVENT_COUNT] = {
    [AUDIT_SIGNED_IN] = {"signed_in", LOG_LEVEL_INFO, false, "Somebody signed in."},
    [AUDIT_SIGN_IN_FAILED] = {"sign_in_failed", LOG_LEVEL_INFO, true,
        "A sign-in failed: unknown_account, disabled_account, no_password or wrong_password."},
    [AUDIT_SIGN_IN_THROTTLED] = {"sign_in_throttled", LOG_LEVEL_WARNING, true,
        "Too many wrong passwords for one account or from one address: the password was not looked at."},
    [AUDIT_SIGNED_OUT] = {"signed_out", LOG_LEVEL_INFO, false, "Somebody signed out."},
    [AUDIT_SIGNED_OUT_EVERYWHERE] = {"signed_out_everywhere", LOG_LEVEL_INFO, false,
        "Somebody ended all other sessions and tokens of the account."},
    [AUDIT_SESSION_ENDED] = {"session_ended", LOG_LEVEL_INFO, false, "Somebody ended one session of the account."},
    [AUDIT_PASSWORD_CHANGED] = {"password_changed", LOG_LEVEL_INFO, false, "Somebody changed the account's password."},
    [AUDIT_PASSWORD_CHANGE_FAILED] = {"password_change_failed", LOG_LEVEL_INFO, true,
        "A change of password failed: wrong_password, or throttled."},
    [AUDIT_CONSENT_GRANTED] = {"consent_granted", LOG_LEVEL_INFO, false, "Somebody allowed a client what it asked for."},
    [AUDIT_CONSENT_DENIED] = {"consent_denied", LOG_LEVEL_INFO, false, "Somebody refused a client what it asked for."},
    [AUDIT_CONSENT_WITHDRAWN] = {"consent_withdrawn", LOG_LEVEL_INFO, false,
        "Somebody took back what a client was allowed."},
    [AUDIT_DEVICE_APPROVED] = {"device_approved", LOG_LEVEL_INFO, false, "Somebody let a device in."},
    [AUDIT_DEVICE_DENIED] = {"device_denied", LOG_LEVEL_INFO, false, "Somebody refused a device."},
    [AUDIT_USER_CODES_THROTTLED] = {"user_codes_throttled", LOG_LEVEL_WARNING, true,
        "Too many wrong codes of devices from one address."},
    [AUDIT_DEVICE_REQUESTS_THROTTLED] = {"device_requests_throttled", LOG_LEVEL_WARNING, true,
        "Too many device codes asked for by one client or from one address."},
    [AUDIT_CLIENT_AUTHENTICATION_FAILED] = {"client_authentication_failed", LOG_LEVEL_WARNING, true,
        "A client did not prove who it is: unknown_client, disabled_client, wrong_credentials, or what is wrong with its assertion."},
    [AUDIT_CLIENT_THROTTLED] = {"client_throttled", LOG_LEVEL_WARNING, true,
        "Too many failed authentications of one client from one address: the credentials were not looked at."},
    [AUDIT_CLIENT_ASSERTIONS_THROTTLED] = {"client_assertions_throttled", LOG_LEVEL_WARNING, true,
        "Too many assertions (private_key_jwt) of one client."},
    [AUDIT_PUSHES_THROTTLED] = {"pushes_throttled", LOG_LEVEL_WARNING, true,
        "Too many pushed authorization requests of one client or from one address."},
    [AUDIT_CODE_REPLAYED] = {"code_replayed", LOG_LEVEL_WARNING, true,
        "An authorization code came a second time, perhaps stolen: the family that it began is dead."},
    [AUDIT_REFRESH_TOKEN_REPLAYED] = {"refresh_token_replayed", LOG_LEVEL_WARNING, true,
        "A refresh token that was used up came again, perhaps stolen: its family is dead."},
    [AUDIT_TOKEN_REVOKED] = {"token_revoked", LOG_LEVEL_INFO, false,
        "A client revoked a token: a family, or one access_token."},
    [AUDIT_CLIENT_REGISTERED] = {"client_registered", LOG_LEVEL_INFO, false, "A client registered itself."},
    [AUDIT_CLIENT_CHANGED] = {"client_changed", LOG_LEVEL_INFO, false, "A client changed its registration."},
    [AUDIT_CLIENT_DELETED] = {"client_deleted", LOG_LEVEL_INFO, false, "A client removed its registration."},
    [AUDIT_REGISTRATION_REFUSED] = {"registration_refused", LOG_LEVEL_WARNING, true,
        "A registration was refused for its initial_access_token, or the care of one for its registration_access_token."},
    [AUDIT_REGISTRATION_THROTTLED] = {"registration_throttled", LOG_LEVEL_WARNING, true,
        "Too many registrations from one address."},
    [AUDIT_REGISTRATION_UPDATES_THROTTLED] = {"registration_updates_throttled", LOG_LEVEL_WARNING, true,
        "Too many updates of one registration, or of all."},
    [AUDIT_ADMINISTRATION] = {"administration", LOG_LEVEL_INFO, false,
        "An operator changed something, by opctl or the administration API; or tried to, by opctl: result says so."},
    [AUDIT_ADMINISTRATION_REFUSED] = {"administration_refused", LOG_LEVEL_WARNING, true,
        "The administration API refused who asked: reason is the error's name."},
    [AUDIT_KEY_MADE] = {"key_made", LOG_LEVEL_INFO, false, "A signing key was made."},
    [AUDIT_KEY_ROTATED] = {"key_rotated", LOG_LEVEL_INFO, false, "A signing key signs from now on."},
    [AUDIT_KEY_RETIRED] = {"key_retired", LOG_LEVEL_INFO, false,
        "A signing key signs no more; what it signed stays valid."},
    [AUDIT_KEY_DELETED] = {"key_deleted", LOG_LEVEL_INFO, false,
        "A signing key is gone; what it signed is not valid any more."},
    [AUDIT_STORE_BROKEN] = {"store_broken", LOG_LEVEL_ERROR, false,
        "An environment's files were changed by something else (a tampered lock file): nothing is written there any more."},
    [AUDIT_STARTED] = {"started", LOG_LEVEL_INFO, false, "A process of the server began; object is its version."},
    [AUDIT_ENDED] = {"ended", LOG_LEVEL_INFO, false,
        "A process of the server ended as it should; one that was killed says nothing."},
    [AUDIT_LINES_LEFT_OUT] = {"lines_left_out", LOG_LEVEL_WARNING, false,
        "Here so many lines (object) are missing: reason is the event that came too often, or not_written."},
};

/* Of one event, since began_us. */
struct tally {
    int64_t began_us;
    unsigned written;
    uint64_t left_out;
};

static struct trail {
    const char *path; /* NULL: there is none */
    const char *server;
    int fd;
    unsigned per_minute;
    struct tally tallies[AUDIT_EVENT_COUNT];
    uint64_t lost; /* since it could be written last */
    struct audit_counts counts;
} trail = {.fd = -1};

const char *audit_name(enum audit_event event)
{
    return EVENTS[event].name;
}

const char *audit_meaning(enum audit_event event)
{
    return EVENTS[event].meaning;
}

/* --- the file --- */

static int open_file(void)
{
    struct stat status;
    int fd = open(trail.path, O_RDWR | O_APPEND | O_CREAT | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC, 0640);
    if (fd < 0 || (fstat(fd, &status) == 0 && S_ISREG(status.st_mode)))
        return fd;
    close(fd);
    errno = EINVAL;
    return -1;
}

static const char *what_to_do(int reason)
{
    switch (reason) {
    case ENOENT:
        return "its directory is not there; systemd-tmpfiles makes it as installed, audit_dir names another, or none";
    case EACCES:
    case EPERM:
    case EROFS:
        return "this user must be allowed to write it, and its unit too (ReadWritePaths=); audit_dir names the directory";
    default:
        return "audit_dir names its directory";
    }
}

enum op_err audit_open(const void *ctx, const char *dir, const char *server, unsigned per_minute, const char **ret_why)
{
    trail = (struct trail){.server = server, .fd = -1, .per_minute = per_minute};
    if (*dir == '\0')
        return OP_OK;
    trail.path = mem_printf(ctx, "%s/%s.jsonl", dir, server);
    trail.fd = open_file();
    if (trail.fd >= 0)
        return OP_OK;
    int reason = errno;
    *ret_why = mem_printf(ctx, "the audit trail %s cannot be opened: %s: %s", trail.path, strerror(reason),
                          what_to_do(reason));
    trail.path = NULL;
    return reason == ENOSPC || reason == EDQUOT ? OP_FULL : OP_DENIED;
}

/* Whoever rotates the file moves it away and makes a new one; until that is there, the old one does. */
static void follow_rotation(void)
{
    struct stat named, open_one;
    if (stat(trail.path, &named) == 0 && fstat(trail.fd, &open_one) == 0 && named.st_ino == open_one.st_ino &&
        named.st_dev == open_one.st_dev)
        return;
    int fd = open_file();
    if (fd < 0)
        return;
    close(trail.fd);
    trail.fd = fd;
}

/* Other instances hold it for microseconds. One that was stopped while it did is waited for once. */
static void lock_file(void)
{
    static bool given_up;
    static const struct timespec pause = {.tv_nsec = 50 * 1000};
    int64_t until_us = clock_monotonic_us() + (given_up ? 0 : LOCK_PATIENCE_US);
    do {
        given_up = flock(trail.fd, LOCK_EX | LOCK_NB) != 0;
    } while (given_up && clock_monotonic_us() < until_us && nanosleep(&pause, NULL) == 0);
}

/* What has to stand before a line of len bytes at the end of the file. A write is cut short by a full disk, and by a kill
 * between two pages: so no line crosses from one page to the next, the rest of a page is spaces, which JSON may begin
 * with; and what was cut nevertheless is ended. */
static void add_filling(struct buf *out, size_t len)
{
    struct stat status;
    char last = '\n';
    if (fstat(trail.fd, &status) != 0 || status.st_size == 0)
        return;
    size_t size = (size_t)status.st_size;
    if (pread(trail.fd, &last, 1, status.st_size - 1) == 1 && last != '\n' && last != ' ') {
        buf_add_char(out, '\n');
        size++;
    }
    size_t room = PAGE - size % PAGE;
    for (size_t i = 0; len > room && len <= PAGE && i < room; i++)
        buf_add_char(out, ' ');
}

/* False: errno says why. */
static bool put(void *ctx, const char *line)
{
    struct buf out = buf_make(ctx);
    follow_rotation();
    lock_file();
    add_filling(&out, strlen(line) + 1);
    buf_add(&out, line);
    buf_add_char(&out, '\n');
    ssize_t written = write(trail.fd, out.data, out.len);
    int reason = written < 0 ? errno : ENOSPC;
    flock(trail.fd, LOCK_UN);
    errno = reason;
    return written >= 0 && (size_t)written == out.len;
}

/* --- a line --- */

static char *text_of(void *ctx, enum audit_event event, const struct http_request *req, const struct audit_facts *facts)
{
    char now[LOG_TIME_SIZE];
    json_t *line = json_make_object(ctx);
    log_time(now);
    json_set_string(line, "time", now);
    json_set_string(line, "event", EVENTS[event].name);
    json_set_string(line, "server", trail.server);
    if (req != NULL) {
        json_set_string(line, "request_id", req->request_id);
        json_set_string(line, "trace_id", req->trace == NULL ? NULL : req->trace->trace_id);
    }
    json_set_string(line, "actor", facts->actor);
    json_set_string(line, "client_id", facts->client_id);
    json_set_string(line, "user_id", facts->user_id);
    json_set_string(line, "sid", facts->sid);
    if (req != NULL && req->client_address != NULL && *req->client_address != '\0')
        json_set_string(line, "address", req->client_address);
    json_set_string(line, "operation", facts->operation);
    json_set_string(line, "object", facts->object);
    json_set_string(line, "changed", facts->changed);
    json_set_string(line, "result", facts->result);
    json_set_string(line, "reason", facts->reason);
    return json_text(ctx, line);
}

static bool append(enum audit_event event, const struct http_request *req, const struct audit_facts *facts)
{
    void *ctx = mem_root("audit line");
    bool written = put(ctx, text_of(ctx, event, req, facts));
    int reason = errno;
    talloc_free(ctx);
    errno = reason;
    return written;
}

const char *audit_append(enum audit_event event, const struct audit_facts *facts)
{
    return trail.path == NULL || append(event, NULL, facts) ? NULL : strerror(errno);
}

/* --- what is missing --- */

static void tell_left_out(uint64_t count, const char *reason)
{
    char number[24];
    snprintf(number, sizeof number, "%llu", (unsigned long long)count);
    audit_write(AUDIT_LINES_LEFT_OUT, NULL, &(struct audit_facts){.object = number, .reason = reason});
}

static void end_window(enum audit_event event, int64_t now_us)
{
    struct tally *tally = &trail.tallies[event];
    uint64_t left_out = tally->left_out;
    *tally = (struct tally){.began_us = now_us};
    if (left_out > 0)
        tell_left_out(left_out, EVENTS[event].name);
}

/* False: it has come too often in this minute. */
static bool is_to_be_written(enum audit_event event)
{
    struct tally *tally = &trail.tallies[event];
    int64_t now_us = clock_monotonic_us();
    if (!EVENTS[event].bounded)
        return true;
    if (now_us - tally->began_us >= WINDOW_US)
        end_window(event, now_us);
    if (tally->written++ < trail.per_minute)
        return true;
    tally->left_out++;
    trail.counts.left_out++;
    return false;
}

struct audit_counts audit_counts(void)
{
    return trail.counts;
}

void audit_tick(void)
{
    int64_t now_us = clock_monotonic_us();
    for (unsigned event = 0; trail.path != NULL && event < AUDIT_EVENT_COUNT; event++)
        if (trail.tallies[event].left_out > 0 && now_us - trail.tallies[event].began_us >= WINDOW_US)
            end_window((enum audit_event)event, now_us);
}

void audit_close(void)
{
    for (unsigned event = 0; trail.path != NULL && event < AUDIT_EVENT_COUNT; event++)
        end_window((enum audit_event)event, 0);
    if (trail.fd >= 0)
        close(trail.fd);
    trail = (struct trail){.fd = -1};
}

/* A trail that cannot be written keeps nobody from signing out: it is told once, and counted. */
static void write_line(enum audit_event event, const struct http_request *req, const struct audit_facts *facts)
{
    if (!append(event, req, facts)) {
        trail.counts.lost++;
        if (trail.lost++ == 0)
            log_event(LOG_LEVEL_ERROR, "audit_not_written", NULL, NULL, "path", trail.path, "why", strerror(errno), NULL);
        return;
    }
    trail.counts.written++;
    uint64_t lost = trail.lost;
    trail.lost = 0;
    if (lost > 0)
        tell_left_out(lost, "not_written");
}

void audit_write(enum audit_event event, const struct http_request *req, const struct audit_facts *facts)
{
    const struct event *row = &EVENTS[event];
    log_event(row->level, row->name, req == NULL ? NULL : req->request_id, req == NULL ? NULL : req->trace, "actor",
              facts->actor, "client_id", facts->client_id, "user_id", facts->user_id, "sid", facts->sid, "address",
              req == NULL ? NULL : req->client_address, "operation", facts->operation, "object", facts->object,
              "changed", facts->changed, "result", facts->result, "reason", facts->reason, NULL);
    if (trail.path != NULL && is_to_be_written(event))
        write_line(event, req, facts);
}
