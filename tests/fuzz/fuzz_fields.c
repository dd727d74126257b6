/* What is read in fields of messages beyond their grammar: for how long a fetched document is fresh, which language somebody
 * reads, whose address a proxy names, which trace a request belongs to, which token is borne. The input is two texts, parted by a line break. */
#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>

#include "address_guard.h"
#include "base/trace.h"
#include "freshness.h"
#include "protocol/bearer.h"
#include "runtime/http_peer.h"
#include "runtime/language.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool ok)
{
    if (!ok)
        abort();
}

static void try_freshness(void *ctx, const char *cache_control, const char *age)
{
    static const struct freshness_bounds bounds = {.otherwise = 600, .min = 60, .max = 3600};
    int64_t seconds = freshness_seconds(cache_control, age, &bounds), new = freshness_seconds(cache_control, NULL, &bounds);
    require(seconds >= bounds.min && seconds <= new && new <= bounds.max);
    require(freshness_seconds(mem_printf(ctx, "no-store, %s", cache_control), age, &bounds) == bounds.min);
    require(freshness_seconds(mem_printf(ctx, "max-age=100 ,%s", cache_control), NULL, &bounds) <= 100);
}

static void try_language(const char *ui_locales, const char *accept)
{
    char en[] = "en", de[] = "de-CH", fr[] = "fr";
    char *offered[] = {en, de, fr};
    const char *chosen[] = {language_choose(offered, 3, ui_locales, accept), language_choose(offered, 3, NULL, accept),
                            language_choose(offered, 1, ui_locales, accept)};
    require(chosen[0] == en || chosen[0] == de || chosen[0] == fr);
    require(chosen[1] == en || chosen[1] == de || chosen[1] == fr);
    require(chosen[2] == en);
}

/* An address that is read is one, and reads the same again. */
static void try_address(const char *text)
{
    struct http_peer peer, again;
    if (http_peer_parse(bytes_of(text), &peer) != OP_OK)
        return;
    require(!peer.local && strlen(peer.text) < sizeof peer.text);
    require(http_peer_parse(bytes_of(peer.text), &again) == OP_OK && memcmp(&peer.address, &again.address, sizeof peer.address) == 0);
}

/* Whatever a proxy that is trusted says, the client is an address; nobody else is believed. */
static void try_forwarded(void *ctx, const char *forwarded, const char *id)
{
    static char trusted[] = "192.0.2.0/24";
    char *words[] = {trusted};
    struct http_peers *peers = http_peers_new(ctx, words, 1);
    struct http_field fields[] = {{"x-forwarded-for", forwarded}, {"x-request-id", id}, {"traceparent", id}};
    for (unsigned i = 0; i < 2; i++) {
        struct http_peer peer, client;
        require(http_peer_parse(bytes_of(i == 0 ? "192.0.2.1" : "198.51.100.1"), &peer) == OP_OK);
        struct http_request *req = mem_new(ctx, struct http_request);
        req->fields = fields;
        req->field_count = 3;
        http_peers_identify(peers, &peer, req);
        require(http_peer_parse(bytes_of(req->client_address), &client) == OP_OK);
        require(i == 0 || strcmp(req->client_address, "198.51.100.1") == 0);
        require(strlen(req->request_id) >= 8 && strlen(req->request_id) <= 64);
        require(i == 0 || strcmp(req->request_id, id) != 0);
    }
}

/* A trace has its form whatever was said, and what is said of it leads to the same one. */
static void try_trace(void *ctx, const char *text)
{
    struct trace trace, next;
    trace_go_on(text, &trace);
    require(strspn(trace.trace_id, "0123456789abcdef") == TRACE_ID_LEN && strspn(trace.trace_id, "0") < TRACE_ID_LEN);
    char *parent = trace_parent(ctx, &trace);
    require(strlen(parent) == TRACE_PARENT_LEN);
    trace_go_on(parent, &next);
    require(strcmp(trace.trace_id, next.trace_id) == 0 && trace.sampled == next.sampled);
    require(strcmp(trace.span_id, next.span_id) != 0);
}

/* What an operator lets be reached opens no more than its words say: never the loopback by a public name. */
static void try_guard(void *ctx, const char *words, const char *host)
{
    char *allowed[] = {mem_strdup(ctx, words)};
    struct sockaddr_in loopback = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
    struct address_guard *none = address_guard_new(ctx, NULL, 0), *some = address_guard_new(ctx, allowed, 1);
    require(!address_guard_allows(none, host, (struct sockaddr *)&loopback));
    if (address_guard_check(words) != NULL)
        require(!address_guard_allows(some, host, (struct sockaddr *)&loopback));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    void *ctx = mem_root("fuzz");
    const uint8_t *end = size == 0 ? NULL : memchr(data, '\n', size);
    size_t len = end == NULL ? size : (size_t)(end - data);
    const char *one = mem_strndup(ctx, (const char *)data, len);
    const char *two = end == NULL ? "" : mem_strndup(ctx, (const char *)end + 1, size - len - 1);
    try_freshness(ctx, one, two);
    try_language(one, two);
    try_address(one);
    try_forwarded(ctx, one, two);
    try_guard(ctx, one, two);
    try_trace(ctx, two);
    const char *token = bearer_token(one);
    require(token == NULL || (token > one && *token != '\0' && token < one + strlen(one)));
    talloc_free(ctx);
    return 0;
}
