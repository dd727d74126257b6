#pragma once
/* Which addresses may be reached outside: public ones, and what the operator allows. Asked with the very
 * address that is about to be connected to, so that a name that changes in between gains nothing. Pure. */
#include <sys/socket.h>

#include "base/err.h"
#include "base/mem.h"

struct address_guard; /* owned by the ctx it was made in */

/* allowed: addresses, networks (10.0.0.0/8), host names, and .domain for all names below a domain. What
 * address_guard_check() refuses allows nothing. */
struct address_guard *address_guard_new(const void *ctx, char *const *allowed, size_t count);
/* For the CONF table: NULL, or what is wrong with such a list (static text). */
const char *address_guard_check(const char *text);

/* True when address, to which host (lower case, no brackets) led, may be connected to: host is allowed by
 * name, or address by network, or it is IPv4 or IPv6, global unicast and in none of IANA's special-purpose
 * registries. IPv4 inside IPv6 (mapped, RFC 4291 §2.5.5.2; translated, RFC 6052 §2.1) is judged as IPv4. */
bool address_guard_allows(const struct address_guard *guard, const char *host, const struct sockaddr *address);
