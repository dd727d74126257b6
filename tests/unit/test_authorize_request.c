#include "rows.h"

#include "protocol/authorize_request.h"

#define ISSUER "https://op.example"
#define CHALLENGE "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"
#define S256 "code_challenge=" CHALLENGE "&code_challenge_method=S256"

static const char GOOD[] =
    "response_type=code&client_id=client&redirect_uri=https%3A%2F%2Frp.example%2Fcb&scope=openid&state=s1";

enum client_kind { CONFIDENTIAL = 0, PUBLIC = 1, ALLOW_PLAIN = 2, NO_CODE_GRANT = 4, NO_CODE_TYPE = 8, NO_REFRESH = 16,
                   MUST_PUSH = 32, ALL_MUST_PUSH = 64, PUSHED = 128 };

static Rec__Client *client_of(const void *ctx, unsigned kind)
{
    char *uris[] = {(char[]){"https://rp.example/cb"}, (char[]){"https://rp.example/cb?a=b"}};
    char *scopes[] = {(char[]){"openid"}, (char[]){"email"}, (char[]){"offline_access"}, (char[]){"api:read"}};
    char *grants[] = {(char[]){"authorization_code"}, (char[]){"refresh_token"}}, *others[] = {(char[]){"client_credentials"}};
    char *resources[] = {(char[]){"https://api.example/"}, (char[]){"urn:example:mail"}};
    char *types[] = {(char[]){"code id_token"}};
    Rec__Client *client = records_new(ctx, &rec__client__descriptor);
    client->client_id = mem_strdup(ctx, "client");
    client->redirect_uris = records_strings(ctx, uris, client->n_redirect_uris = COUNT(uris));
    client->scopes = records_strings(ctx, scopes, client->n_scopes = COUNT(scopes));
    client->n_grant_types = kind & (NO_REFRESH | NO_CODE_GRANT) ? 1 : 2;
    client->grant_types = records_strings(ctx, kind & NO_CODE_GRANT ? others : grants, client->n_grant_types);
    if (kind & NO_CODE_TYPE)
        client->response_types = records_strings(ctx, types, client->n_response_types = 1);
    client->resources = records_strings(ctx, resources, client->n_resources = COUNT(resources));
    client->require_pushed_authorization_requests = (kind & MUST_PUSH) != 0;
    client->token_endpoint_auth_method = mem_strdup(ctx, kind & PUBLIC ? "none" : "client_secret_basic");
    return client;
}

static void drop(struct form *form, const char *name)
{
    size_t kept = 0;
    for (size_t i = 0; i < form->count; i++)
        if (strcmp(form->pairs[i].name, name) != 0)
            form->pairs[kept++] = form->pairs[i];
    form->count = kept;
}

/* GOOD, changed: name=value replaces, -name drops, !name=value comes as one more. */
static struct form form_of(const void *ctx, const char *changes)
{
    struct form form, changed;
    assert_int_equal(form_parse(ctx, bytes_of(GOOD), 64, &form), OP_OK);
    assert_int_equal(form_parse(ctx, bytes_of(changes), 64, &changed), OP_OK);
    form.pairs = mem_grow(ctx, form.pairs, struct form_pair, form.count + changed.count);
    for (size_t i = 0; i < changed.count; i++) {
        struct form_pair pair = changed.pairs[i];
        bool more = *pair.name == '!', gone = *pair.name == '-';
        pair.name += more || gone;
        if (!more)
            drop(&form, pair.name);
        if (!gone)
            form.pairs[form.count++] = pair;
    }
    return form;
}

static enum op_err parse(const void *ctx, const struct form *form, unsigned kind, struct authorize_request *request,
                         struct oauth_error *error)
{
    struct scope_catalogue catalogue;
    const char *why;
    Rec__Client *client = client_of(ctx, kind);
    assert_int_equal(scope_catalogue_make(ctx, NULL, 0, &catalogue, &why), OP_OK);
    assert_int_equal(authorize_request_identify(ctx, form, request, error), OP_OK);
    assert_int_equal(authorize_request_match(request, client, error), OP_OK);
    struct authorize_policy policy = {
        .allow_plain_pkce = (kind & ALLOW_PLAIN) != 0,
        .catalogue = &catalogue,
        .require_pushed = (kind & ALL_MUST_PUSH) != 0,
        .is_pushed = (kind & PUSHED) != 0,
    };
    return authorize_request_parse(ctx, form, client, &policy, request, error);
}

