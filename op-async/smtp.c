#include "smtp.h"

#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "wire.h"

enum { REPLY_MAX = 200, QUIT_US = 3 * 1000 * 1000 };

struct smtp {
    const struct smtp_server *server;
    struct event *event;
    int results[2]; /* deliveries come back through a pipe, as pointers */
    unsigned under_way;
    atomic_bool stopping;
};

/* One letter; a root of its own. Its thread owns it until it is in the pipe. */
struct delivery {
    struct smtp *smtp;
    pthread_t thread;
    bool has_thread;
    CURL *easy;
    struct curl_slist *recipients;
    struct bytes content;
    size_t sent;
    bool all_sent;
    bool was_greeted;          /* it answered our name */
    int64_t accepted_us;       /* when it took the letter; 0 */
    CURLcode result;
    long code;
    char reply[REPLY_MAX + 1]; /* the last that said no */
    char error[CURL_ERROR_SIZE];
    smtp_done *done;
    void *arg;
};

/* --- what it means --- */

enum smtp_fate smtp_judge(bool accepted, bool about_letter, long code)
{
    static const long authentication[] = {530, 534, 535, 538};
    if (accepted)
        return SMTP_DELIVERED;
    for (size_t i = 0; i < sizeof authentication / sizeof *authentication; i++)
        if (code == authentication[i])
            return SMTP_LATER;
    return about_letter && code >= 500 && code < 600 ? SMTP_REFUSED : SMTP_LATER;
}

/* libcurl's results for a "no" to MAIL, RCPT and DATA, and to what followed DATA. */
static bool was_about_letter(const struct delivery *delivery)
{
    return delivery->result == CURLE_SEND_ERROR ||
           (delivery->result == CURLE_WEIRD_SERVER_REPLY && delivery->was_greeted);
}

static struct smtp_answer answer_of(const struct delivery *delivery)
{
    bool accepted = delivery->result == CURLE_OK;
    struct smtp_answer answer = {
        .fate = smtp_judge(accepted, was_about_letter(delivery), delivery->code), .code = delivery->code};
    if (accepted)
        return answer;
    answer.error = *delivery->error != '\0' ? delivery->error : curl_easy_strerror(delivery->result);
    answer.reply = delivery->code >= 400 && *delivery->reply != '\0' ? delivery->reply : NULL;
    return answer;
}

/* --- on the thread --- */

static size_t give_content(char *room, size_t size, size_t count, void *arg)
{
    struct delivery *delivery = arg;
    size_t len = delivery->content.len - delivery->sent;
    if (len > size * count)
        len = size * count;
    memcpy(room, delivery->content.data + delivery->sent, len);
    delivery->sent += len;
    delivery->all_sent = len == 0;
    return len;
}

static void keep_reply(struct delivery *delivery, const char *line, size_t len)
{
    size_t kept = 0;
    for (size_t i = 0; i < len && kept < REPLY_MAX; i++)
        if (line[i] >= 0x20 && line[i] <= 0x7e)
            delivery->reply[kept++] = line[i];
    delivery->reply[kept] = '\0';
}

/* A line of the server's. */
static size_t take_reply(char *line, size_t size, size_t count, void *arg)
{
    struct delivery *delivery = arg;
    size_t len = size * count;
    bool is_250 = len >= 3 && memcmp(line, "250", 3) == 0;
    delivery->was_greeted = delivery->was_greeted || is_250;
    if (is_250 && delivery->all_sent && delivery->accepted_us == 0)
        delivery->accepted_us = clock_monotonic_us();
    if (len > 0 && (line[0] == '4' || line[0] == '5'))
        keep_reply(delivery, line, len);
    return len;
}

static size_t take_nothing(char *data, size_t size, size_t count, void *arg)
{
    (void)data, (void)arg;
    return size * count;
}

/* Whoever took the letter is not waited for to say good-bye, too. */
static int is_broken_off(void *arg, curl_off_t down_total, curl_off_t down, curl_off_t up_total, curl_off_t up)
{
    (void)down_total, (void)down, (void)up_total, (void)up;
    const struct delivery *delivery = arg;
    bool lingers = delivery->accepted_us != 0 && clock_monotonic_us() - delivery->accepted_us > QUIT_US;
    return lingers || atomic_load(&delivery->smtp->stopping) ? 1 : 0;
}

static void hand_back(struct delivery *delivery)
{
    ssize_t written = write(delivery->smtp->results[1], &delivery, sizeof delivery);
    wire_require(written == (ssize_t)sizeof delivery);
}

static void *thread_main(void *arg)
{
    struct delivery *delivery = arg;
    delivery->result = curl_easy_perform(delivery->easy);
    curl_easy_getinfo(delivery->easy, CURLINFO_RESPONSE_CODE, &delivery->code);
    curl_easy_cleanup(delivery->easy);
    curl_slist_free_all(delivery->recipients);
    hand_back(delivery);
    return NULL;
}

/* --- on the event loop --- */

