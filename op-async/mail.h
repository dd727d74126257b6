#pragma once
/* Messages to people in words: in the person's language, by the catalogues of share/locales. Pure. */
#include "data/records.h"
#include "runtime/site.h"
#include "smtp.h"

/* The letter that the record stands for, dated when it was written into the outbox and named after its id, so that a
 * second delivery can be recognised. Owned by ctx. OP_INVALID: it can never be sent, *ret_why says why. */
must_check enum op_err mail_write(const void *ctx, const struct site *site, const Rec__Message *message,
                                  struct smtp_letter *ret, const char **ret_why);

/* The name of this house among mail servers: the issuer's host. Owned by ctx. */
const char *mail_host(const void *ctx);
