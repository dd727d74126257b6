/* The table of routes: by itself, and with the origins of registered clients. */
#include "rows.h"

#include "base/clock.h"
#include "runtime/route.h"
#include "store/clients.h"
#include "store_home.h"

static const char *handled; /* the handler that ran last */
static int refused;         /* the status that not_found was asked for */
static char allow[64], vary[64], allow_origin[64];

static const char *field(const struct http_request *req, const char *name)
{
    const char *value = NULL;
    for (size_t i = 0; i < req->reply_field_count; i++)
        if (strcasecmp(req->reply_fields[i].name, name) == 0)
            value = value == NULL ? req->reply_fields[i].value : "(twice)";
    return value;
}

static void note_fields(const struct http_request *req)
{
    const char *value;
    snprintf(allow, sizeof allow, "%s", (value = field(req, "allow")) == NULL ? "" : value);
    snprintf(vary, sizeof vary, "%s", (value = field(req, "vary")) == NULL ? "" : value);
    value = field(req, "access-control-allow-origin");
    snprintf(allow_origin, sizeof allow_origin, "%s", value == NULL ? "" : value);
}

#define HANDLER(name)                              \
    static void name(struct http_request *req)     \
    {                                              \
        handled = #name;                           \
        note_fields(req);                          \
        http_reply(req, 200, NULL, bytes_of(NULL)); \
    }
HANDLER(show)
HANDLER(submit)
HANDLER(token)
HANDLER(asset)
HANDLER(metadata)
HANDLER(remove_it)

static void not_found(struct http_request *req, int status)
{
    refused = status;
    note_fields(req);
    http_reply(req, status, NULL, bytes_of(NULL));
}

static const struct route ROUTES[] = {
    {HTTP_GET, "/authorize", show, 0, CALLER_NOBODY, CORS_NONE},
    {HTTP_POST, "/authorize", submit, 1000, CALLER_NOBODY, CORS_NONE},
    {HTTP_POST, "/token", token, 2000, CALLER_CLIENT, CORS_CLIENT_ORIGINS},
    {HTTP_GET, "/assets/*", asset, 0, CALLER_NOBODY, CORS_NONE},
    {HTTP_GET, "/metadata", metadata, 0, CALLER_BEARER, CORS_ANYONE},
    {HTTP_DELETE | HTTP_PUT, "/thing", remove_it, 10, CALLER_BEARER, CORS_NONE},
    {HTTP_GET, "/users/{id}", show, 0, CALLER_BEARER, CORS_NONE},
    {HTTP_GET, "/users/{id}/things/{thing}", show, 0, CALLER_BEARER, CORS_NONE},
};