static void who_asks_and_where_to_answer(void **state)
{
    (void)state;
    static const struct {
        const char *rule, *changes;
        bool identified, matched;
    } rows[] = {
        {"Core §3.1.2.1: client_id and redirect_uri", "", true, true},
        {"RFC 6749 §4.1.1: another of several", "redirect_uri=https%3A%2F%2Frp.example%2Fcb%3Fa%3Db", true, true},
        {"Core §3.1.2.1: client_id is required", "-client_id", false, false},
        {"RFC 6749 §3.1: one without a value is left out", "client_id=", false, false},
        {"RFC 6749 §3.1: client_id twice", "!client_id=client", false, false},
        {"RFC 6749 §3.1: redirect_uri twice", "!redirect_uri=https%3A%2F%2Frp.example%2Fcb", false, false},
        {"a control character in the client_id", "client_id=client%01", false, false},
        {"a line break in the redirect_uri", "redirect_uri=https%3A%2F%2Frp.example%2Fcb%0D%0A", false, false},
        {"Core §3.1.2.1: redirect_uri is required, one registered or not", "-redirect_uri", true, false},
        {"Core §3.1.2.1: redirect_uri must exactly match", "redirect_uri=https%3A%2F%2Frp.example%2Fcb%2F", true, false},
        {"Core §3.1.2.1: simple string comparison", "redirect_uri=https%3A%2F%2Frp.example%2F.%2Fcb", true, false},
        {"somebody else's", "redirect_uri=https%3A%2F%2Fevil.example%2F", true, false},
        {"a fault further on is for later", "response_type=token&!state=s2", true, true},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        void *ctx = mem_root("test");
        struct form form = form_of(ctx, rows[i].changes);
        struct authorize_request request = {.client_id = "untouched"};
        struct oauth_error error = {OAUTH_OK, NULL};
        enum op_err err = authorize_request_identify(ctx, &form, &request, &error);
        row_equal(rows[i].rule, err, rows[i].identified ? OP_OK : OP_INVALID);
        row_string(rows[i].rule, request.client_id, rows[i].identified ? "client" : "untouched");
        if (err == OP_OK) {
            Rec__Client *client = client_of(ctx, CONFIDENTIAL);
            err = authorize_request_match(&request, client, &error);
            row_equal(rows[i].rule, err, rows[i].matched ? OP_OK : OP_MISMATCH);
            client->disabled = true;
            row_equal("a disabled client", authorize_request_match(&request, client, &(struct oauth_error){0}), OP_MISMATCH);
            row_equal("an unknown client", authorize_request_match(&request, NULL, &(struct oauth_error){0}), OP_MISMATCH);
        }
        row_equal(rows[i].rule, error.code == OAUTH_OK, rows[i].matched);
        talloc_free(ctx);
    }
}

static void native_clients_choose_their_port(void **state)
{
    (void)state;
    void *ctx = mem_root("test");
    Rec__Client *client = client_of(ctx, PUBLIC);
    struct authorize_request request = {.client_id = "client", .redirect_uri = "http://127.0.0.1:51004/cb"};
    struct oauth_error error;
    client->redirect_uris[0] = mem_strdup(ctx, "http://127.0.0.1/cb");
    assert_int_equal(authorize_request_match(&request, client, &error), OP_MISMATCH);
    client->application_type = mem_strdup(ctx, "native");
    assert_int_equal(authorize_request_match(&request, client, &error), OP_OK);
    talloc_free(ctx);
}

