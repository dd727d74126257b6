#pragma once
/* Devices that wait for a person's word (RFC 8628): found by the secret code the device polls with and, until
 * somebody has decided, by the short one that a person types. */
#include "data/records.h"
#include "store/guard.h"

/* For so long after its end a request is remembered, so that a device that still polls hears why. */
enum { DEVICE_REQUEST_REMEMBERED = 600 }; /* seconds */

/* device_code is the secret as handed out; only its SHA-256 is stored. record->user_code finds it until
 * record->expires_at. OP_EXISTS: another request has that user code now; nothing is written. */
must_check enum op_err device_requests_insert(struct kv_txn *txn, const char *device_code, const Rec__DeviceRequest *record);
/* Also one that has expired, denied or approved. OP_ABSENT: unknown, taken, or long over. */
must_check enum op_err device_requests_get(struct kv_txn *txn, const void *ctx, const char *device_code,
                                           Rec__DeviceRequest **ret);
/* Writes back what device_requests_get gave in this transaction, changed. */
must_check enum op_err device_requests_update(struct kv_txn *txn, const char *device_code, const Rec__DeviceRequest *record);
/* Deletes it: of many that redeem a device code one gets it. OP_ABSENT. */
must_check enum op_err device_requests_take(struct kv_txn *txn, const void *ctx, const char *device_code,
                                            Rec__DeviceRequest **ret);

/* The pending request of a user code (as device_user_code_read() gives it). OP_ABSENT: unknown, decided or expired. */
must_check enum op_err device_requests_find(struct kv_txn *txn, const void *ctx, const char *user_code,
                                            Rec__DeviceRequest **ret);
/* Writes back what device_requests_find gave in this transaction, decided; its user code is gone. OP_ABSENT. */
must_check enum op_err device_requests_decide(struct kv_txn *txn, const Rec__DeviceRequest *record);

/* For a user code that somebody typed, in a transaction on guard: the same as device_requests_find, but a wrong
 * one is counted for subject, and after too many nothing is looked up: then ret_wait is not 0 but the seconds
 * until the next try. *ret is NULL where there is none. */
must_check enum op_err device_requests_try(struct kv_txn *txn, const void *ctx, const struct guard_limit *limit,
                                           const char *subject, const char *user_code, unsigned *ret_wait,
                                           Rec__DeviceRequest **ret);
