#include "auth.h"

struct auth auth = {.site = {.base = ""}};
