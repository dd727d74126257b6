#pragma once
/* Configuration: one INI file, a table of settings per section. Read once at start; every bad line
 * is reported with file and number before anything opens. Lines are NAME = VALUE; those that start
 * with # or ; are comments; nothing continues on the next line. */
#include "base/err.h"
#include "base/mem.h"

enum conf_type {
    CONF_STRING,   /* const char *; bounds are lengths in bytes */
    CONF_PATH,     /* const char *, absolute; empty only when min is 0 */
    CONF_NUMBER,   /* int64_t */
    CONF_DURATION, /* int64_t seconds; written 60s, 10min, 12h, 30d, 1y; milliseconds where unit is "ms": 500ms, 2s */
    CONF_SIZE,     /* int64_t bytes; written 64KiB, 16MiB, 1GiB or a plain number */
    CONF_BOOL,     /* bool: yes, no, true, false */
    CONF_LIST,     /* struct conf_list: words separated by white space or commas; bounds are its count, max 0 for 100 */
    CONF_ENUM,     /* int: index into values */
    CONF_WORD,     /* const char *: one of values */
};

struct conf_list {
    char **items;
    size_t count;
};

struct conf_item {
    const char *name;
    enum conf_type type;
    const char *def;     /* as it would be written; NULL: required */
    int64_t min, max;
    const char *unit;    /* "s", "ms", "bytes", "requests", ... for the documentation; NULL none */
    void *target;        /* where the value goes, by type */
    const char *help;    /* one sentence, for --help and the manual */
    const char *const *values; /* CONF_ENUM, CONF_WORD: the names, NULL-terminated */
    const char *(*check)(const char *text); /* NULL, or returns what is wrong (static text), NULL when fine */
};

struct conf_section {
    const char *name; /* "all", "op-token" */
    const struct conf_item *items;
    size_t count;
    /* Another program's section, of which only these settings concern the reader: the others are that program's
     * to judge, and --set must name the section. */
    bool foreign;
};

struct conf_source {
    const char *path;
    char *const *overrides; /* "NAME=VALUE" or "SECTION.NAME=VALUE", applied last; reported as "--set NAME" */
    size_t override_count;
    bool unknown_is_error;  /* what is not known is a problem (--check-config), else a warning: a setting of ours, */
    const char *const *programs; /* and a section of none of these, NULL-terminated; NULL: any name may be one */
};

/* Reads the file into the targets of the given sections; settings not in the file get their
 * defaults. Strings and lists are owned by ctx. Other sections are skipped. Every problem is a line
 * "FILE:LINE: what" in *ret_problems, every warning one in *ret_warnings (owned by ctx, "" when there
 * are none; both are always set). OP_INVALID: there are problems; OP_ABSENT: the file cannot be read. Blocks. */
must_check enum op_err conf_read(const void *ctx, const struct conf_source *source, const struct conf_section *sections,
                                 size_t section_count, char **ret_problems, char **ret_warnings);

/* Writes the tables as text for --help: name, default, bounds, unit, help. Owned by ctx. */
char *conf_describe(const void *ctx, const struct conf_section *sections, size_t section_count);
