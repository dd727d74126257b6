#include "manual.h"

#include <stdio.h>
#include <string.h>

#include "app.h"
#include "cli_help.h"

static const char HEAD[] =
    ".TH OPCTL 1 \"\" \"Partita " PARTITA_VERSION "\" \"Partita\"\n"
    ".SH NAME\nopctl \\- the operator's command of the OpenID Provider Partita\n"
    ".SH SYNOPSIS\n.B opctl\n[\\fB\\-\\-config\\fR \\fIFILE\\fR] \\fICOMMAND\\fR "
    "[\\fIARGUMENT\\fR...] [\\fIOPTION\\fR...]\n"
    ".SH DESCRIPTION\n"
    "opctl reads and changes what the servers of Partita share: users, clients, signing keys, sessions, tokens and "
    "consents. It works on the environments themselves, opens for writing only those that a command changes, and needs "
    "no server to run. What it changes holds from the servers' next request on.\n.PP\n"
    "Run it as root, or as the user opctl, who is in every group of sysusers.d; init and restore need root.\n.PP\n"
    "Passwords are typed twice at the terminal, or are the first line of standard input; never an argument. "
    "Secrets are shown once, when they are made: only hashes are stored.\n";

static const char TAIL[] =
    ".SH EXIT STATUS\n.TP\n.B 0\ndone\n.TP\n.B 1\nit failed: one line on standard error says why and what to do\n"
    ".TP\n.B 64\nthe command line is wrong\n.TP\n.B 66\nthe configuration file cannot be read\n"
    ".TP\n.B 78\nthe configuration is wrong: every bad line is named\n"
    ".SH FILES\n.TP\n.I /etc/partita/partita.conf\nthe configuration; opctl reads its section [all]\n"
    ".SH EXAMPLES\n.nf\n"
    "opctl user add alice \\-\\-email alice@example.org \\-\\-claim 'groups=[\"admins\"]'\n"
    "opctl client add \\-\\-name Wiki \\-\\-redirect\\-uri https://wiki.example.org/callback\n"
    "opctl user list \\-\\-json | jq \\-r '.[].username'\n"
    ".fi\n.SH SEE ALSO\n.BR op\\-discovery (8),\n.BR op\\-auth (8),\n.BR op\\-token (8),\n.BR op\\-userinfo (8),\n.BR op\\-management (8),\n.BR op\\-async (8)\n";

/* Text of a paragraph: hyphens are minus signs, backslashes doubled, no line begins with a control character. */
static void put_text(const char *text)
{
    if (*text == '.' || *text == '\'')
        fputs("\\&", stdout);
    for (; *text != '\0'; text++) {
        if (*text == '-')
            fputs("\\-", stdout);
        else if (*text == '\\')
            fputs("\\e", stdout);
        else
            putchar(*text);
    }
}

static void put_option(const struct cli_option *option)
{
    fputs(".TP\n\\fB\\-\\-", stdout);
    put_text(option->name);
    fputs("\\fR", stdout);
    if (option->value != NULL) {
        fputs(" \\fI", stdout);
        put_text(option->value);
        fputs("\\fR", stdout);
    }
    putchar('\n');
    put_text(option->help);
    for (size_t i = 0; option->choices != NULL && option->choices[i] != NULL; i++) {
        fputs(i == 0 ? ": " : ", ", stdout);
        put_text(option->choices[i]);
    }
    puts(option->repeated ? "; may be repeated" : "");
}

static void put_command(const struct cli_command *command)
{
    printf(".SS opctl %s", command->noun);
    if (command->verb != NULL)
        printf(" %s", command->verb);
    printf("%s%s\n", command->arguments[0] == '\0' ? "" : " ", command->arguments);
    put_text(command->help);
    putchar('\n');
    for (size_t i = 0; i < command->option_count; i++)
        put_option(&command->options[i]);
}

static int run_manual(struct app *app)
{
    fputs(HEAD, stdout);
    puts(".SH OPTIONS OF EVERY COMMAND");
    for (size_t i = 0; i < app->cli->option_count; i++)
        put_option(&app->cli->options[i]);
    puts(".SH COMMANDS");
    for (size_t t = 0; app->cli->tables[t] != NULL; t++)
        for (const struct cli_command *c = app->cli->tables[t]; c->noun != NULL; c++)
            put_command(c);
    fputs(TAIL, stdout);
    return APP_OK;
}

static int run_completion(struct app *app)
{
    fputs(cli_complete(app->ctx, app->cli, app->line.arguments, app->line.argument_count), stdout);
    return APP_OK;
}

const struct cli_command MANUAL_COMMANDS[] = {
    {"completion", NULL, CLI_ARGUMENTS("[-- WORD...]", 0, 1024), .run = run_completion,
     .help = "Print what the last word may become; for the shell's completion."},
    {"manual", NULL, CLI_ARGUMENTS("", 0, 0), .run = run_manual, .help = "Print this manual, for man."},
    {0},
};
