#include "front.h"

#include <string.h>

#include "auth.h"
#include "browser.h"
#include "runtime/server.h"
#include "view.h"
#include "who.h"

struct visitor {
    struct http_request *req;
    struct who who;
};

static enum op_err look(struct kv_txn *txn, void *arg)
{
    struct visitor *visitor = arg;
    return who_load(txn, visitor->req, browser_session(visitor->req), &visitor->who);
}

static void has_looked(enum op_err result, void *arg)
{
    struct visitor *visitor = arg;
    if (result != OP_OK) {
        view_store_error(visitor->req, result);
        return;
    }
    json_t *values = view_values(visitor->req);
    view_set_user(values, visitor->who.user);
    view_page(visitor->req, 200, "front", NULL, values);
}

void front_handle(struct http_request *req)
{
    struct visitor *visitor = mem_new(req, struct visitor);
    visitor->req = req;
    kv_run(server_kv(), KV_READ_ONLY, look, has_looked, visitor);
}

void front_handle_asset(struct http_request *req)
{
    page_reply_asset(req, auth.site.pages, req->path + strlen("/assets/"));
}

void front_to_account(struct http_request *req)
{
    view_redirect(req, "/account");
}
