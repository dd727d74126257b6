/* op-auth: everything a person sees. The authorization endpoint, sign-in, consent, sign-out and the account. */
#include "account.h"
#include "account_actions.h"
#include "auth.h"
#include "authorize.h"
#include "browser.h"
#include "consent.h"
#include "device_approve.h"
#include "front.h"
#include "logout.h"
#include "par.h"
#include "runtime/client_request.h"
#include "runtime/key_metrics.h"
#include "runtime/password_pool.h"
#include "runtime/server.h"
#include "sign_in.h"
#include "view.h"

enum { DAY = 86400, FORM_MAX = 32 * 1024, REQUEST_MAX = 16 * 1024 };

static const struct conf_item CONF[] = {
    {.name = "form_lifetime", .type = CONF_DURATION, .def = "30min", .min = 10, .max = DAY, .unit = "s",
     .target = &auth.settings.form_lifetime, .help = "How long a form may lie open before it is sent."},
    {.name = "password_threads", .type = CONF_NUMBER, .def = "2", .min = 1, .max = 64, .unit = "threads",
     .target = &auth.settings.password_threads, .help = "Threads, of idle priority, that compute password hashes."},
    {.name = "password_queue", .type = CONF_NUMBER, .def = "64", .min = 0, .max = 4096, .unit = "passwords",
     .target = &auth.settings.password_queue,
     .help = "Passwords that may wait for one of these threads; more are asked to come back later."},
    {.name = "account_guesses", .type = CONF_NUMBER, .def = "10", .min = 1, .max = 10000, .unit = "guesses",
     .target = &auth.settings.account_guesses, .help = "Wrong passwords for one account before it has to wait."},
    {.name = "account_guess_window", .type = CONF_DURATION, .def = "15min", .min = 1, .max = DAY, .unit = "s",
     .target = &auth.settings.account_guess_window, .help = "The time in which that many guesses are forgotten."},
    {.name = "address_guesses", .type = CONF_NUMBER, .def = "200", .min = 1, .max = 100000, .unit = "guesses",
     .target = &auth.settings.address_guesses,
     .help = "Wrong passwords from one address (of IPv6: one /64) before it has to wait."},
    {.name = "address_guess_window", .type = CONF_DURATION, .def = "15min", .min = 1, .max = DAY, .unit = "s",
     .target = &auth.settings.address_guess_window, .help = "The time in which that many are forgotten."},
    {.name = "pushed_request_lifetime", .type = CONF_DURATION, .def = "90s", .min = 1, .max = 600, .unit = "s",
     .target = &auth.settings.pushed_request_lifetime,
     .help = "How long after it was pushed an authorization request can be used."},
    {.name = "pushed_requests", .type = CONF_NUMBER, .def = "3000", .min = 1, .max = 1000000, .unit = "requests",
     .target = &auth.settings.pushed_requests, .help = "Requests that one client may push before it has to wait."},
    {.name = "address_pushed_requests", .type = CONF_NUMBER, .def = "6000", .min = 1, .max = 1000000,
     .unit = "requests", .target = &auth.settings.address_pushed_requests,
     .help = "The same for one address (of IPv6: one /64) and all clients there that authenticate."},
    {.name = "public_pushed_requests", .type = CONF_NUMBER, .def = "120", .min = 1, .max = 1000000, .unit = "requests",
     .target = &auth.settings.public_pushed_requests,
     .help = "The same for one address and all clients there that cannot authenticate."},
    {.name = "pushed_requests_window", .type = CONF_DURATION, .def = "1min", .min = 1, .max = DAY, .unit = "s",
     .target = &auth.settings.pushed_requests_window, .help = "The time in which that many are forgotten."},
    CLIENT_REQUEST_CONF,
};

static const struct kv_store STORES[] = {
    {KV_CODES, true}, {KV_SESSIONS, true}, {KV_USERS, true}, {KV_CREDENTIALS, true},
    {KV_ASYNC, true}, {KV_GUARD, true}, {KV_CLIENTS, false}, {KV_JWKS, false},
    {KV_REMOTE, false}, {KV_OUTBOX, true},
};

static const struct route ROUTES[] = {
    {HTTP_GET, "/", front_handle, 0, CALLER_NOBODY, CORS_NONE, "The front page."},
    {HTTP_GET, "/assets/*", front_handle_asset, 0, CALLER_NOBODY, CORS_NONE,
     "Style sheet, picture and script of the pages."},
    {HTTP_GET | HTTP_POST, "/authorize", authorize_handle, REQUEST_MAX, CALLER_NOBODY, CORS_NONE,
     "An authorization request (RFC 6749, RFC 7636, OpenID Connect Core 1.0)."},
    {HTTP_POST, "/as/par", par_handle, REQUEST_MAX, CALLER_CLIENT, CORS_CLIENT_ORIGINS,
     "Takes an authorization request beforehand (RFC 9126)."},
    {HTTP_GET, "/sign-in", front_to_account, 0, CALLER_NOBODY, CORS_NONE, "Leads to the account."},
    {HTTP_POST, "/sign-in", sign_in_handle, FORM_MAX, CALLER_NOBODY, CORS_NONE,
     "Name and password of the sign-in page."},
    {HTTP_GET, "/select-account", front_to_account, 0, CALLER_NOBODY, CORS_NONE, "Leads to the account."},
    {HTTP_POST, "/select-account", sign_in_handle_select, FORM_MAX, CALLER_NOBODY, CORS_NONE,
     "Which of the people signed in here goes on."},
    {HTTP_GET, "/consent", front_to_account, 0, CALLER_NOBODY, CORS_NONE, "Leads to the account."},
    {HTTP_POST, "/consent", consent_handle, FORM_MAX, CALLER_NOBODY, CORS_NONE,
     "The answer to what a client asks for."},
    {HTTP_GET | HTTP_POST, "/logout", logout_handle, FORM_MAX, CALLER_NOBODY, CORS_NONE,
     "Sign-out (OpenID Connect RP-Initiated Logout 1.0)."},
    {HTTP_GET | HTTP_POST, "/device/approve", device_approve_handle, FORM_MAX, CALLER_NOBODY, CORS_NONE,
     "Whether a device may be connected (RFC 8628)."},
    {HTTP_GET, "/account", account_handle, 0, CALLER_NOBODY, CORS_NONE,
     "Sessions, allowed clients and the password of who is signed in."},
    {HTTP_GET, "/account/*", front_to_account, 0, CALLER_NOBODY, CORS_NONE, "Leads to the account."},
    {HTTP_POST, "/account/password", account_change_password, FORM_MAX, CALLER_NOBODY, CORS_NONE,
     "Changes the password."},
    {HTTP_POST, "/account/end-session", account_end_session, FORM_MAX, CALLER_NOBODY, CORS_NONE, "Ends one session."},
    {HTTP_POST, "/account/withdraw", account_withdraw, FORM_MAX, CALLER_NOBODY, CORS_NONE,
     "Takes back what was allowed to a client."},
    {HTTP_POST, "/account/sign-out-everywhere", account_everywhere, FORM_MAX, CALLER_NOBODY, CORS_NONE,
     "Ends all sessions but this one."},
};

