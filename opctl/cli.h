#pragma once
/* The command line: tables of commands and their options, read into a line, explained, completed.
 * Knows nothing of what commands do. Nothing blocks. */
#include "base/buf.h"
#include "base/err.h"
#include "store/kv.h"

struct app;

struct cli_option {
    const char *name;           /* without the dashes */
    const char *value;          /* what stands for its value in help, "URI"; NULL: a flag */
    bool repeated;              /* may come more than once */
    const char *help;           /* part of a sentence, for --help and the manual */
    const char *const *choices; /* the only values, NULL-terminated; NULL: any */
};

struct cli_command {
    const char *noun;
    const char *verb;      /* NULL when the noun is the whole command */
    const char *arguments; /* as written in help: "NAME", "[SID...]"; "" for none */
    size_t min_arguments, max_arguments;
    const struct cli_option *options;
    size_t option_count;
    const struct kv_store *stores; /* what it opens; none: no configuration is read */
    size_t store_count;
    bool needs_settings;   /* reads the configuration though it opens nothing */
    bool opens_older;      /* works too in environments that this version is too new for */
    const char *changes;   /* for the audit trail: NULL: something, when it writes a store; "": something; else an option
                              with which it does. Nothing with --dry-run or --verify */
    const char *help;      /* one sentence */
    int (*run)(struct app *app); /* returns the exit status */
};

struct cli {
    const char *name;
    const char *purpose; /* one sentence */
    const struct cli_option *options; /* those of every command */
    size_t option_count;
    const struct cli_command *const *tables; /* NULL-terminated, each ended by a command without a noun */
};

struct cli_setting {
    const char *name;
    const char *value; /* NULL for a flag */
};

/* One line as typed. */
struct cli_line {
    const struct cli_command *command; /* NULL when only --help or --version of the whole was asked for */
    const char *noun;                  /* set too when only the noun was given, with --help */
    const char **arguments;
    size_t argument_count;
    struct cli_setting *settings;
    size_t setting_count;
};

/* Reads argv[1..]. Options may stand anywhere, as --name value or --name=value; "--" ends them. With
 * --help or --version nothing else is asked of the line. Strings point into argv, the rest is owned by ctx.
 * OP_INVALID: *ret_why is one line that says what is wrong and where to look, owned by ctx. */
must_check enum op_err cli_parse(const void *ctx, const struct cli *cli, int argc, char **argv, struct cli_line *ret,
                                 const char **ret_why);

bool cli_has(const struct cli_line *line, const char *name);
/* The value given, or NULL. */
const char *cli_value(const struct cli_line *line, const char *name);
/* All values of a repeated option, in order; owned by ctx. */
char **cli_values(const void *ctx, const struct cli_line *line, const char *name, size_t *ret_count);
/* yes or no; otherwise when the option was not given. For options whose choices are CLI_YES_NO. */
bool cli_yes(const struct cli_line *line, const char *name, bool otherwise);
extern const char *const CLI_YES_NO[];

/* For command tables. */
#define CLI_OPTIONS(table) .options = (table), .option_count = sizeof(table) / sizeof *(table)
#define CLI_STORES(table) .stores = (table), .store_count = sizeof(table) / sizeof *(table)
#define CLI_ARGUMENTS(text, min, max) .arguments = (text), .min_arguments = (min), .max_arguments = (max)