static void paths_and_methods_choose_the_row(void **state)
{
    (void)state;
    static const struct {
        const char *what;
        enum http_method method;
        const char *path;
        int status;
        int row; /* -1: none */
        const char *allow;
    } rows[] = {
        {"first row of a path", HTTP_GET, "/authorize", 0, 0, "GET, HEAD, POST, OPTIONS"},
        {"second row of a path", HTTP_POST, "/authorize", 0, 1, "GET, HEAD, POST, OPTIONS"},
        {"HEAD comes with GET", HTTP_HEAD, "/authorize", 0, 0, "GET, HEAD, POST, OPTIONS"},
        {"HEAD does not come with POST", HTTP_HEAD, "/token", 405, 2, "POST, OPTIONS"},
        {"a method in no row", HTTP_DELETE, "/authorize", 405, 0, "GET, HEAD, POST, OPTIONS"},
        {"a method nobody knows", HTTP_OTHER, "/token", 405, 2, "POST, OPTIONS"},
        {"GET where POST is", HTTP_GET, "/token", 405, 2, "POST, OPTIONS"},
        {"one of several methods", HTTP_PUT, "/thing", 0, 5, "PUT, DELETE, OPTIONS"},
        {"OPTIONS is answered by the table", HTTP_OPTIONS, "/token", 204, 2, "POST, OPTIONS"},
        {"OPTIONS *", HTTP_OPTIONS, "*", 204, -1, "OPTIONS"},
        {"GET *", HTTP_GET, "*", 404, -1, ""},
        {"no such path", HTTP_GET, "/nothing", 404, -1, ""},
        {"OPTIONS of no such path", HTTP_OPTIONS, "/nothing", 404, -1, ""},
        {"a path is exact", HTTP_GET, "/authorize/", 404, -1, ""},
        {"case counts", HTTP_GET, "/Authorize", 404, -1, ""},
        {"a prefix is not enough", HTTP_POST, "/tokens", 404, -1, ""},
        {"percent-encoding is another path", HTTP_POST, "/%74oken", 404, -1, ""},
        {"one segment for *", HTTP_GET, "/assets/style.css", 0, 3, "GET, HEAD, OPTIONS"},
        {"several segments for *", HTTP_GET, "/assets/a/b", 0, 3, "GET, HEAD, OPTIONS"},
        {"none for *", HTTP_GET, "/assets/", 404, -1, ""},
        {"none for *, no slash", HTTP_GET, "/assets", 404, -1, ""},
        {"a parameter", HTTP_GET, "/users/a%2Fb", 0, 6, "GET, HEAD, OPTIONS"},
        {"a parameter is not empty", HTTP_GET, "/users/", 404, -1, ""},
        {"a parameter is one segment", HTTP_GET, "/users/a/b", 404, -1, ""},
        {"nothing behind it", HTTP_GET, "/users/a/", 404, -1, ""},
        {"two parameters", HTTP_GET, "/users/a/things/b", 0, 7, "GET, HEAD, OPTIONS"},
        {"dots are a segment like others", HTTP_GET, "/users/../things/b", 0, 7, "GET, HEAD, OPTIONS"},
        {"what is between them counts", HTTP_GET, "/users/a/thing/b", 404, -1, ""},
    };
    void *ctx = mem_root("test");
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct route_plan plan = route_decide(ROUTES, COUNT(ROUTES), rows[i].method, rows[i].path);
        row_equal(rows[i].what, plan.status, rows[i].status);
        row_equal(rows[i].what, plan.route == NULL ? -1 : plan.route - ROUTES, rows[i].row);
        row_string(rows[i].what, route_methods_text(ctx, plan.allowed), rows[i].allow);
    }
    talloc_free(ctx);
}

static void parameters_are_decoded(void **state)
{
    (void)state;
    static const char PATTERN[] = "/users/{id}/things/{thing}";
    static const struct {
        const char *what, *path, *name, *value;
    } rows[] = {
        {"the first", "/users/a/things/b", "id", "a"},
        {"the second", "/users/a/things/b", "thing", "b"},
        {"another name", "/users/a/things/b", "ids", NULL},
        {"escapes", "/users/a%2Fb%20c/things/b", "id", "a/b c"},
        {"a plus is a plus", "/users/a+b/things/b", "id", "a+b"},
        {"dots are dots", "/users/../things/b", "id", ".."},
        {"a NUL", "/users/a%00b/things/b", "id", NULL},
        {"half an escape", "/users/a%2/things/b", "id", NULL},
        {"not UTF-8", "/users/%ff/things/b", "id", NULL},
    };
    void *ctx = mem_root("test");
    for (size_t i = 0; i < COUNT(rows); i++)
        row_string(rows[i].what, route_parameter(ctx, PATTERN, rows[i].path, rows[i].name), rows[i].value);
    talloc_free(ctx);
}

static void cors_is_decided_by_the_table(void **state)
{
    (void)state;
    static const struct {
        const char *what;
        enum route_cors cors;
        enum http_method method;
        const char *origin;
        bool known, asks;
        const char *allow;
        bool vary, preflight;
    } rows[] = {
        {"none: nothing, whoever asks", CORS_NONE, HTTP_GET, "https://rp.example", true, false, NULL, false, false},
        {"none: no preflight either", CORS_NONE, HTTP_OPTIONS, "https://rp.example", true, true, NULL, false, false},
        {"anyone", CORS_ANYONE, HTTP_GET, "https://rp.example", false, false, "*", false, false},
        {"anyone: opaque origins too", CORS_ANYONE, HTTP_GET, "null", false, false, "*", false, false},
        {"anyone: preflight", CORS_ANYONE, HTTP_OPTIONS, "https://rp.example", false, true, "*", false, true},
        {"anyone: the same for no browser, as caches keep it", CORS_ANYONE, HTTP_GET, NULL, false, false, "*", false,
         false},
        {"clients: known", CORS_CLIENT_ORIGINS, HTTP_POST, "https://rp.example", true, false, "https://rp.example",
         true, false},
        {"clients: unknown", CORS_CLIENT_ORIGINS, HTTP_POST, "https://evil.example", false, false, NULL, true, false},
        {"clients: null", CORS_CLIENT_ORIGINS, HTTP_POST, "null", false, false, NULL, true, false},
        {"clients: no origin, still Vary", CORS_CLIENT_ORIGINS, HTTP_POST, NULL, false, false, NULL, true, false},
        {"clients: preflight", CORS_CLIENT_ORIGINS, HTTP_OPTIONS, "https://rp.example", true, true,
         "https://rp.example", true, true},
        {"clients: preflight of a stranger", CORS_CLIENT_ORIGINS, HTTP_OPTIONS, "https://evil.example", false, true,
         NULL, true, false},
        {"clients: OPTIONS that is no preflight", CORS_CLIENT_ORIGINS, HTTP_OPTIONS, "https://rp.example", true, false,
         "https://rp.example", true, false},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct route_cors_plan plan =
            route_cors_decide(rows[i].cors, rows[i].method, rows[i].origin, rows[i].known, rows[i].asks);
        row_string(rows[i].what, plan.allow_origin, rows[i].allow);
        row_equal(rows[i].what, plan.vary, rows[i].vary);
        row_equal(rows[i].what, plan.preflight, rows[i].preflight);
    }
}

