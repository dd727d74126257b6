#include "device_code.h"

#include "base/log.h"
#include "birth.h"
#include "protocol/device.h"
#include "runtime/alive.h"
#include "runtime/server.h"
#include "store/device_requests.h"
#include "target.h"

struct poll {
    struct token_request *token;
    struct birth *birth;
    /* set by work: */
    struct device_poll facts;
    struct family_facts family;
    Rec__DeviceRequest *request;
    enum device_verdict verdict;
    struct oauth_error error;
};

static enum op_err load(struct kv_txn *txn, struct poll *poll)
{
    struct http_request *req = poll->token->http;
    poll->request = NULL;
    poll->facts = (struct device_poll){
        .client_id = poll->token->client->client_id,
        .alive = FAMILY_DEAD,
        .now = kv_now(txn),
    };
    enum op_err err = device_requests_get(txn, req, poll->token->params.device_code, &poll->request);
    if (err == OP_ABSENT)
        return OP_OK;
    poll->facts.request = poll->request;
    if (err != OP_OK || poll->request->grant == NULL)
        return err;
    Rec__Grant *grant = poll->request->grant;
    err = alive_load(txn, req, grant, NULL, birth_is_offline(grant), &poll->family);
    if (err == OP_OK)
        poll->facts.alive = family_alive(&poll->family);
    return err;
}

static enum op_err load_and_take(struct kv_txn *txn, void *arg)
{
    struct poll *poll = arg;
    const char *device_code = poll->token->params.device_code;
    enum op_err err = load(txn, poll);
    if (err != OP_OK)
        return err;
    struct token_request *token = poll->token;
    poll->verdict = device_poll_decide(&poll->facts, &poll->error);
    if (poll->verdict == DEVICE_REDEEM && target_of_grant(token->http, &token->params.resource, poll->request->grant,
                                                          &token->audiences, &poll->error) != OP_OK)
        poll->verdict = DEVICE_REFUSE;
    switch (poll->verdict) {
    case DEVICE_REDEEM:
        return device_requests_take(txn, poll->token->http, device_code, &poll->request);
    case DEVICE_WAIT:
        device_poll_note(poll->request, &poll->error, poll->facts.now);
        return device_requests_update(txn, device_code, poll->request);
    case DEVICE_REFUSE:
        break;
    }
    return OP_OK;
}

static void request_taken(enum op_err result, void *arg)
{
    struct poll *poll = arg;
    const struct http_request *req = poll->token->http;
    if (result != OP_OK) {
        token_unavailable(poll->token, result);
    } else if (poll->verdict != DEVICE_REDEEM) {
        token_refuse(poll->token, &poll->error);
    } else {
        log_event(LOG_LEVEL_INFO, "device_code_redeemed", req->request_id, req->trace, "client_id",
                  poll->facts.client_id, "user_id", poll->request->grant->user_id, NULL);
        birth_give(poll->birth, poll->request->grant, poll->family.user, poll->facts.now,
                   "what the person approved has ended");
    }
}

void device_code_grant(struct token_request *token)
{
    if (token->params.device_code == NULL) {
        token_refuse(token, &(struct oauth_error){OAUTH_INVALID_REQUEST, "device_code is missing"});
        return;
    }
    struct poll *poll = mem_new(token->http, struct poll);
    poll->token = token;
    poll->birth = birth_prepare(token);
    kv_run(server_kv(), KV_ASYNC, load_and_take, request_taken, poll);
}
