#pragma once
/* /device/approve: a person decides about a device (RFC 8628 §3.3). op-async leads here with the user code; who is not
 * signed in signs in first, compares the code with what the device shows, and allows or denies. */
#include "authorization.h"

/* Pure: what has to happen before the device gets its answer, as authorization_judge: OUTCOME_SIGN_IN; OUTCOME_CONSENT,
 * always, whatever was granted before (§5.4); then by a->answer OUTCOME_GRANT, or OUTCOME_ERROR with access_denied.
 * OUTCOME_PROBLEM: the client is gone. a->request becomes the device's. */
enum authorization_outcome device_approve_judge(struct authorization *a, const Rec__DeviceRequest *asked, int64_t now);

/* GET: the page; POST: the answer. */
void device_approve_handle(struct http_request *req);
