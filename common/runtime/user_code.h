#pragma once
/* The code of a device, typed by a person who is looking at the device (RFC 8628 §3.3). */
#include "data/records.h"
#include "runtime/http.h"
#include "store/kv.h"

/* The pending request of a user code (as device_user_code_read() gives it), NULL where there is none. Wrong codes are
 * counted for the address they come from, over all servers (user_code_guesses): *ret_wait is 0, or the seconds until
 * it may try again, and then nothing was looked up. For a transaction on guard, with async open. Owned by req. */
must_check enum op_err user_code_find(struct kv_txn *txn, const struct http_request *req, const char *user_code,
                                      unsigned *ret_wait, Rec__DeviceRequest **ret);
