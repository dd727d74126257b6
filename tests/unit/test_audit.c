/* The audit trail: what a line looks like, what is bounded, and what remains when the file is moved, full or torn. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <fcntl.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/buf.h"
#include "data/json.h"
#include "runtime/audit.h"

enum { LINES_MAX = 200000, WRITERS = 3, KILLS = 60, PAGE = 4096 };

struct place {
    char dir[64];
    const char *path; /* of the trail */
    const char *why;
};

static void begin_in(struct place *place, unsigned per_minute)
{
    snprintf(place->dir, sizeof place->dir, "/tmp/test_audit.XXXXXX");
    assert_non_null(mkdtemp(place->dir));
    place->path = mem_printf(NULL, "%s/op-test.jsonl", place->dir);
    assert_int_equal(audit_open(place->path, place->dir, "op-test", per_minute, &place->why), OP_OK);
}

static void end_in(struct place *place)
{
    audit_close();
    unlink(place->path);
    assert_int_equal(rmdir(place->dir), 0);
    talloc_free((void *)(uintptr_t)place->path);
}

static char *text_at(const void *ctx, const char *path)
{
    struct buf text = buf_make(ctx);
    char part[65536];
    ssize_t got;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    assert_true(fd >= 0);
    while ((got = read(fd, part, sizeof part)) > 0)
        buf_add_bytes(&text, bytes_from(part, (size_t)got));
    close(fd);
    return buf_string(&text);
}

/* All lines, each an object; fails on any other text. */
static json_t *lines_at(const void *ctx, const char *path)
{
    json_t *lines = json_make_array(ctx), *line;
    char *text = text_at(ctx, path);
    assert_true(*text == '\0' || text[strlen(text) - 1] == '\n');
    for (char *at = strtok(text, "\n"); at != NULL; at = strtok(NULL, "\n")) {
        if (json_read(ctx, bytes_of(at), &line) != OP_OK || !json_is_object(line))
            fail_msg("no line: %.300s", at);
        json_array_append(lines, line);
    }
    return lines;
}

/* A kill cuts a write where a page of the file ends, so no line may cross there. */
static void no_line_crosses_a_page(const void *ctx, const char *path)
{
    const char *text = text_at(ctx, path);
    size_t pages = 0;
    for (const char *at = text, *end; *at != '\0'; at = end + 1) {
        end = strchr(at, '\n');
        at += strspn(at, " ");
        assert_int_equal((at - text) / PAGE, (end - text) / PAGE);
        pages = (size_t)(end - text) / PAGE;
    }
    assert_true(pages > 0);
}

static const char *member(const json_t *lines, size_t i, const char *name)
{
    const char *value;
    return json_get_string(json_array_get(lines, i), name, &value) == OP_OK ? value : "(none)";
}

static void write_one(enum audit_event event, const char *user_id)
{
    audit_write(event, NULL, &(struct audit_facts){.user_id = user_id});
}

static void every_event_has_a_name_of_its_own(void **state)
{
    (void)state;
    for (unsigned i = 0; i < AUDIT_EVENT_COUNT; i++) {
        const char *name = audit_name((enum audit_event)i), *meaning = audit_meaning((enum audit_event)i);
        assert_non_null(name);
        assert_non_null(meaning);
        assert_int_equal(strspn(name, "abcdefghijklmnopqrstuvwxyz_"), strlen(name));
        assert_true(*meaning >= 'A' && *meaning <= 'Z' && meaning[strlen(meaning) - 1] == '.');
        for (unsigned k = 0; k < i; k++)
            assert_string_not_equal(name, audit_name((enum audit_event)k));
    }
}

static void a_line_has_its_fields_in_order(void **state)
{
    (void)state;
    struct place place;
    begin_in(&place, 10);
    struct trace trace;
    trace_go_on("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01", &trace);
    struct http_request req = {.request_id = "request-1", .trace = &trace, .client_address = "192.0.2.1"};
    audit_write(AUDIT_ADMINISTRATION, &req, &(struct audit_facts){
        "client:a", "c", "u", "s", "user_change", "o", "state=disabled", "done", "why"});
    audit_write(AUDIT_SIGNED_IN, &(struct http_request){.client_address = ""}, &(struct audit_facts){0});
    char *text = text_at(place.path, place.path), *second = strchr(text, '\n') + 1;
    assert_memory_equal(text, "{\"time\":\"20", 11);
    assert_non_null(strstr(text, "Z\",\"event\":\"administration\",\"server\":\"op-test\",\"request_id\":\"request-1\","
                                 "\"trace_id\":\"0af7651916cd43dd8448eb211c80319c\",\"actor\":\"client:a\",\"client_id\":\"c\","
                                 "\"user_id\":\"u\",\"sid\":\"s\",\"address\":\"192.0.2.1\",\"operation\":\"user_change\","
                                 "\"object\":\"o\",\"changed\":\"state=disabled\",\"result\":\"done\",\"reason\":\"why\"}\n"));
    assert_non_null(strstr(second, "Z\",\"event\":\"signed_in\",\"server\":\"op-test\"}\n")); /* what is not there is left out */
    end_in(&place);
}

