/* opctl: the operator's command. It makes the environments and reads and changes what is in them, one verb at a
 * time; each verb's table says which environments it opens, and which of them for writing. */
#include "app.h"
#include "audit.h"
#include "backup.h"
#include "check.h"
#include "client.h"
#include "consent.h"
#include "credential.h"
#include "deploy.h"
#include "family.h"
#include "import.h"
#include "init.h"
#include "key.h"
#include "manual.h"
#include "metrics.h"
#include "migrate.h"
#include "outbox.h"
#include "registration_token.h"
#include "restore.h"
#include "revoke_all.h"
#include "session.h"
#include "status.h"
#include "sweep.h"
#include "user.h"

static const struct cli_option COMMON_OPTIONS[] = {
    {"config", "FILE", false, "the configuration (default /etc/partita/partita.conf)", NULL},
    {"set", "NAME=VALUE", true, "a setting of [all] instead of the one in the configuration", NULL},
    {"json", NULL, false, "print JSON", NULL},
    {"help", NULL, false, "say what a command does and stop", NULL},
    {"version", NULL, false, "print the version and stop", NULL},
};

static const struct cli_command *const TABLES[] = {
    INIT_COMMANDS,
    CREDENTIAL_COMMANDS,
    USER_COMMANDS,
    IMPORT_COMMANDS,
    CLIENT_COMMANDS,
    REGISTRATION_TOKEN_COMMANDS,
    KEY_COMMANDS,
    SESSION_COMMANDS,
    FAMILY_COMMANDS,
    CONSENT_COMMANDS,
    REVOKE_ALL_COMMANDS,
    OUTBOX_COMMANDS,
    SWEEP_COMMANDS,
    CHECK_COMMANDS,
    MIGRATE_COMMANDS,
    BACKUP_COMMANDS,
    RESTORE_COMMANDS,
    DEPLOY_COMMANDS,
    STATUS_COMMANDS,
    METRICS_COMMANDS,
    AUDIT_COMMANDS,
    MANUAL_COMMANDS,
    NULL,
};

static const struct cli OPCTL = {
    .name = "opctl",
    .purpose = "Makes Partita's environments, and reads and changes what is in them.",
    .options = COMMON_OPTIONS,
    .option_count = sizeof COMMON_OPTIONS / sizeof *COMMON_OPTIONS,
    .tables = TABLES,
};

int main(int argc, char **argv)
{
    return app_run(&OPCTL, argc, argv);
}
