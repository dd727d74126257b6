#pragma once
/* A server's command line, and its --help. */
#include "runtime/server.h"

enum arguments_mode { ARGUMENTS_SERVE, ARGUMENTS_CHECK_CONFIG, ARGUMENTS_VERSION, ARGUMENTS_HELP };

struct arguments {
    enum arguments_mode mode;
    const char *config;
    char **overrides; /* of --set */
    size_t override_count;
    char **listen;    /* of --listen */
    size_t listen_count;
    char *admin;      /* of --admin; NULL: none */
};

/* OP_INVALID: *ret_why says what is wrong with the command line (owned by ctx). Strings are argv's. */
must_check enum op_err arguments_read(const void *ctx, int argc, char **argv, struct arguments *ret,
                                      const char **ret_why);

/* --help, made of the server's tables; docs/manual turns it into the manual page. Owned by ctx. */
char *arguments_help(const void *ctx, const struct server_description *description);
