#pragma once
/* Results shared by every module. Outputs (ret_...) are untouched unless the result is OP_OK. */

#define must_check __attribute__((warn_unused_result))

enum op_err {
    OP_OK = 0,
    OP_ABSENT,    /* not there */
    OP_EXISTS,    /* an insert found one already there */
    OP_MISMATCH,  /* compare-and-set found another value; a signature, tag or secret did not verify */
    OP_DENIED,    /* there, but this version may not act on it (the record needs a newer one) */
    OP_INVALID,   /* malformed input */
    OP_TOO_LARGE, /* input over its bound */
    OP_EXPIRED,   /* well-formed and once valid, no longer */
    OP_BUSY,      /* a bounded queue is full or the wait was too long: answer 503, Retry-After */
    OP_FULL,      /* map, reader table or disk is full: answer 503, Retry-After */
    OP_BROKEN,    /* I/O failed or stored bytes make no sense */
};

/* Returns a static lower-case word for logs, e.g. "absent". */
const char *op_err_name(enum op_err err);