/* What goes back to the client, a row per sentence. */
static void requests_are_accepted_or_refused(void **state)
{
    (void)state;
    static const struct {
        const char *rule, *changes;
        unsigned client;
        enum oauth_code error; /* OAUTH_OK: accepted */
    } rows[] = {
        {"Core §3.1.2.1: the least there is", "", CONFIDENTIAL, OAUTH_OK},
        {"RFC 6749 §3.1: unrecognized parameters are ignored", "what=ever&!what=else", CONFIDENTIAL, OAUTH_OK},
        {"RFC 6749 §3.1: one without a value is left out", "prompt=&nonce=&max_age=", CONFIDENTIAL, OAUTH_OK},

        {"RFC 6749 §3.1.1: response_type is required", "-response_type", CONFIDENTIAL, OAUTH_INVALID_REQUEST},
        {"RFC 6749 §3.1: not more than once", "!response_type=code", CONFIDENTIAL, OAUTH_INVALID_REQUEST},
        {"RFC 6749 §3.1.1: one not understood", "response_type=pigeon", CONFIDENTIAL, OAUTH_UNSUPPORTED_RESPONSE_TYPE},
        {"no implicit flow", "response_type=token", CONFIDENTIAL, OAUTH_UNSUPPORTED_RESPONSE_TYPE},
        {"no hybrid flow", "response_type=code+id_token", CONFIDENTIAL, OAUTH_UNSUPPORTED_RESPONSE_TYPE},
        {"no none", "response_type=none", CONFIDENTIAL, OAUTH_UNSUPPORTED_RESPONSE_TYPE},
        {"RFC 6749 §3.1.1: values are case-sensitive", "response_type=Code", CONFIDENTIAL, OAUTH_UNSUPPORTED_RESPONSE_TYPE},
        {"RFC 6749 §4.1.2.1: a client not authorized to ask for a code", "", NO_CODE_GRANT, OAUTH_UNAUTHORIZED_CLIENT},
        {"the same by its response_types", "", NO_CODE_TYPE, OAUTH_UNAUTHORIZED_CLIENT},

        {"Core §3.1.2.1: response_mode query", "response_mode=query", CONFIDENTIAL, OAUTH_OK},
        {"Core §3.1.2.1: response_mode fragment", "response_mode=fragment", CONFIDENTIAL, OAUTH_OK},
        {"Form Post 1.0 §2: response_mode form_post", "response_mode=form_post", CONFIDENTIAL, OAUTH_OK},
        {"a response_mode we do not have", "response_mode=web_message", CONFIDENTIAL, OAUTH_INVALID_REQUEST},
        {"response_mode twice", "response_mode=query&!response_mode=query", CONFIDENTIAL, OAUTH_INVALID_REQUEST},

        {"RFC 6749 §3.3: scope left out fails as invalid_scope", "-scope", CONFIDENTIAL, OAUTH_INVALID_SCOPE},
        {"RFC 6749 §3.3: malformed: two spaces", "scope=openid++email", CONFIDENTIAL, OAUTH_INVALID_SCOPE},
        {"RFC 6749 §3.3: malformed: a quote", "scope=openid+%22x", CONFIDENTIAL, OAUTH_INVALID_SCOPE},
        {"scope twice", "!scope=openid", CONFIDENTIAL, OAUTH_INVALID_REQUEST},
        {"a control character in scope", "scope=openid%07", CONFIDENTIAL, OAUTH_INVALID_REQUEST},
        {"Core §3.1.2.1: without openid it is plain OAuth", "scope=api:read", CONFIDENTIAL, OAUTH_OK},
        {"Core §3.1.2.1: values not understood should be ignored", "scope=openid+what", CONFIDENTIAL, OAUTH_OK},
        {"RFC 6749 §3.3: but something must remain", "scope=what", CONFIDENTIAL, OAUTH_INVALID_SCOPE},
        {"RFC 6749 §4.1.2.1: one known here, not registered for the client", "scope=openid+phone", CONFIDENTIAL,
         OAUTH_INVALID_SCOPE},
        {"Core §11: offline_access", "scope=openid+offline_access", CONFIDENTIAL, OAUTH_OK},
        {"Core §11: ignored where no refresh token can be", "scope=openid+offline_access", NO_REFRESH, OAUTH_OK},
        {"Core §11: which leaves nothing", "scope=offline_access", NO_REFRESH, OAUTH_INVALID_SCOPE},

        {"RFC 6749 A.5: state is of visible characters and spaces", "state=a%20%7E", CONFIDENTIAL, OAUTH_OK},
        {"RFC 6749 A.5: nothing else", "state=%C3%A4", CONFIDENTIAL, OAUTH_INVALID_REQUEST},
        {"state twice", "!state=s2", CONFIDENTIAL, OAUTH_INVALID_REQUEST},
        {"Core §3.1.2.1: nonce", "nonce=n-0S6_WzA2Mj", CONFIDENTIAL, OAUTH_OK},
        {"a control character in nonce", "nonce=a%07b", CONFIDENTIAL, OAUTH_INVALID_REQUEST},
        {"nonce twice", "nonce=a&!nonce=a", CONFIDENTIAL, OAUTH_INVALID_REQUEST},

        {"Core §3.1.2.1: display page", "display=page", CONFIDENTIAL, OAUTH_OK},
        {"Core §3.1.2.1: display popup", "display=popup", CONFIDENTIAL, OAUTH_OK},
        {"Core §3.1.2.1: display touch", "display=touch", CONFIDENTIAL, OAUTH_OK},
        {"Core §3.1.2.1: display wap", "display=wap", CONFIDENTIAL, OAUTH_OK},
        {"a display there is not", "display=hologram", CONFIDENTIAL, OAUTH_INVALID_REQUEST},

        {"Core §3.1.2.1: prompt none", "prompt=none", CONFIDENTIAL, OAUTH_OK},
        {"Core §3.1.2.1: prompt values, space-delimited", "prompt=login+consent+select_account", CONFIDENTIAL, OAUTH_OK},
        {"Core §3.1.2.1: none with any other value is an error", "prompt=none+login", CONFIDENTIAL, OAUTH_INVALID_REQUEST},
        {"Core §3.1.2.1: in any order", "prompt=consent+none", CONFIDENTIAL, OAUTH_INVALID_REQUEST},
        {"Core §3.1.2.1: with select_account", "prompt=none+select_account", CONFIDENTIAL, OAUTH_INVALID_REQUEST},
        {"none and none are none", "prompt=none+none", CONFIDENTIAL, OAUTH_OK},
        {"Core §3.1.2.1: values are case-sensitive", "prompt=None", CONFIDENTIAL, OAUTH_INVALID_REQUEST},
        {"Core §3.1.2.1: one not understood may be an error", "prompt=create", CONFIDENTIAL, OAUTH_INVALID_REQUEST},

        {"Core §3.1.2.1: max_age in seconds", "max_age=3600", CONFIDENTIAL, OAUTH_OK},
        {"Core §3.1.2.1: max_age may be 0", "max_age=0", CONFIDENTIAL, OAUTH_OK},
        {"max_age is no negative number", "max_age=-1", CONFIDENTIAL, OAUTH_INVALID_REQUEST},
        {"max_age is a number", "max_age=soon", CONFIDENTIAL, OAUTH_INVALID_REQUEST},
        {"max_age is a whole number", "max_age=1.5", CONFIDENTIAL, OAUTH_INVALID_REQUEST},
        {"max_age is bounded", "max_age=99999999999", CONFIDENTIAL, OAUTH_INVALID_REQUEST},
        {"max_age twice", "max_age=1&!max_age=1", CONFIDENTIAL, OAUTH_INVALID_REQUEST},

        {"Core §3.1.2.1: ui_locales not supported are no error", "ui_locales=tlh+fr-CA+en", CONFIDENTIAL, OAUTH_OK},
        {"a line break in ui_locales", "ui_locales=en%0Ade", CONFIDENTIAL, OAUTH_INVALID_REQUEST},
        {"Core §5.2: claims_locales are not understood and ignored", "claims_locales=en", CONFIDENTIAL, OAUTH_OK},
        {"Core §3.1.2.1: id_token_hint", "id_token_hint=a.b.c", CONFIDENTIAL, OAUTH_OK},
        {"a control character in id_token_hint", "id_token_hint=a.b%1Fc", CONFIDENTIAL, OAUTH_INVALID_REQUEST},
        {"Core §3.1.2.1: login_hint, in any script", "login_hint=%C3%A4da%40rp.example", CONFIDENTIAL, OAUTH_OK},
        {"a C1 control in login_hint", "login_hint=a%C2%9B", CONFIDENTIAL, OAUTH_INVALID_REQUEST},
        {"Core §3.1.2.1: acr_values are wishes", "acr_values=9+8", CONFIDENTIAL, OAUTH_OK},
        {"acr_values twice", "acr_values=9&!acr_values=8", CONFIDENTIAL, OAUTH_INVALID_REQUEST},

        {"Core §5.5: claims", "claims=%7B%22id_token%22%3A%7B%22email%22%3Anull%7D%7D", CONFIDENTIAL, OAUTH_OK},
        {"Core §5.5: with line breaks in it", "claims=%7B%0A%7D", CONFIDENTIAL, OAUTH_OK},
        {"Core §5.5: claims is a JSON object", "claims=%5B%5D", CONFIDENTIAL, OAUTH_INVALID_REQUEST},
        {"Core §5.5: claims is JSON", "claims=%7B", CONFIDENTIAL, OAUTH_INVALID_REQUEST},
        {"Core §5.5: of its form", "claims=%7B%22id_token%22%3A1%7D", CONFIDENTIAL, OAUTH_INVALID_REQUEST},
        {"Core §5.5: only of an OpenID request", "scope=api:read&claims=%7B", CONFIDENTIAL, OAUTH_OK},

        {"RFC 7636 §4.3: S256", S256, CONFIDENTIAL, OAUTH_OK},
        {"RFC 7636 §4.4.1: required of a public client", "", PUBLIC, OAUTH_INVALID_REQUEST},
        {"RFC 9700 §2.1.1: a public client with it", S256, PUBLIC, OAUTH_OK},
        {"RFC 7636 §4.3: plain is the default, and not allowed", "code_challenge=" CHALLENGE, CONFIDENTIAL,
         OAUTH_INVALID_REQUEST},
        {"plain is not allowed", "code_challenge=" CHALLENGE "&code_challenge_method=plain", PUBLIC, OAUTH_INVALID_REQUEST},
        {"unless by setting", "code_challenge=" CHALLENGE "&code_challenge_method=plain", PUBLIC | ALLOW_PLAIN, OAUTH_OK},
        {"and then by default too", "code_challenge=" CHALLENGE, PUBLIC | ALLOW_PLAIN, OAUTH_OK},
        {"the setting does not do without", "", PUBLIC | ALLOW_PLAIN, OAUTH_INVALID_REQUEST},
        {"RFC 7636 §4.4.1: transform algorithm not supported", "code_challenge=" CHALLENGE "&code_challenge_method=S512",
         CONFIDENTIAL, OAUTH_INVALID_REQUEST},
        {"RFC 7636 §4.3: method names are case-sensitive", "code_challenge=" CHALLENGE "&code_challenge_method=s256",
         ALLOW_PLAIN, OAUTH_INVALID_REQUEST},
        {"a method without a challenge", "code_challenge_method=S256", CONFIDENTIAL, OAUTH_INVALID_REQUEST},
        {"RFC 7636 §4.2: a challenge too short", "code_challenge=abc&code_challenge_method=S256", CONFIDENTIAL,
         OAUTH_INVALID_REQUEST},
        {"RFC 7636 §4.2: of other characters", "code_challenge=" CHALLENGE "%2B&code_challenge_method=S256", CONFIDENTIAL,
         OAUTH_INVALID_REQUEST},
        {"code_challenge twice", S256 "&!code_challenge=" CHALLENGE, CONFIDENTIAL, OAUTH_INVALID_REQUEST},

        {"Core §3.1.2.6: request", "request=a.b.c", CONFIDENTIAL, OAUTH_REQUEST_NOT_SUPPORTED},
        {"Core §3.1.2.6: request_uri", "request_uri=https%3A%2F%2Frp.example%2Fr", CONFIDENTIAL,
         OAUTH_REQUEST_URI_NOT_SUPPORTED},
        {"Core §3.1.2.6: registration", "registration=%7B%7D", CONFIDENTIAL, OAUTH_REGISTRATION_NOT_SUPPORTED},
        {"whatever else is wrong", "request=a.b.c&-response_type&-scope", CONFIDENTIAL, OAUTH_REQUEST_NOT_SUPPORTED},
        {"however often", "request=&!request=a", CONFIDENTIAL, OAUTH_REQUEST_NOT_SUPPORTED},
        {"RFC 6749 §3.1: without a value they are left out", "request=&request_uri=&registration=", CONFIDENTIAL, OAUTH_OK},

        {"RFC 8707 §2.1: the protected resource", "resource=https%3A%2F%2Fapi.example%2F", CONFIDENTIAL, OAUTH_OK},
        {"RFC 8707 §2: several", "resource=https%3A%2F%2Fapi.example%2F&!resource=urn%3Aexample%3Amail", CONFIDENTIAL, OAUTH_OK},
        {"RFC 8707 §2: unknown", "resource=https%3A%2F%2Fother.example%2F", CONFIDENTIAL, OAUTH_INVALID_TARGET},
        {"RFC 8707 §2: one of several", "resource=urn%3Aexample%3Amail&!resource=urn%3Ax", CONFIDENTIAL, OAUTH_INVALID_TARGET},
        {"RFC 8707 §2: malformed", "resource=api", CONFIDENTIAL, OAUTH_INVALID_TARGET},
        {"RFC 8707 §2: with a fragment", "resource=https%3A%2F%2Fapi.example%2F%23", CONFIDENTIAL, OAUTH_INVALID_TARGET},

        {"RFC 9126 §4: pushing is the only way for this client", "", MUST_PUSH, OAUTH_INVALID_REQUEST},
        {"RFC 9126 §4: or for all", "", ALL_MUST_PUSH, OAUTH_INVALID_REQUEST},
        {"RFC 9126 §4: this one was pushed", "", MUST_PUSH | PUSHED, OAUTH_OK},
        {"RFC 9126 §4: this one, too", "", ALL_MUST_PUSH | PUSHED, OAUTH_OK},
        {"RFC 9126 §4: who need not may", "", PUSHED, OAUTH_OK},
        {"RFC 9126 §2.1: request_uri must not be pushed", "request_uri=urn%3Aietf%3Aparams%3Aoauth%3Arequest_uri%3Ax", PUSHED,
         OAUTH_REQUEST_URI_NOT_SUPPORTED},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        void *ctx = mem_root("test");
        struct form form = form_of(ctx, rows[i].changes);
        struct authorize_request request;
        struct oauth_error error = {OAUTH_OK, NULL};
        enum op_err err = parse(ctx, &form, rows[i].client, &request, &error);
        row_equal(rows[i].rule, error.code, rows[i].error);
        row_equal(rows[i].rule, err, rows[i].error == OAUTH_OK ? OP_OK : OP_INVALID);
        row_equal(rows[i].rule, error.description != NULL, rows[i].error != OAUTH_OK);
        talloc_free(ctx);
    }
}

