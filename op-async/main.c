/* op-async: the only way out of the house, and what takes its time. Fetches the documents that other servers wish for;
 * delivers what they left in the outbox; lets devices ask for codes, and people type them. */
#include "device.h"
#include "device_authorization.h"
#include "device_qr.h"
#include "post.h"
#include "remote.h"
#include "runtime/client_request.h"
#include "runtime/server.h"
#include "store/remote.h"

enum { DAY = 86400, KIB = 1024, FORM_MAX = 4 * KIB, REQUEST_MAX = 16 * KIB, MAIL_PASSWORD_MAX = 1024 };

static const struct conf_item CONF[] = {
    {.name = "outside_allowed", .type = CONF_LIST, .def = "", .max = 100, .target = &remote_settings.allowed,
     .check = address_guard_check,
     .help = "What may be reached beside public addresses: addresses, networks such as 10.0.0.0/8, host names, and "
             ".domain for all names below a domain."},
    {.name = "outside_ca_file", .type = CONF_PATH, .def = "", .max = 512, .target = &remote_settings.ca_file,
     .help = "Certificate authorities (PEM) that are believed outside, instead of the system's."},
    {.name = "fetch_timeout", .type = CONF_DURATION, .def = "10s", .min = 1, .max = 30, .unit = "s",
     .target = &remote_settings.timeout, .help = "How long a fetch may take, from the start to the end of the answer."},
    {.name = "fetch_stall_timeout", .type = CONF_DURATION, .def = "3s", .min = 1, .max = 30, .unit = "s",
     .target = &remote_settings.stall, .help = "How long an answer may come at less than 128 bytes a second."},
    {.name = "document_size_max", .type = CONF_SIZE, .def = "64KiB", .min = 1, .max = 256 * KIB, .unit = "bytes",
     .target = &remote_settings.size_max, .help = "The largest document that is fetched."},
    {.name = "fetches_max", .type = CONF_NUMBER, .def = "32", .min = 1, .max = 1000, .unit = "fetches",
     .target = &remote_settings.fetches_max, .help = "Documents that are fetched at a time."},
    {.name = "host_fetches_max", .type = CONF_NUMBER, .def = "4", .min = 1, .max = 1000, .unit = "fetches",
     .target = &remote_settings.host_fetches_max, .help = "Documents that are fetched from one host at a time."},
    {.name = "freshness", .type = CONF_DURATION, .def = "10min", .min = 1, .max = DAY, .unit = "s",
     .target = &remote_settings.freshness.otherwise,
     .help = "How long a document is used without asking again when its answer does not say (Cache-Control)."},
    {.name = "freshness_min", .type = CONF_DURATION, .def = "1min", .min = 1, .max = DAY, .unit = "s",
     .target = &remote_settings.freshness.min, .help = "The least, whatever the answer says."},
    {.name = "freshness_max", .type = CONF_DURATION, .def = "1h", .min = 1, .max = 7 * DAY, .unit = "s",
     .target = &remote_settings.freshness.max, .help = "The most, whatever the answer says."},
    {.name = "failure_memory", .type = CONF_DURATION, .def = "1min", .min = 1, .max = REMOTE_FAILURE_MAX, .unit = "s",
     .target = &remote_settings.failure_memory, .help = "How long nobody asks again after a fetch that failed."},
    {.name = "stale_lifetime", .type = CONF_DURATION, .def = "1d", .min = 1, .max = 30 * DAY, .unit = "s",
     .target = &remote_settings.stale_lifetime,
     .help = "How long a document goes on being used while it cannot be fetched again, since it was fetched."},
    {.name = "device_interval", .type = CONF_DURATION, .def = "5s", .min = 1, .max = 60, .unit = "s",
     .target = &device_settings.interval, .help = "How long a device waits between two polls of the token endpoint."},
    {.name = "device_client_requests", .type = CONF_NUMBER, .def = "6000", .min = 1, .max = 1000000, .unit = "requests",
     .target = &device_settings.client_requests, .help = "Devices of one client that ask for a code at once."},
    {.name = "device_client_requests_window", .type = CONF_DURATION, .def = "10min", .min = 1, .max = DAY, .unit = "s",
     .target = &device_settings.client_requests_window, .help = "The time in which that many may ask again."},
    {.name = "device_address_requests", .type = CONF_NUMBER, .def = "120", .min = 1, .max = 1000000, .unit = "requests",
     .target = &device_settings.address_requests,
     .help = "Devices at one address (of IPv6: one /64) that ask for a code at once."},
    {.name = "device_address_requests_window", .type = CONF_DURATION, .def = "10min", .min = 1, .max = DAY, .unit = "s",
     .target = &device_settings.address_requests_window, .help = "The time in which that many may ask again."},
    {.name = "mail_starttls", .type = CONF_BOOL, .def = "yes", .target = &post_settings.starttls,
     .help = "Whether a mail server of smtp:// must offer STARTTLS; without it mail leaves unencrypted, which suits a "
             "server on the same machine."},
    {.name = "mail_user", .type = CONF_STRING, .def = "", .max = 256, .target = &post_settings.user,
     .help = "Who we are to the mail server; the password is the credential mail-password. Empty: it asks nobody."},
    {.name = "mail_ca_file", .type = CONF_PATH, .def = "", .max = 512, .target = &post_settings.ca_file,
     .help = "Certificate authorities (PEM) that are believed of the mail server, instead of the system's."},
    {.name = "mail_timeout", .type = CONF_DURATION, .def = "1min", .min = 1, .max = 600, .unit = "s",
     .target = &post_settings.timeout, .help = "How long the mail server may take over one message."},
    {.name = "mail_deliveries_max", .type = CONF_NUMBER, .def = "8", .min = 1, .max = 100, .unit = "messages",
     .target = &post_settings.deliveries_max, .help = "Messages that one process delivers at a time."},
    {.name = "outbox_tries", .type = CONF_NUMBER, .def = "14", .min = 1, .max = 100, .unit = "tries",
     .target = &post_settings.retry.tries, .help = "How often a message is tried before it becomes a dead letter."},
    {.name = "outbox_retry_first", .type = CONF_DURATION, .def = "30s", .min = 1, .max = DAY, .unit = "s",
     .target = &post_settings.retry.first,
     .help = "How long after the first try the second comes; each wait is twice the one before, give or take a quarter."},
    {.name = "outbox_retry_max", .type = CONF_DURATION, .def = "6h", .min = 1, .max = 7 * DAY, .unit = "s",
     .target = &post_settings.retry.max, .help = "The longest wait between two tries."},
    {.name = "dead_letter_lifetime", .type = CONF_DURATION, .def = "30d", .min = 1, .max = 365 * DAY, .unit = "s",
     .target = &post_settings.dead_letter_lifetime,
     .help = "How long a message that could not be delivered is kept, for opctl outbox."},
    {.name = "dead_letters_max", .type = CONF_NUMBER, .def = "1000", .min = 1, .max = 10000, .unit = "messages",
     .target = &post_settings.dead_letters_max, .help = "How many of them; of more the oldest are forgotten."},
    CLIENT_REQUEST_CONF,
};

