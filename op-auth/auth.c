#include "auth.h"

struct auth auth = {.base = ""};