/* RFC 9126 §4, RFC 9101 §5 and §6.3. */
static void requests_by_reference(void **state)
{
    (void)state;
#define OURS "request_uri=urn%3Aietf%3Aparams%3Aoauth%3Arequest_uri%3Aabc"
    static const struct {
        const char *rule, *query;
        enum op_err result;
    } rows[] = {
        {"client_id and the request_uri that was given", "client_id=client&" OURS, OP_OK},
        {"other parameters are ignored", "client_id=client&" OURS "&scope=x&scope=y&state=%01&redirect_uri=http%3A%2F%2Fx", OP_OK},
        {"client_id is required", OURS, OP_INVALID},
        {"once", "client_id=client&client_id=client&" OURS, OP_INVALID},
        {"in visible characters", "client_id=%01&" OURS, OP_INVALID},
        {"request_uri, too, once", "client_id=client&" OURS "&" OURS, OP_INVALID},
        {"and not beside one of another kind", "client_id=client&request_uri=https%3A%2F%2Frp.example%2F&" OURS, OP_INVALID},
        {"in visible characters", "client_id=client&" OURS "%0A", OP_INVALID},
        {"not together with a request object", "client_id=client&request=a.b.c&" OURS, OP_INVALID},
        {"which without a value is none", "client_id=client&request=&" OURS, OP_OK},
        {"no request_uri", "client_id=client&scope=openid", OP_ABSENT},
        {"one of another kind", "client_id=client&request_uri=https%3A%2F%2Frp.example%2Fr", OP_ABSENT},
        {"one that only looks like ours", "client_id=client&request_uri=URN%3Aietf%3Aparams%3Aoauth%3Arequest_uri%3Aabc", OP_ABSENT},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        void *ctx = mem_root("test");
        struct form form;
        struct authorize_request request;
        struct oauth_error error = {OAUTH_OK, NULL};
        assert_int_equal(form_parse(ctx, bytes_of(rows[i].query), 64, &form), OP_OK);
        row_equal(rows[i].rule, authorize_request_reference(ctx, &form, &request, &error), rows[i].result);
        row_equal(rows[i].rule, error.code, rows[i].result == OP_INVALID ? OAUTH_INVALID_REQUEST : OAUTH_OK);
        if (rows[i].result == OP_OK) {
            row_string(rows[i].rule, request.client_id, "client");
            row_string(rows[i].rule, request.request_uri, AUTHORIZE_REQUEST_URI "abc");
        }
        talloc_free(ctx);
    }
}

