#include "discovery.h"

#include <string.h>

#include "runtime/settings.h"

struct discovery discovery;

static bool is_for_keys(enum jose_alg alg)
{
    return alg != JOSE_ALG_NONE && alg != JOSE_HS256;
}

const char *discovery_check_algs(const char *text)
{
    void *ctx = mem_root("discovery_check_algs");
    const char *wrong = NULL;
    char *rest = mem_strdup(ctx, text);
    for (char *word, *save = rest; (word = strtok_r(save, ", \t", &save)) != NULL;)
        if (!is_for_keys(jose_alg_from_name(word)))
            wrong = "the algorithms are RS256, PS256, ES256, ES384 and EdDSA";
    talloc_free(ctx);
    return wrong;
}

static bool keeps(const char *name)
{
    for (size_t i = 0; i < discovery.rules.alg_count; i++)
        if (discovery.algs[i] == jose_alg_from_name(name))
            return true;
    return false;
}

static int64_t longest(int64_t a, int64_t b)
{
    return a > b ? a : b;
}

const char *discovery_check(void)
{
    discovery.rules = (struct rotation_rules){
        .algs = discovery.algs, .interval = discovery.rotation_interval, .lead = discovery.publication_lead,
        .published = discovery.key_retention, .kept = settings.session_lifetime,
    };
    for (size_t i = 0; i < discovery.signing_algs.count; i++)
        if (!keeps(discovery.signing_algs.items[i]))
            discovery.algs[discovery.rules.alg_count++] = jose_alg_from_name(discovery.signing_algs.items[i]);
    if (!keeps("RS256"))
        return "signing_algs lacks RS256, which every OpenID provider must have (OpenID Connect Discovery, section 3)";
    if (!keeps(settings.access_token_alg))
        return "signing_algs lacks the access_token_alg of [all]";
    if (discovery.key_retention < longest(settings.access_token_lifetime, settings.id_token_lifetime))
        return "key_retention is shorter than a token's lifetime in [all]: tokens would outlive their keys";
    if (discovery.publication_lead <= discovery.cache_max_age)
        return "publication_lead is not longer than cache_max_age: clients would not know the next key in time";
    return NULL;
}
