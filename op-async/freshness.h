#pragma once
/* For how long a fetched document is used without asking again (RFC 9111 §4.2, §5.2.2). Pure. */
#include <stdint.h>

struct freshness_bounds {
    int64_t otherwise; /* seconds, where the answer does not say; as all here */
    int64_t min, max;  /* whatever the answer says */
};

/* cache_control: the field's values, joined by commas; NULL: none. age: the Age field or NULL. max-age less the age
 * counts; no-store and no-cache ask for the least; the first max-age of several; what is malformed is not there. */
int64_t freshness_seconds(const char *cache_control, const char *age, const struct freshness_bounds *bounds);