static bool password_queue_length(uint64_t *ret)
{
    *ret = password_pool_length(auth.passwords);
    return true;
}

static bool password_queue_limit(uint64_t *ret)
{
    *ret = password_pool_limit(auth.passwords);
    return true;
}

static const struct metric METRICS[] = {
    {"partita_sign_ins_total", "Sign-ins with the right password."},
    {"partita_sign_ins_failed_total", "Wrong passwords and unknown names."},
    {"partita_sign_ins_throttled_total", "Sign-ins refused unlooked at, after too many wrong ones."},
    {"partita_user_codes_throttled_total", "Codes of devices refused unlooked at, after too many wrong ones."},
    {"partita_notices_lost_total", "Messages to people that the outbox did not take."},
    {"partita_password_queue_length", "Passwords that are being hashed, or wait for it.", password_queue_length},
    {"partita_password_queue_limit", "How many may be; more are asked to come back later.", password_queue_limit},
    CLIENT_REQUEST_METRICS,
    KEY_METRICS,
};

static void start_passwords(struct server *server)
{
    const struct auth_settings *s = &auth.settings;
    auth.passwords = password_pool_new(server, server_base(), (unsigned)s->password_threads,
                                       (unsigned)s->password_queue, settings_password_cost());
    auth.account_limit = (struct guard_limit){
        .kind = "password/account",
        .limit = (unsigned)s->account_guesses,
        .window_seconds = (unsigned)s->account_guess_window,
    };
    auth.address_limit = (struct guard_limit){
        .kind = "password/address",
        .limit = (unsigned)s->address_guesses,
        .window_seconds = (unsigned)s->address_guess_window,
    };
}

static void set_push_limits(void)
{
    const struct auth_settings *s = &auth.settings;
    auth.push_client_limit = (struct guard_limit){
        .kind = "par/client",
        .limit = (unsigned)s->pushed_requests,
        .window_seconds = (unsigned)s->pushed_requests_window,
    };
    auth.push_address_limit = (struct guard_limit){
        .kind = "par/address",
        .limit = (unsigned)s->address_pushed_requests,
        .window_seconds = (unsigned)s->pushed_requests_window,
    };
    auth.push_public_limit = (struct guard_limit){
        .kind = "par/public",
        .limit = (unsigned)s->public_pushed_requests,
        .window_seconds = (unsigned)s->pushed_requests_window,
    };
}

static enum op_err start(struct server *server, const char **ret_why)
{
    const uint8_t *form_key = NULL;
    enum op_err err = server_credential(server, "form-key", DIGEST_KEY_LEN, &form_key, ret_why);
    if (err == OP_OK)
        err = client_request_start(server, ret_why);
    if (err == OP_OK)
        err = site_load(server, &auth.site, ret_why);
    if (err == OP_OK)
        err = scope_catalogue_make(server, settings.custom_scopes.items, settings.custom_scopes.count, &auth.catalogue,
                                   ret_why);
    if (err != OP_OK)
        return err;
    if (browser_setup(server, settings.issuer) != OP_OK) {
        *ret_why = "issuer: http is for loopback addresses only";
        return OP_INVALID;
    }
    auth.form_key = form_key;
    auth.keyring = keyring_new(server, server_kv(), NULL);
    start_passwords(server);
    set_push_limits();
    return OP_OK;
}

/* What op-token signs, this server verifies: the hints of who is signed in. */
static const char *not_ready(struct server *server)
{
    (void)server;
    return keyring_not_ready(auth.keyring, (const enum jose_alg[]){JOSE_RS256}, 1);
}

static void stop(struct server *server)
{
    (void)server;
    TALLOC_FREE(auth.passwords);
}

int main(int argc, char **argv)
{
    static const struct server_description description = {
        .name = "op-auth",
        .purpose = "What people see of Partita: authorization, sign-in, consent, sign-out and the account.",
        SERVER_CONF(CONF),
        SERVER_STORES(STORES),
        SERVER_ROUTES(ROUTES),
        SERVER_METRICS(METRICS),
        .start = start,
        .stop = stop,
        .not_ready = not_ready,
        .not_found = view_not_found,
    };
    return server_run(&description, argc, argv);
}
