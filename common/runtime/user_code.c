#include "runtime/user_code.h"

#include "runtime/settings.h"
#include "store/device_requests.h"

enum op_err user_code_find(struct kv_txn *txn, const struct http_request *req, const char *user_code,
                           unsigned *ret_wait, Rec__DeviceRequest **ret)
{
    struct guard_limit limit = {
        .kind = "user_code/address",
        .limit = (unsigned)settings.user_code_guesses,
        .window_seconds = (unsigned)settings.user_code_guess_window,
    };
    return device_requests_try(txn, req, &limit, guard_address(req, req->client_address), user_code, ret_wait, ret);
}