static const struct kv_store STORES[] = {{KV_ASYNC, true}, {KV_REMOTE, true}, {KV_GUARD, true}, {KV_OUTBOX, true},
                                         {KV_CLIENTS, false}};

static const struct route ROUTES[] = {
    {HTTP_POST, "/device_authorization", device_authorization_handle, REQUEST_MAX, CALLER_CLIENT, CORS_CLIENT_ORIGINS,
     "Codes for a device (RFC 8628)."},
    {HTTP_GET | HTTP_POST, "/device", device_handle, FORM_MAX, CALLER_NOBODY, CORS_NONE,
     "The page on which a device's code is typed (RFC 8628)."},
    {HTTP_GET, "/device/qr", device_qr_handle, 0, CALLER_NOBODY, CORS_NONE, "verification_uri_complete as a picture."},
};

static const struct metric METRICS[] = {
    {"partita_device_requests_total", "Codes given to devices."},
    {"partita_user_codes_wrong_total", "Wrong codes that people typed."},
    {"partita_user_codes_throttled_total", "Codes refused unlooked at, after too many wrong ones."},
    {"partita_documents_fetched_total", "Documents fetched from outside."},
    {"partita_documents_failed_total", "Fetches that failed."},
    {"partita_mails_delivered_total", "Messages that the mail server took."},
    {"partita_mails_postponed_total", "Tries that failed and are made again later."},
    {"partita_mails_dead_total", "Messages given up: dead letters."},
    {"partita_mails_let_go_total", "Deliveries broken off because the process was told to end."},
    {"partita_outbox_messages", "Messages that wait in the outbox, up to 100000, whoever delivers them.", post_messages},
    {"partita_outbox_dead_letters", "Dead letters in the outbox.", post_dead_letters},
    {"partita_outbox_oldest_age_seconds", "How long ago the oldest message that waits was written; 0 when none waits.",
     post_oldest_age},
    CLIENT_REQUEST_METRICS,
};

static struct remote *remote;
static struct post *post;

static enum op_err start_post(struct server *server, const char **ret_why)
{
    const char *password = NULL;
    enum op_err err = OP_OK;
    if (*settings.mail_server != '\0' && *post_settings.user != '\0')
        err = server_password(server, "mail-password", MAIL_PASSWORD_MAX, &password, ret_why);
    return err != OP_OK ? err : post_start(server, server_base(), server_kv(), &device_process.site, password, &post,
                                           ret_why);
}

static enum op_err start(struct server *server, const char **ret_why)
{
    enum op_err err = client_request_start(server, ret_why);
    if (err == OP_OK)
        err = device_start(server, ret_why);
    if (err == OP_OK)
        err = remote_start(server, server_base(), server_kv(), &remote, ret_why);
    return err != OP_OK ? err : start_post(server, ret_why);
}

static void stop(struct server *server)
{
    (void)server;
    remote_stop(remote);
    post_stop(post);
}

int main(int argc, char **argv)
{
    static const struct server_description description = {
        .name = "op-async",
        .purpose = "What leaves the house (mail, and fetches of what clients publish elsewhere), and sign-in on devices.",
        SERVER_CONF(CONF),
        SERVER_STORES(STORES),
        SERVER_ROUTES(ROUTES),
        SERVER_METRICS(METRICS),
        .not_found = device_not_found,
        .check_conf = post_check_settings,
        .start = start,
        .stop = stop,
    };
    return server_run(&description, argc, argv);
}
