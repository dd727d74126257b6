#pragma once
/* What opctl's commands leave in the audit trail (runtime/audit.h), opctl.jsonl: a line for each that changes something,
 * with who ran it, whatever came of it. What was typed as a person's name stays out: the account's id stands there. */
#include "app.h"
#include "runtime/audit.h"

/* True for a line that is to change something: by its stores, or as the command's table says. */
bool audit_is_change(const struct cli_line *line);
/* Before the command is run, once all is open that it needs: opens the trail, too. Returns APP_OK, or an exit status after having
 * said why the command is not run. A full disk prevents no command, and nothing keeps a server from being rolled back. */
int audit_begin(struct app *app);
/* After it has ended with status. */
void audit_end(struct app *app, int status);

extern const struct cli_command AUDIT_COMMANDS[];