static void the_text_of_a_request_parses_to_the_same(void **state)
{
    (void)state;
    static const char all[] = "!unknown=x&response_mode=fragment&nonce=n%C3%A4&display=page&prompt=login&max_age=7&ui_locales=de"
                              "&id_token_hint=a.b.c&login_hint=ann&acr_values=1&claims=%7B%0A%7D&" S256
                              "&resource=urn%3Aexample%3Amail&!resource=https%3A%2F%2Fapi.example%2F&!resource=urn%3Aexample%3Amail";
    void *ctx = mem_root("test");
    struct form form = form_of(ctx, all), again;
    struct authorize_request request, second;
    struct oauth_error error;
    assert_int_equal(parse(ctx, &form, CONFIDENTIAL, &request, &error), OP_OK);
    const char *text = authorize_request_text(ctx, &request);
    assert_null(strstr(text, "unknown"));
    assert_int_equal(form_parse(ctx, bytes_of(text), 64, &again), OP_OK);
    assert_int_equal(parse(ctx, &again, CONFIDENTIAL, &second, &error), OP_OK);
    assert_string_equal(authorize_request_text(ctx, &second), text);
    assert_string_equal(second.claims, "{\n}");
    assert_string_equal(second.nonce, "n\xc3\xa4");
    assert_int_equal(second.resources.count, 2);
    assert_int_equal(again.count, 19);
    talloc_free(ctx);
}

