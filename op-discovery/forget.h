#pragma once
/* Deletes private halves that nobody needs any more, in one transaction of its own. */
#include "store/kv.h"

struct forget;

struct forget *forget_new(void);
void forget_add(struct forget *forget, const char *kid); /* kid is copied */

/* Starts the transaction, or does nothing where nothing was added. Frees forget when it is done. A
 * failure is logged; what is left is found again at the next look. Never blocks. */
void forget_run(struct forget *forget, struct kv *kv);
