#pragma once
/* /device/approve: a person decides about a device (RFC 8628 §3.3). op-async leads here with the user code; who is not
 * signed in signs in first, compares the code with what the device shows, and allows or denies. */
#include "runtime/http.h"

/* GET: the page; POST: the answer. */
void device_approve_handle(struct http_request *req);
