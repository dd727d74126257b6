#pragma once
/* POST /device_authorization (RFC 8628 §3.1, §3.2): a device asks for a code to show and one to poll with. */
#include "data/records.h"
#include "protocol/scope.h"
#include "runtime/http.h"

/* Pure: what is stored of a request. Owned by ctx; its user code is the caller's to set. */
Rec__DeviceRequest *device_authorization_record(const void *ctx, const Rec__Client *client,
                                                const struct scope_list *scopes, const struct scope_list *resources,
                                                int64_t interval, int64_t lifetime, int64_t now);

void device_authorization_handle(struct http_request *req);
