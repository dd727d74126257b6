#pragma once
/* GET /device/qr?user_code=...: verification_uri_complete as a QR code, for devices that cannot draw one themselves
 * (RFC 8628 §3.3.1). Says nothing of whether there is such a code. */
#include "runtime/http.h"

void device_qr_handle(struct http_request *req);