static void whatever_a_value_holds_a_line_is_one(void **state)
{
    (void)state;
    static const char *const values[] = {"\"", "\\", "\n", "a\nb\r\n{\"event\":\"signed_in\"}", "\x01\x7f", "\xff\xfe", "\xc3\xb6", ""};
    struct place place;
    begin_in(&place, 10);
    for (size_t i = 0; i < sizeof values / sizeof *values; i++)
        write_one(AUDIT_SIGNED_IN, values[i]);
    const json_t *lines = lines_at(place.path, place.path);
    assert_int_equal(json_array_size(lines), sizeof values / sizeof *values);
    assert_string_equal(member(lines, 3, "user_id"), values[3]);
    end_in(&place);
}

static void strangers_write_so_many_lines_and_the_rest_is_counted(void **state)
{
    (void)state;
    struct place place;
    begin_in(&place, 3);
    for (int i = 0; i < 5; i++) {
        write_one(AUDIT_SIGN_IN_FAILED, "u");
        write_one(AUDIT_SIGNED_IN, "u");
    }
    write_one(AUDIT_CLIENT_THROTTLED, "u"); /* each event has a count of its own */
    audit_tick(); /* the minute is not over */
    assert_int_equal(json_array_size(lines_at(place.path, place.path)), 3 + 5 + 1);
    struct audit_counts counts = audit_counts();
    assert_true(counts.written == 9 && counts.left_out == 2 && counts.lost == 0);
    audit_close();
    const json_t *lines = lines_at(place.path, place.path);
    assert_int_equal(json_array_size(lines), 10);
    assert_string_equal(member(lines, 9, "event"), "lines_left_out");
    assert_string_equal(member(lines, 9, "object"), "2");
    assert_string_equal(member(lines, 9, "reason"), "sign_in_failed");
    end_in(&place);
}

static void a_file_that_was_moved_is_followed(void **state)
{
    (void)state;
    struct place place;
    begin_in(&place, 10);
    const char *old = mem_printf(place.path, "%s.1", place.path), *away = mem_printf(place.path, "%s.away", place.dir);
    write_one(AUDIT_SIGNED_IN, "one");
    assert_int_equal(rename(place.path, old), 0);
    write_one(AUDIT_SIGNED_IN, "two");
    write_one(AUDIT_SIGNED_IN, "three");
    assert_int_equal(json_array_size(lines_at(place.path, old)), 1);
    assert_int_equal(json_array_size(lines_at(place.path, place.path)), 2);
    assert_int_equal(rename(place.dir, away), 0); /* there can be no new one: the old one does */
    write_one(AUDIT_SIGNED_IN, "four");
    assert_int_equal(rename(away, place.dir), 0);
    const json_t *lines = lines_at(place.path, place.path);
    assert_string_equal(member(lines, 2, "user_id"), "four");
    unlink(old);
    end_in(&place);
}

/* A disk that is full in the middle of a line: what is left of it is on a line of its own, and counted. */
static void what_cannot_be_written_is_counted(void **state)
{
    (void)state;
    struct place place;
    struct rlimit unlimited, full;
    begin_in(&place, 10);
    write_one(AUDIT_SIGNED_IN, "one");
    struct stat status;
    assert_int_equal(stat(place.path, &status), 0);
    signal(SIGXFSZ, SIG_IGN);
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &unlimited), 0);
    full = (struct rlimit){(rlim_t)status.st_size + 10, unlimited.rlim_max};
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &full), 0);
    write_one(AUDIT_SIGNED_IN, "two");
    write_one(AUDIT_SIGNED_IN, "three");
    assert_non_null(audit_append(AUDIT_SIGNED_IN, &(struct audit_facts){0}));
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &unlimited), 0);
    write_one(AUDIT_SIGNED_IN, "four");
    assert_true(audit_counts().lost == 2);
    char *text = text_at(place.path, place.path), *torn = strchr(text, '\n') + 1, *rest = strchr(torn, '\n') + 1;
    assert_int_equal(rest - torn, 11);
    assert_non_null(strstr(rest, "\"event\":\"signed_in\",\"server\":\"op-test\",\"user_id\":\"four\"}\n"));
    assert_non_null(strstr(rest, "\"event\":\"lines_left_out\",\"server\":\"op-test\",\"object\":\"2\",\"reason\":\"not_written\"}\n"));
    assert_null(strstr(text, "three"));
    end_in(&place);
}

