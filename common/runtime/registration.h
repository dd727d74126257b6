#pragma once
/* Who may register clients: op-management's setting, which op-discovery reads too, because the metadata names the
 * endpoint only where it works. */
#include "runtime/conf.h"

enum registration_mode {
    REGISTRATION_OPEN,   /* anybody */
    REGISTRATION_TOKEN,  /* whoever has an initial access token */
    REGISTRATION_CLOSED, /* nobody; clients that are registered still manage themselves */
};

struct registration_settings {
    int mode; /* enum registration_mode */
};
extern struct registration_settings registration_settings;
extern const char *const REGISTRATION_MODES[];

/* The row of op-management's CONF table. */
#define REGISTRATION_CONF                                                                                              \
    {.name = "registration", .type = CONF_ENUM, .def = "token", .target = &registration_settings.mode,                 \
     .values = REGISTRATION_MODES,                                                                                     \
     .help = "Who may register clients at /register: anybody (open), whoever has an initial access token of opctl "    \
             "registration-token add (token), or nobody (closed)."}

/* For server_description.foreign_conf of the others. */
extern const struct conf_section REGISTRATION_SECTION;
