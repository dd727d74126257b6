#pragma once
/* What every server measures of itself, whichever it is: the process, its sockets, its requests, its environments. */
#include "runtime/admin.h"
#include "runtime/metrics.h"

enum { MEASURES_COUNT = 31 };
extern const struct metric MEASURES[MEASURES_COUNT];

/* Keeps admin, which lives as long as the process serves, and declares them. */
void measures_setup(const struct admin *admin);
/* Looks at the environments and the sockets, for the next metrics_text. */
void measures_take(void);