/* Each bound itself passes; one byte more is invalid_request. */
static void parameters_are_bounded(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        size_t max;
        bool fits_at_max; /* false: something else is wrong with such a long one */
    } rows[] = {
        {"state", 2048, true},      {"scope", 1024, true},         {"nonce", 512, true},  {"ui_locales", 256, true},
        {"id_token_hint", 8192, true}, {"login_hint", 256, true},  {"acr_values", 512, true}, {"claims", 8192, false},
        {"code_challenge", 128, true}, {"prompt", 64, false},      {"response_type", 64, false}, {"max_age", 10, true},
        {"response_mode", 32, false},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        for (size_t len = rows[i].max; len <= rows[i].max + 1; len++) {
            void *ctx = mem_root("test");
            char *value = mem_array(ctx, char, len + 1);
            memset(value, strcmp(rows[i].name, "max_age") == 0 ? '1' : 'a', len);
            if (strcmp(rows[i].name, "scope") == 0)
                memcpy(value, "openid ", 7);
            struct form form = form_of(ctx, mem_printf(ctx, "code_challenge_method=S256&code_challenge=" CHALLENGE "&%s=%s",
                                                       rows[i].name, value));
            struct authorize_request request;
            struct oauth_error error = {OAUTH_OK, NULL};
            enum op_err err = parse(ctx, &form, CONFIDENTIAL, &request, &error);
            if (len > rows[i].max) {
                row_equal(rows[i].name, error.code, OAUTH_INVALID_REQUEST);
                row_equal(rows[i].name, strstr(error.description, rows[i].name) == error.description, true);
            } else if (rows[i].fits_at_max) {
                row_equal(rows[i].name, err, OP_OK);
            }
            talloc_free(ctx);
        }
    }
}

