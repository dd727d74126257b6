#include "question.h"

#include <string.h>

#include "management.h"
#include "runtime/access.h"
#include "runtime/client_request.h"
#include "runtime/reply.h"

enum { TOKEN_MAX = 12 * 1024, HINT_MAX = 128 };

struct question_params {
    const char *token, *token_type_hint;
};

static const struct param PARAMS[] = {
    PARAM(struct question_params, token, PARAM_REQUIRED, TOKEN_MAX, param_is_vschar),
    PARAM(struct question_params, token_type_hint, PARAM_OPTIONAL, HINT_MAX, NULL),
};

/* OP_OK whatever the token is; else an error of the store. */
static enum op_err look_at(const void *ctx, const char *text, struct presented_token *ret)
{
    struct oauth_error ignored;
    *ret = (struct presented_token){.kind = TOKEN_UNKNOWN};
    if (refresh_token_parse(text, &ret->refresh) == OP_OK) {
        ret->kind = TOKEN_REFRESH;
        return OP_OK;
    }
    enum op_err err = access_verify(management_process.keyring, ctx, text, &ret->access, &ignored);
    if (err == OP_OK)
        ret->kind = TOKEN_ACCESS;
    return err == OP_INVALID ? OP_OK : err;
}

static void authenticated(Rec__Client *client, void *arg)
{
    struct question *question = arg;
    question->client = client;
    enum op_err err = look_at(question->http, question->text, &question->token);
    if (err != OP_OK)
        reply_store_error(question->http, err);
    else
        question->answer(question);
}

void question_ask(struct http_request *req, void (*answer)(struct question *question))
{
    struct question *question = mem_secret(mem_new(req, struct question));
    struct question_params params;
    struct oauth_error error;
    question->http = req;
    question->answer = answer;
    if (client_request_read(req, PARAMS, sizeof PARAMS / sizeof *PARAMS, &params, sizeof params, &question->auth,
                            &error) != OP_OK) {
        reply_oauth_error(req, &error, true);
        return;
    }
    question->text = params.token;
    client_request_authenticate(req, &question->auth, authenticated, question);
}

bool question_is_of_client(const char *client_id, const Rec__Client *client)
{
    return client_id != NULL && client->client_id != NULL && strcmp(client_id, client->client_id) == 0;
}
