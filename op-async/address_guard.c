#include "address_guard.h"

#include <string.h>

#include "runtime/http_peer.h"

struct address_guard {
    struct http_peers *special, *global, *translated;
    struct http_peers *allowed;
    char **hosts; /* lower case; one that starts with a dot stands for all names below it */
    size_t host_count;
};

/* What is no host on the public internet: the IANA special-purpose address registries (RFC 6890) whole, also the
 * blocks in them that are routed: no client publishes anything there. */
static char *const SPECIAL[] = {
    "0.0.0.0/8",       /* this network, RFC 791 §3.2 */
    "10.0.0.0/8",      /* private use, RFC 1918 */
    "100.64.0.0/10",   /* shared address space, RFC 6598 */
    "127.0.0.0/8",     /* loopback, RFC 1122 §3.2.1.3 */
    "169.254.0.0/16",  /* link local, RFC 3927; metadata services */
    "172.16.0.0/12",   /* private use, RFC 1918 */
    "192.0.0.0/24",    /* protocol assignments, RFC 6890 §2.1 */
    "192.0.2.0/24",    /* documentation, RFC 5737 */
    "192.31.196.0/24", /* AS112, RFC 7535 */
    "192.52.193.0/24", /* AMT, RFC 7450 */
    "192.88.99.0/24",  /* 6to4 relays, RFC 7526 */
    "192.168.0.0/16",  /* private use, RFC 1918 */
    "192.175.48.0/24", /* AS112, RFC 7534 */
    "198.18.0.0/15",   /* benchmarking, RFC 2544 */
    "198.51.100.0/24", /* documentation, RFC 5737 */
    "203.0.113.0/24",  /* documentation, RFC 5737 */
    "224.0.0.0/4",     /* multicast, RFC 1112 */
    "240.0.0.0/4",     /* reserved and limited broadcast, RFC 1112 §4, RFC 8190 */
    "2001::/23",       /* protocol assignments, RFC 2928: Teredo, benchmarking, AMT, AS112, ORCHID, DETs */
    "2001:db8::/32",   /* documentation, RFC 3849 */
    "2002::/16",       /* 6to4, RFC 3056 */
    "2620:4f:8000::/48", /* AS112, RFC 7534 */
    "3fff::/20",       /* documentation, RFC 9637 */
};

/* All of IPv6 outside this is special, unassigned, local or multicast: loopback, unspecified, IPv4-compatible,
 * 64:ff9b:1::/48, 100::/64, 5f00::/16, fc00::/7, fe80::/10, fec0::/10, ff00::/8. */
static char *const GLOBAL[] = {"::ffff:0:0/96", "2000::/3"};
static char *const TRANSLATED[] = {"64:ff9b::/96"};

#define PEERS_NEW(ctx, words) http_peers_new((ctx), (words), sizeof(words) / sizeof *(words))

static char *lower(const void *ctx, const char *text)
{
    char *out = mem_strdup(ctx, text);
    for (char *p = out; *p != '\0'; p++)
        if (*p >= 'A' && *p <= 'Z')
            *p = (char)(*p - 'A' + 'a');
    return out;
}

/* Only digits and dots is an address that was mistyped. */
static bool is_host_name(const char *word)
{
    static const char letters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-";
    size_t len = strlen(word);
    return len > 1 && len < 256 && strspn(word, letters) == len && strspn(word, "0123456789.") != len;
}

static bool is_network(const char *word)
{
    return strcmp(word, "unix") != 0 && http_trusted_check(word) == NULL;
}

struct address_guard *address_guard_new(const void *ctx, char *const *allowed, size_t count)
{
    struct address_guard *guard = mem_new(ctx, struct address_guard);
    guard->special = PEERS_NEW(guard, SPECIAL);
    guard->global = PEERS_NEW(guard, GLOBAL);
    guard->translated = PEERS_NEW(guard, TRANSLATED);
    guard->allowed = http_peers_new(guard, allowed, count);
    guard->hosts = mem_array(guard, char *, count);
    for (size_t i = 0; i < count; i++)
        if (!is_network(allowed[i]) && is_host_name(allowed[i]))
            guard->hosts[guard->host_count++] = lower(guard, allowed[i]);
    return guard;
}

const char *address_guard_check(const char *text)
{
    static const char separators[] = " \t\r\n,";
    const char *wrong = NULL;
    void *scratch = mem_root("address_guard_check");
    for (const char *at = text + strspn(text, separators); *at != '\0' && wrong == NULL; at += strspn(at, separators)) {
        const char *word = mem_strndup(scratch, at, strcspn(at, separators));
        if (!is_network(word) && !is_host_name(word))
            wrong = "not a list of addresses, networks (ADDRESS/BITS), host names or .domains";
        at += strlen(word);
    }
    talloc_free(scratch);
    return wrong;
}

static bool host_is_allowed(const struct address_guard *guard, const char *host)
{
    size_t len = strlen(host);
    for (size_t i = 0; i < guard->host_count; i++) {
        const char *allowed = guard->hosts[i];
        size_t allowed_len = strlen(allowed);
        bool below = *allowed == '.' && len > allowed_len && strcmp(host + len - allowed_len, allowed) == 0;
        if (below || strcmp(host, allowed) == 0)
            return true;
    }
    return false;
}

/* The IPv4 address that a translator makes of it. */
static struct http_peer without_translation(const struct address_guard *guard, struct http_peer peer)
{
    static const uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff};
    if (http_peers_trust(guard->translated, &peer))
        memcpy(peer.address.s6_addr, mapped, sizeof mapped);
    return peer;
}

bool address_guard_allows(const struct address_guard *guard, const char *host, const struct sockaddr *address)
{
    if (address->sa_family != AF_INET && address->sa_family != AF_INET6)
        return false;
    struct http_peer peer = http_peer_of(address);
    if (host_is_allowed(guard, host) || http_peers_trust(guard->allowed, &peer))
        return true;
    peer = without_translation(guard, peer);
    return http_peers_trust(guard->global, &peer) && !http_peers_trust(guard->special, &peer);
}
