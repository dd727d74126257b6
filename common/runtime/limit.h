#pragma once
/* The limit on open descriptors. */

/* Raises the soft limit to the hard one, so that http_new has as many connections to give as the
 * system allows. Does nothing where that is refused. */
void limit_raise_descriptors(void);
