#pragma once
/* Which of the offered languages a person reads best (RFC 9110 §12.5.4, RFC 4647 §3.4). Pure. */
#include <stddef.h>

/* offered is not empty. ui_locales (OpenID Connect Core §3.1.2.1: space-separated, best first) goes
 * before accept_language (weighted); both may be NULL. "de-AT" finds "de", and "de" finds "de-CH".
 * The first offered one when nothing fits. The result is one of offered. */
const char *language_choose(char *const *offered, size_t count, const char *ui_locales, const char *accept_language);
