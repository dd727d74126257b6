#include "runtime/http_peer.h"

#include <arpa/inet.h>
#include <assert.h>
#include <string.h>

#include "base/num.h"
#include "base/rand.h"

enum {
    IPV4_PREFIX = 96,
    ADDRESS_BITS = 128,
    REQUEST_ID_MIN = 8,
    REQUEST_ID_MAX = 64,
    REQUEST_ID_BYTES = 12,
};

struct network {
    struct in6_addr address;
    unsigned bits;
};

struct http_peers {
    bool local; /* "unix" */
    struct network *networks;
    size_t count;
};

static struct in6_addr mapped(struct in_addr address)
{
    struct in6_addr mapped = {.s6_addr = {[10] = 0xff, [11] = 0xff}};
    memcpy(mapped.s6_addr + 12, &address, sizeof address);
    return mapped;
}

static void set_text(struct http_peer *peer)
{
    bool four = IN6_IS_ADDR_V4MAPPED(&peer->address);
    const void *from = four ? (const void *)(peer->address.s6_addr + 12) : &peer->address;
    const char *text = inet_ntop(four ? AF_INET : AF_INET6, from, peer->text, sizeof peer->text);
    assert(text != NULL);
    (void)text;
}

struct http_peer http_peer_of(const struct sockaddr *address)
{
    struct http_peer peer = {0};
    if (address->sa_family == AF_INET) {
        struct sockaddr_in four;
        memcpy(&four, address, sizeof four);
        peer.address = mapped(four.sin_addr);
    } else if (address->sa_family == AF_INET6) {
        struct sockaddr_in6 six;
        memcpy(&six, address, sizeof six);
        peer.address = six.sin6_addr;
    } else {
        peer.local = true;
        return peer;
    }
    set_text(&peer);
    return peer;
}

enum op_err http_peer_parse(struct bytes text, struct http_peer *ret)
{
    char word[HTTP_ADDRESS_MAX];
    struct http_peer peer = {0};
    struct in_addr four;
    if (text.len >= sizeof word || memchr(text.data, '\0', text.len) != NULL)
        return OP_INVALID;
    memcpy(word, text.data, text.len);
    word[text.len] = '\0';
    if (inet_pton(AF_INET, word, &four) == 1)
        peer.address = mapped(four);
    else if (inet_pton(AF_INET6, word, &peer.address) != 1)
        return OP_INVALID;
    set_text(&peer);
    *ret = peer;
    return OP_OK;
}

static enum op_err parse_network(struct bytes word, struct network *ret)
{
    const uint8_t *slash = memchr(word.data, '/', word.len);
    struct bytes address = bytes_from(word.data, slash == NULL ? word.len : (size_t)(slash - word.data));
    struct http_peer peer;
    enum op_err err = http_peer_parse(address, &peer);
    if (err != OP_OK)
        return err;
    uint64_t bits = ADDRESS_BITS;
    if (slash != NULL) {
        bool four = memchr(address.data, ':', address.len) == NULL;
        uint64_t prefix = four ? IPV4_PREFIX : 0;
        err = num_parse_u64(bytes_from(slash + 1, word.len - address.len - 1), ADDRESS_BITS - prefix, &bits);
        if (err != OP_OK)
            return OP_INVALID;
        bits += prefix;
    }
    *ret = (struct network){.address = peer.address, .bits = (unsigned)bits};
    return OP_OK;
}

const char *http_trusted_check(const char *text)
{
    static const char separators[] = " \t\r\n,";
    struct network network;
    for (const char *at = text + strspn(text, separators); *at != '\0'; at += strspn(at, separators)) {
        struct bytes word = bytes_from(at, strcspn(at, separators));
        if (!bytes_equal(word, bytes_of("unix")) && parse_network(word, &network) != OP_OK)
            return "not a list of addresses, networks (ADDRESS/BITS) or \"unix\"";
        at += word.len;
    }
    return NULL;
}

struct http_peers *http_peers_new(const void *ctx, char *const *words, size_t count)
{
    struct http_peers *peers = mem_new(ctx, struct http_peers);
    peers->networks = mem_array(peers, struct network, count);
    for (size_t i = 0; i < count; i++) {
        if (strcmp(words[i], "unix") == 0)
            peers->local = true;
        else if (parse_network(bytes_of(words[i]), &peers->networks[peers->count]) == OP_OK)
            peers->count++;
    }
    return peers;
}

static bool inside(const struct network *network, const struct in6_addr *address)
{
    unsigned whole = network->bits / 8, rest = network->bits % 8;
    if (memcmp(network->address.s6_addr, address->s6_addr, whole) != 0)
        return false;
    if (rest == 0)
        return true;
    unsigned difference = (unsigned)(network->address.s6_addr[whole] ^ address->s6_addr[whole]);
    return difference >> (8 - rest) == 0;
}

bool http_peers_trust(const struct http_peers *peers, const struct http_peer *peer)
{
    if (peer->local)
        return peers->local;
    for (size_t i = 0; i < peers->count; i++)
        if (inside(&peers->networks[i], &peer->address))
            return true;
    return false;
}

/* Takes the last element off a comma-separated list, trimmed. */
static struct bytes pop(struct bytes *list)
{
    size_t start = list->len, end = list->len;
    while (start > 0 && list->data[start - 1] != ',')
        start--;
    struct bytes rest = bytes_from(list->data, start == 0 ? 0 : start - 1);
    while (start < end && (list->data[start] == ' ' || list->data[start] == '\t'))
        start++;
    while (end > start && (list->data[end - 1] == ' ' || list->data[end - 1] == '\t'))
        end--;
    struct bytes last = bytes_from(list->data + start, end - start);
    *list = rest;
    return last;
}

/* Goes on from a trusted peer through one field, from the right; false when the walk is over. */
static bool walk(const struct http_peers *peers, const char *value, struct http_peer *client)
{
    struct bytes list = bytes_of(value);
    while (list.len > 0) {
        if (http_peer_parse(pop(&list), client) != OP_OK || !http_peers_trust(peers, client))
            return false;
    }
    return true;
}

static const char *forwarded_client(const struct http_peers *peers, const struct http_peer *peer,
                                    struct http_request *req)
{
    struct http_peer client = *peer;
    bool more = true;
    for (size_t i = req->field_count; more && i > 0; i--)
        if (strcmp(req->fields[i - 1].name, "x-forwarded-for") == 0)
            more = walk(peers, req->fields[i - 1].value, &client);
    return mem_strdup(req, client.text);
}

static bool is_request_id(const char *text)
{
    static const char allowed[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-";
    size_t len = strlen(text);
    return len >= REQUEST_ID_MIN && len <= REQUEST_ID_MAX && strspn(text, allowed) == len;
}

static const struct trace *trace_of(struct http_request *req, bool trusted)
{
    struct trace *trace = mem_new(req, struct trace);
    bool one = trusted && http_field_count(req, "traceparent") == 1;
    trace_go_on(one ? http_field(req, "traceparent") : NULL, trace);
    return trace;
}

void http_peers_identify(const struct http_peers *peers, const struct http_peer *peer, struct http_request *req)
{
    bool trusted = http_peers_trust(peers, peer);
    const char *id = trusted ? http_field(req, "x-request-id") : NULL;
    req->client_address = trusted ? forwarded_client(peers, peer, req) : mem_strdup(req, peer->text);
    req->request_id = id != NULL && is_request_id(id) ? id : rand_token(req, REQUEST_ID_BYTES);
    req->trace = trace_of(req, trusted);
}