static void a_trail_that_cannot_be_opened_is_named(void **state)
{
    (void)state;
    const char *why = NULL;
    void *ctx = mem_root("test");
    assert_int_equal(audit_open(ctx, "/nowhere/at/all", "op-test", 1, &why), OP_DENIED);
    assert_non_null(strstr(why, "/nowhere/at/all/op-test.jsonl cannot be opened: No such file or directory: "));
    write_one(AUDIT_SIGNED_IN, "u"); /* nothing happens */
    struct place place;
    begin_in(&place, 1);
    audit_close();
    unlink(place.path);
    assert_int_equal(mkfifo(place.path, 0600), 0);
    assert_int_equal(audit_open(ctx, place.dir, "op-test", 1, &why), OP_DENIED);
    unlink(place.path);
    assert_int_equal(symlink("/etc/hostname", place.path), 0);
    assert_int_equal(audit_open(ctx, place.dir, "op-test", 1, &why), OP_DENIED);
    assert_int_equal(audit_open(ctx, "", "op-test", 1, &why), OP_OK); /* none is wanted */
    write_one(AUDIT_SIGNED_IN, "u");
    assert_null(audit_append(AUDIT_SIGNED_IN, &(struct audit_facts){0}));
    end_in(&place);
    talloc_free(ctx);
}

static void write_on(const struct place *place, unsigned number)
{
    char name[64];
    const char *why;
    log_setup("op-test", LOG_LEVEL_ERROR);
    if (audit_open(place->path, place->dir, "op-test", 1, &why) != OP_OK)
        _exit(1);
    for (unsigned i = 0; i < LINES_MAX; i++) {
        snprintf(name, sizeof name, "%u-%u-%.*s", number, i, (int)(i % 32), "abcdefghijklmnopqrstuvwxyzabcdef");
        write_one(AUDIT_SIGNED_IN, name);
    }
    _exit(0);
}

/* Several instances, each killed in the middle of its work and started again: every line is whole, and none is missing
 * between two of the same process. */
static void killed_processes_leave_whole_lines(void **state)
{
    (void)state;
    struct place place;
    pid_t writers[WRITERS] = {0};
    begin_in(&place, 1);
    for (unsigned number = 0; number < KILLS; number++) {
        pid_t *writer = &writers[number % WRITERS];
        if (*writer != 0) {
            kill(*writer, SIGKILL);
            assert_int_equal(waitpid(*writer, NULL, 0), *writer);
        }
        *writer = fork();
        if (*writer == 0)
            write_on(&place, number);
        usleep(500 + number * 37 % 800);
    }
    for (unsigned i = 0; i < WRITERS; i++) {
        kill(writers[i], SIGKILL);
        waitpid(writers[i], NULL, 0);
    }
    write_one(AUDIT_SIGNED_IN, "last");
    no_line_crosses_a_page(place.path, place.path);
    const json_t *lines = lines_at(place.path, place.path);
    unsigned next[KILLS] = {0}, number, count;
    for (size_t i = 0; i + 1 < json_array_size(lines); i++) {
        assert_int_equal(sscanf(member(lines, i, "user_id"), "%u-%u-", &number, &count), 2);
        assert_true(number < KILLS && count == next[number]++);
    }
    assert_string_equal(member(lines, json_array_size(lines) - 1, "user_id"), "last");
    end_in(&place);
}

int main(void)
{
    log_setup("op-test", LOG_LEVEL_ERROR);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_event_has_a_name_of_its_own),
        cmocka_unit_test(a_line_has_its_fields_in_order),
        cmocka_unit_test(whatever_a_value_holds_a_line_is_one),
        cmocka_unit_test(strangers_write_so_many_lines_and_the_rest_is_counted),
        cmocka_unit_test(a_file_that_was_moved_is_followed),
        cmocka_unit_test(what_cannot_be_written_is_counted),
        cmocka_unit_test(a_trail_that_cannot_be_opened_is_named),
        cmocka_unit_test(killed_processes_leave_whole_lines),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
