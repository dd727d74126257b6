#include "logout_decide.h"

#include <string.h>

#include "data/form.h"
#include "data/uri.h"

static const char *text_of(const json_t *claims, const char *name)
{
    const char *value = NULL;
    return claims != NULL && json_get_string(claims, name, &value) == OP_OK ? value : NULL;
}

static bool is_audience(const json_t *hint, const char *client_id)
{
    const json_t *aud = json_object_get(hint, "aud");
    if (json_is_string(aud))
        return strcmp(json_string_value(aud), client_id) == 0;
    for (size_t i = 0; i < json_array_size(aud); i++) {
        const char *one = json_string_value(json_array_get(aud, i));
        if (one != NULL && strcmp(one, client_id) == 0)
            return true;
    }
    return false;
}

const char *logout_client_id(const struct logout_request *request, const json_t *hint)
{
    if (request->client_id != NULL)
        return request->client_id;
    const char *azp = text_of(hint, "azp");
    if (azp != NULL)
        return azp;
    const json_t *aud = hint == NULL ? NULL : json_object_get(hint, "aud");
    return json_array_size(aud) == 1 ? json_string_value(json_array_get(aud, 0)) : json_string_value(aud);
}

static bool refuse(struct oauth_error *ret_error, const char *description)
{
    *ret_error = (struct oauth_error){OAUTH_INVALID_REQUEST, description};
    return false;
}

static bool hint_is_sound(const struct logout_facts *facts, struct oauth_error *ret_error)
{
    const struct logout_request *request = facts->request;
    if (request->id_token_hint == NULL)
        return true;
    const char *iss = text_of(facts->hint, "iss");
    if (!facts->hint_verified || iss == NULL || strcmp(iss, facts->issuer) != 0)
        return refuse(ret_error, "id_token_hint is not an ID token of this issuer");
    if (request->client_id != NULL && !is_audience(facts->hint, request->client_id))
        return refuse(ret_error, "id_token_hint was issued to another client than client_id");
    return true;
}

static bool target_is_registered(const struct logout_facts *facts, struct oauth_error *ret_error)
{
    const struct logout_request *request = facts->request;
    const Rec__Client *client = facts->client;
    if (request->client_id != NULL && (client == NULL || client->disabled))
        return refuse(ret_error, "client_id is not that of a client known here");
    if (request->post_logout_redirect_uri == NULL)
        return true;
    if (client == NULL || client->disabled)
        return refuse(ret_error, "post_logout_redirect_uri needs an id_token_hint or client_id of a client known here");
    if (!records_contain(client->post_logout_redirect_uris, client->n_post_logout_redirect_uris,
                         request->post_logout_redirect_uri))
        return refuse(ret_error, "post_logout_redirect_uri is not registered for this client");
    return true;
}

static bool names(const json_t *hint, const char *claim, const char *expected)
{
    const char *value = text_of(hint, claim);
    return value != NULL && expected != NULL && strcmp(value, expected) == 0;
}

static bool hint_matches(const struct logout_facts *facts)
{
    return facts->hint_verified && names(facts->hint, "sub", facts->session->user_id) &&
           names(facts->hint, "sid", facts->session->sid);
}

enum logout_step logout_decide(const struct logout_facts *facts, struct oauth_error *ret_error)
{
    if (!hint_is_sound(facts, ret_error) || !target_is_registered(facts, ret_error))
        return LOGOUT_PROBLEM;
    if (facts->may_lack_cookies)
        return LOGOUT_REENTER;
    if (facts->session == NULL)
        return LOGOUT_ANSWER;
    return facts->confirmed || hint_matches(facts) ? LOGOUT_END : LOGOUT_ASK;
}

char *logout_target(const void *ctx, const struct logout_request *request)
{
    if (request->post_logout_redirect_uri == NULL)
        return NULL;
    if (request->state == NULL)
        return mem_strdup(ctx, request->post_logout_redirect_uri);
    struct buf encoded = buf_make(ctx);
    form_add(&encoded, "state", request->state);
    return uri_with_query(ctx, request->post_logout_redirect_uri, buf_string(&encoded));
}
