#include "device_qr.h"

#include "data/form.h"
#include "protocol/device.h"
#include "qr.h"
#include "runtime/settings.h"

enum { PAIRS_MAX = 8 };

void device_qr_handle(struct http_request *req)
{
    struct form form;
    char code[DEVICE_USER_CODE_LEN + 1], *picture;
    const char *typed = NULL;
    if (form_parse(req, req->query, PAIRS_MAX, &form) == OP_OK)
        typed = form_get(&form, "user_code");
    http_set_field(req, "Cache-Control", "no-store");
    http_set_field(req, "X-Content-Type-Options", "nosniff");
    if (typed == NULL || !device_user_code_read(typed, code)) {
        http_reply(req, 400, "text/plain; charset=utf-8", bytes_of("user_code is missing or is none\n"));
        return;
    }
    const char *url = mem_printf(req, "%s/device?user_code=%s", settings.issuer, device_user_code_text(req, code));
    if (qr_svg(req, url, &picture) != OP_OK) {
        http_reply(req, 500, "text/plain; charset=utf-8", bytes_of("the address is too long for a QR code\n"));
        return;
    }
    http_set_field(req, "Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'");
    http_reply(req, 200, "image/svg+xml", bytes_of(picture));
}