static void the_issuers_path_is_left_out(void **state)
{
    (void)state;
    static const struct {
        const char *prefix, *path, *want;
    } rows[] = {
        {"", "/token", "/token"},
        {"/tenant", "/tenant/token", "/token"},
        {"/tenant", "/token", "/token"},
        {"/tenant", "/tenant", "/tenant"},
        {"/tenant", "/tenants/token", "/tenants/token"},
        {"/tenant", "*", "*"},
    };
    for (size_t i = 0; i < COUNT(rows); i++)
        row_string(rows[i].path, route_path(rows[i].prefix, rows[i].path), rows[i].want);
}

/* --- the hooks, with a store of clients --- */

static struct store_home home;
static void *store_ctx;
static struct kv *store_kv;

static enum op_err add_client(struct kv_txn *txn, void *arg)
{
    Rec__Client *client = records_new(arg, &rec__client__descriptor);
    char *uris[] = {"https://rp.example/callback", "http://127.0.0.1:8090/cb"};
    client->client_id = mem_strdup(arg, "a client");
    client->redirect_uris = records_strings(arg, uris, 2);
    client->n_redirect_uris = 2;
    return clients_insert(txn, client);
}

static int open_store(void **state)
{
    (void)state;
    static const struct kv_store stores[] = {{KV_CLIENTS, true}};
    store_ctx = mem_root("store");
    store_home_make(&home, stores, 1, 1 << 20);
    store_kv = store_home_open(&home, store_ctx, stores, 1);
    return kv_run_wait(store_kv, KV_CLIENTS, add_client, store_ctx) == OP_OK ? 0 : -1;
}

static int close_store(void **state)
{
    (void)state;
    talloc_free(store_kv);
    store_home_remove(&home);
    talloc_free(store_ctx);
    return 0;
}

static struct http_request *make_request(enum http_method method, const char *path, const char *const *fields)
{
    struct http_request *req = mem_new(NULL, struct http_request);
    struct http_field *list = mem_array(req, struct http_field, 8);
    for (size_t i = 0; fields[i] != NULL; i += 2)
        list[req->field_count++] = (struct http_field){fields[i], fields[i + 1]};
    *req = (struct http_request){.method = method, .path = path, .fields = list, .field_count = req->field_count,
                                 .request_id = "test", .client_address = "", .started_us = clock_monotonic_us()};
    return req;
}

#define FIELDS(...) (const char *const[]){__VA_ARGS__, NULL}

static void requests_reach_their_handlers(void **state)
{
    (void)state;
    static const struct {
        const char *what;
        enum http_method method;
        const char *path, *handled;
        int refused;
        long limit;
        const char *allow;
    } rows[] = {
        {"GET", HTTP_GET, "/authorize", "show", 0, 0, ""},
        {"POST", HTTP_POST, "/authorize", "submit", 0, 1000, ""},
        {"below the issuer's path", HTTP_POST, "/op/authorize", "submit", 0, 1000, ""},
        {"404 for people", HTTP_GET, "/nothing", NULL, 404, -1, ""},
        {"405 for people", HTTP_PUT, "/authorize", NULL, 405, -1, "GET, HEAD, POST, OPTIONS"},
        {"405 for clients is JSON", HTTP_GET, "/token", NULL, 0, -1, ""},
        {"OPTIONS", HTTP_OPTIONS, "/authorize", NULL, 0, 0, ""},
    };
    struct route_table table = {ROUTES, COUNT(ROUTES), "/op", NULL, not_found};
    for (size_t i = 0; i < COUNT(rows); i++) {
        handled = NULL;
        refused = 0;
        allow[0] = '\0';
        struct http_request *req = make_request(rows[i].method, rows[i].path, (const char *const[]){NULL});
        long limit = route_head(req, &table);
        row_equal(rows[i].what, limit, rows[i].limit);
        if (limit >= 0)
            route_request(req, &table);
        row_string(rows[i].what, handled, rows[i].handled);
        row_equal(rows[i].what, refused, rows[i].refused);
        row_string(rows[i].what, allow, rows[i].allow);
    }
}