static void parameters_become_typed(void **state)
{
    (void)state;
    void *ctx = mem_root("test");
    struct authorize_request r;
    struct oauth_error error;
    struct form form = form_of(ctx, "scope=what+openid+email+openid&prompt=login+consent&max_age=60&response_mode=form_post&"
                                    "nonce=n&login_hint=ada&claims=%7B%22userinfo%22%3A%7B%22name%22%3Anull%7D%7D&" S256);
    assert_int_equal(parse(ctx, &form, CONFIDENTIAL, &r, &error), OP_OK);
    assert_string_equal(scope_text(ctx, r.scopes.items, r.scopes.count), "openid email");
    assert_true(r.prompt_login && r.prompt_consent && !r.prompt_none && !r.prompt_select_account);
    assert_int_equal(r.max_age_seconds, 60);
    assert_int_equal(r.mode, RESPONSE_FORM_POST);
    assert_string_equal(r.nonce, "n");
    assert_string_equal(r.login_hint, "ada");
    assert_string_equal(r.code_challenge, CHALLENGE);
    assert_string_equal(r.redirect_uri, "https://rp.example/cb");
    assert_string_equal(json_text(ctx, r.claims_request), "{\"userinfo\":{\"name\":null}}");

    form = form_of(ctx, "prompt=none+none");
    assert_int_equal(parse(ctx, &form, CONFIDENTIAL, &r, &error), OP_OK);
    assert_true(r.prompt_none);
    assert_int_equal(r.max_age_seconds, -1);
    assert_int_equal(r.mode, RESPONSE_QUERY);
    assert_null(r.claims_request);

    form = form_of(ctx, "scope=api:read&claims=%7B%7D");
    assert_int_equal(parse(ctx, &form, CONFIDENTIAL, &r, &error), OP_OK);
    assert_null(r.claims_request);
    form = form_of(ctx, "scope=openid+offline_access");
    assert_int_equal(parse(ctx, &form, NO_REFRESH, &r, &error), OP_OK);
    assert_string_equal(scope_text(ctx, r.scopes.items, r.scopes.count), "openid");
    talloc_free(ctx);
}

