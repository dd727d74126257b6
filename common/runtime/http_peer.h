#pragma once
/* Who is at the other end: addresses, the proxies a configuration trusts, and what those say in
 * X-Forwarded-For, X-Request-Id and traceparent. No I/O; used by http_connection.c. */
#include <netinet/in.h>
#include <sys/socket.h>

#include "runtime/http.h"

enum { HTTP_ADDRESS_MAX = INET6_ADDRSTRLEN };

struct http_peer {
    bool local;                  /* a Unix socket: no address */
    struct in6_addr address;     /* IPv4 as ::ffff:a.b.c.d */
    char text[HTTP_ADDRESS_MAX]; /* "" when local */
};

struct http_peers; /* a list of addresses and networks */

/* From what accept() gave. */
struct http_peer http_peer_of(const struct sockaddr *address);
/* From text, IPv4 or IPv6 without brackets, port or zone. OP_INVALID: it is none. */
must_check enum op_err http_peer_parse(struct bytes text, struct http_peer *ret);

/* Words that http_trusted_check() would refuse trust nobody. Owned by ctx. */
struct http_peers *http_peers_new(const void *ctx, char *const *words, size_t count);
bool http_peers_trust(const struct http_peers *peers, const struct http_peer *peer);

/* Fills in client_address, request_id and trace of a request that came from peer; only a trusted
 * peer's X-Forwarded-For, X-Request-Id and traceparent are read. The client is then the rightmost
 * address in X-Forwarded-For that is not itself trusted, or the leftmost when all are; reading
 * stops at what is no address. Strings are owned by req. */
void http_peers_identify(const struct http_peers *peers, const struct http_peer *peer, struct http_request *req);