static void registered_origins_may_read_answers(void **state)
{
    (void)state;
    static const struct {
        const char *what, *origin, *allowed;
    } rows[] = {
        {"registered", "https://rp.example", "https://rp.example"},
        {"registered, with a port", "http://127.0.0.1:8090", "http://127.0.0.1:8090"},
        {"another port", "https://rp.example:8443", ""},
        {"another scheme", "http://rp.example", ""},
        {"a subdomain", "https://a.rp.example", ""},
        {"opaque", "null", ""},
        {"with a path", "https://rp.example/callback", ""},
        {"every origin", "*", ""},
        {"nothing", "", ""},
    };
    struct route_table table = {ROUTES, COUNT(ROUTES), "", store_kv, not_found};
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct http_request *req = make_request(HTTP_POST, "/token", FIELDS("origin", rows[i].origin));
        row_equal(rows[i].what, route_head(req, &table), 2000);
        assert_null(field(req, "access-control-allow-credentials"));
        route_request(req, &table);
        row_string(rows[i].what, allow_origin, rows[i].allowed);
        row_string(rows[i].what, vary, "Origin");
    }
    struct http_request *two =
        make_request(HTTP_POST, "/token", FIELDS("origin", "https://rp.example", "origin", "https://rp.example"));
    assert_int_equal(route_head(two, &table), 2000);
    route_request(two, &table);
    assert_string_equal(allow_origin, "");
}

static void a_preflight_names_no_client(void **state)
{
    (void)state;
    struct route_table table = {ROUTES, COUNT(ROUTES), "", store_kv, not_found};
    struct http_request *req = make_request(
        HTTP_OPTIONS, "/token", FIELDS("origin", "https://rp.example", "access-control-request-method", "POST"));
    assert_int_equal(route_head(req, &table), 0);
    assert_string_equal(field(req, "access-control-allow-origin"), "https://rp.example");
    assert_string_equal(field(req, "access-control-allow-methods"), "POST, OPTIONS");
    assert_string_equal(field(req, "access-control-allow-headers"), "Authorization, Content-Type");
    assert_string_equal(field(req, "vary"), "Origin");
    assert_null(field(req, "access-control-allow-credentials"));
    route_request(req, &table);
    req = make_request(HTTP_OPTIONS, "/token",
                       FIELDS("origin", "https://evil.example", "access-control-request-method", "POST"));
    assert_int_equal(route_head(req, &table), 0);
    assert_null(field(req, "access-control-allow-origin"));
    assert_null(field(req, "access-control-allow-methods"));
    route_request(req, &table);
}

static void metrics_see_the_table_and_not_the_input(void **state)
{
    (void)state;
    struct route_table table = {ROUTES, COUNT(ROUTES), "", NULL, not_found};
    struct http_request *req = make_request(HTTP_GET, "/assets/anything/at/all", (const char *const[]){NULL});
    assert_string_equal(route_label(req), "other");
    assert_int_equal(route_head(req, &table), 0);
    assert_string_equal(route_label(req), "/assets/*");
    route_request(req, &table);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(paths_and_methods_choose_the_row),
        cmocka_unit_test(parameters_are_decoded),
        cmocka_unit_test(cors_is_decided_by_the_table),
        cmocka_unit_test(the_issuers_path_is_left_out),
        cmocka_unit_test(requests_reach_their_handlers),
        cmocka_unit_test(registered_origins_may_read_answers),
        cmocka_unit_test(a_preflight_names_no_client),
        cmocka_unit_test(metrics_see_the_table_and_not_the_input),
    };
    return cmocka_run_group_tests(tests, open_store, close_store);
}
