#pragma once
/* The settings of op-discovery: read-only after start. */
#include "data/jose.h"
#include "rotation.h"
#include "runtime/conf.h"

enum { DISCOVERY_ALGS_MAX = 8 };

struct discovery {
    struct conf_list signing_algs;
    int64_t rotation_interval, publication_lead, key_retention, cache_max_age, shared_cache_max_age; /* seconds */
    enum jose_alg algs[DISCOVERY_ALGS_MAX]; /* signing_algs, parsed by discovery_check */
    struct rotation_rules rules;            /* of these and of [all], by discovery_check */
};
extern struct discovery discovery;

/* For the CONF table: NULL, or what is wrong with the list of algorithms. */
const char *discovery_check_algs(const char *text);

/* For server_description.check_conf: settings that must fit each other. Fills algs and rules. */
const char *discovery_check(void);
