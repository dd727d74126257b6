#pragma once
/* E-mail addresses (RFC 5321 §4.1.2). Nothing blocks. */
#include <stdbool.h>

enum { MAIL_ADDRESS_MAX = 254 };

/* True for an address that any mail server takes and that can stand in a header as it is: a dot-atom, '@' and a domain
 * of letters, digits and hyphens, all ASCII. Not: quoted local parts, comments, domain literals, other alphabets. */
bool mail_address_is_plain(const char *text);