static void set_way(CURL *easy, const struct smtp_server *server, const void *ctx)
{
    WIRE_SET(easy, CURLOPT_URL, mem_printf(ctx, "%s/%s", server->url, server->hello)); /* the path is the name in EHLO */
    WIRE_SET(easy, CURLOPT_PROTOCOLS_STR, "smtp,smtps");
    WIRE_SET(easy, CURLOPT_PROXY, "");
    WIRE_SET(easy, CURLOPT_FORBID_REUSE, 1L);
    WIRE_SET(easy, CURLOPT_USE_SSL, (long)(server->starttls ? CURLUSESSL_ALL : CURLUSESSL_NONE));
    WIRE_SET(easy, CURLOPT_TIMEOUT_MS, (long)server->timeout * 1000);
    WIRE_SET(easy, CURLOPT_SERVER_RESPONSE_TIMEOUT, (long)server->timeout); /* also of the answer to QUIT, after that */
    WIRE_SET(easy, CURLOPT_NOSIGNAL, 1L);
    WIRE_SET(easy, CURLOPT_QUICK_EXIT, 1L);
    wire_set_trust(easy, server->ca_file);
    if (server->user == NULL)
        return;
    WIRE_SET(easy, CURLOPT_USERNAME, server->user);
    WIRE_SET(easy, CURLOPT_PASSWORD, server->password);
    WIRE_SET(easy, CURLOPT_LOGIN_OPTIONS, "AUTH=PLAIN;AUTH=LOGIN"); /* TLS is around it */
}

static void set_letter(CURL *easy, struct delivery *delivery, const struct smtp_letter *letter)
{
    delivery->recipients = curl_slist_append(NULL, letter->to);
    wire_require(delivery->recipients != NULL);
    WIRE_SET(easy, CURLOPT_MAIL_FROM, letter->from);
    WIRE_SET(easy, CURLOPT_MAIL_RCPT, delivery->recipients);
    WIRE_SET(easy, CURLOPT_UPLOAD, 1L);
    WIRE_SET(easy, CURLOPT_READFUNCTION, give_content);
    WIRE_SET(easy, CURLOPT_READDATA, delivery);
}

static void set_sinks(CURL *easy, struct delivery *delivery)
{
    WIRE_SET(easy, CURLOPT_WRITEFUNCTION, take_nothing);
    WIRE_SET(easy, CURLOPT_HEADERFUNCTION, take_reply);
    WIRE_SET(easy, CURLOPT_HEADERDATA, delivery);
    WIRE_SET(easy, CURLOPT_ERRORBUFFER, delivery->error);
    WIRE_SET(easy, CURLOPT_NOPROGRESS, 0L);
    WIRE_SET(easy, CURLOPT_XFERINFOFUNCTION, is_broken_off);
    WIRE_SET(easy, CURLOPT_XFERINFODATA, delivery);
}

static bool start_thread(struct delivery *delivery)
{
    sigset_t all, before;
    sigfillset(&all); /* signals are the event loop's */
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int failed = pthread_create(&delivery->thread, NULL, thread_main, delivery);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return failed == 0;
}

void smtp_send(struct smtp *smtp, const struct smtp_letter *letter, smtp_done *done, void *arg)
{
    struct delivery *delivery = mem_new(mem_root("delivery"), struct delivery);
    delivery->smtp = smtp;
    delivery->content = mem_bytes(delivery, letter->content);
    delivery->done = done;
    delivery->arg = arg;
    delivery->easy = curl_easy_init();
    wire_require(delivery->easy != NULL);
    set_way(delivery->easy, smtp->server, delivery);
    set_letter(delivery->easy, delivery, letter);
    set_sinks(delivery->easy, delivery);
    smtp->under_way++;
    delivery->has_thread = start_thread(delivery);
    if (delivery->has_thread)
        return;
    curl_easy_cleanup(delivery->easy);
    curl_slist_free_all(delivery->recipients);
    delivery->result = CURLE_FAILED_INIT;
    hand_back(delivery);
}

static void finish(struct delivery *delivery)
{
    struct smtp_answer answer = answer_of(delivery);
    if (delivery->has_thread)
        pthread_join(delivery->thread, NULL);
    delivery->smtp->under_way--;
    delivery->done(&answer, delivery->arg);
    talloc_free(talloc_parent(delivery));
}

static void take_result(evutil_socket_t fd, short what, void *arg)
{
    (void)what, (void)arg;
    struct delivery *delivery = NULL;
    if (read(fd, &delivery, sizeof delivery) == (ssize_t)sizeof delivery)
        finish(delivery);
}

struct smtp *smtp_new(const void *ctx, struct event_base *base, const struct smtp_server *server)
{
    wire_setup();
    struct smtp *smtp = mem_new(ctx, struct smtp);
    smtp->server = server;
    wire_require(pipe2(smtp->results, O_CLOEXEC) == 0);
    smtp->event = event_new(base, smtp->results[0], EV_READ | EV_PERSIST, take_result, smtp);
    wire_require(smtp->event != NULL && event_add(smtp->event, NULL) == 0);
    return smtp;
}

void smtp_stop(struct smtp *smtp)
{
    atomic_store(&smtp->stopping, true);
    while (smtp->under_way > 0)
        take_result(smtp->results[0], 0, smtp); /* waits for the next */
    event_free(smtp->event);
    close(smtp->results[0]);
    close(smtp->results[1]);
}
