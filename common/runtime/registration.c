#include "runtime/registration.h"

struct registration_settings registration_settings;

const char *const REGISTRATION_MODES[] = {"open", "token", "closed", NULL};

static const struct conf_item ITEMS[] = {REGISTRATION_CONF};

const struct conf_section REGISTRATION_SECTION = {"op-management", ITEMS, sizeof ITEMS / sizeof *ITEMS, true};