/* RFC 6749 §4.1.2.1: state is in the error whenever it was in the request. */
static void an_error_goes_where_it_belongs(void **state)
{
    (void)state;
    static const struct {
        const char *rule, *changes, *state;
        enum response_mode mode;
    } rows[] = {
        {"state and mode beside another fault", "-response_type&response_mode=fragment", "s1", RESPONSE_FRAGMENT},
        {"a bad state does not lose the mode", "!state=s2&response_mode=form_post", NULL, RESPONSE_FORM_POST},
        {"a bad mode does not lose the state", "response_mode=pigeon", "s1", RESPONSE_QUERY},
        {"a mode twice neither", "response_mode=fragment&!response_mode=fragment", "s1", RESPONSE_QUERY},
        {"no state", "-state&-scope", NULL, RESPONSE_QUERY},
        {"an unsupported request object", "request=x&response_mode=fragment", "s1", RESPONSE_FRAGMENT},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        void *ctx = mem_root("test");
        struct authorize_request request;
        struct oauth_error error = {OAUTH_OK, NULL};
        struct form form = form_of(ctx, rows[i].changes);
        row_equal(rows[i].rule, parse(ctx, &form, CONFIDENTIAL, &request, &error), OP_INVALID);
        row_string(rows[i].rule, request.state, rows[i].state);
        row_equal(rows[i].rule, request.mode, rows[i].mode);
        row_string(rows[i].rule, request.redirect_uri, "https://rp.example/cb");
        talloc_free(ctx);
    }
}

static void responses_are_written(void **state)
{
    (void)state;
    static const struct oauth_error denied = {OAUTH_ACCESS_DENIED, "the user said no"}, bare = {OAUTH_SERVER_ERROR, NULL};
    static const struct {
        const char *rule, *redirect_uri, *state;
        enum response_mode mode;
        const char *code;
        const struct oauth_error *error;
        const char *url;
    } rows[] = {
        {"RFC 6749 §4.1.2, RFC 9207 §2", "https://rp.example/cb", "s 1&", RESPONSE_QUERY, "abc", NULL,
         "https://rp.example/cb?code=abc&state=s%201%26&iss=https%3A%2F%2Fop.example"},
        {"RFC 6749 §3.1.2: the query of the redirect URI stays", "https://rp.example/cb?a=b", "s", RESPONSE_QUERY, "abc", NULL,
         "https://rp.example/cb?a=b&code=abc&state=s&iss=https%3A%2F%2Fop.example"},
        {"RFC 6749 §4.1.2: no state where there was none", "https://rp.example/cb", NULL, RESPONSE_QUERY, "abc", NULL,
         "https://rp.example/cb?code=abc&iss=https%3A%2F%2Fop.example"},
        {"Multiple Response Types §2.1: fragment", "https://rp.example/cb?a=b", "s", RESPONSE_FRAGMENT, "abc", NULL,
         "https://rp.example/cb?a=b#code=abc&state=s&iss=https%3A%2F%2Fop.example"},
        {"RFC 6749 §4.1.2.1, RFC 9207 §2: errors too", "https://rp.example/cb", "s", RESPONSE_QUERY, NULL, &denied,
         "https://rp.example/cb?error=access_denied&error_description=the%20user%20said%20no&state=s&"
         "iss=https%3A%2F%2Fop.example"},
        {"an error without a description", "https://rp.example/cb", NULL, RESPONSE_FRAGMENT, NULL, &bare,
         "https://rp.example/cb#error=server_error&iss=https%3A%2F%2Fop.example"},
        {"RFC 8252 §7.1: a private-use scheme", "com.example.app:/cb", "s", RESPONSE_QUERY, "abc", NULL,
         "com.example.app:/cb?code=abc&state=s&iss=https%3A%2F%2Fop.example"},
    };
    void *ctx = mem_root("test");
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct authorize_request request = {
            .redirect_uri = rows[i].redirect_uri, .state = rows[i].state, .mode = rows[i].mode};
        row_string(rows[i].rule, authorize_response_url(ctx, &request, ISSUER, rows[i].code, rows[i].error), rows[i].url);
    }
    struct authorize_request request = {.redirect_uri = "https://rp.example/cb", .state = "s", .mode = RESPONSE_FORM_POST};
    struct form fields = authorize_response_fields(ctx, &request, ISSUER, "abc", NULL);
    assert_int_equal(fields.count, 3);
    assert_string_equal(form_get(&fields, "code"), "abc");
    assert_string_equal(form_get(&fields, "state"), "s");
    assert_string_equal(form_get(&fields, "iss"), ISSUER);
    talloc_free(ctx);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(who_asks_and_where_to_answer),
        cmocka_unit_test(native_clients_choose_their_port),
        cmocka_unit_test(requests_are_accepted_or_refused),
        cmocka_unit_test(requests_by_reference),
        cmocka_unit_test(the_text_of_a_request_parses_to_the_same),
        cmocka_unit_test(parameters_are_bounded),
        cmocka_unit_test(parameters_become_typed),
        cmocka_unit_test(an_error_goes_where_it_belongs),
        cmocka_unit_test(responses_are_written),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
