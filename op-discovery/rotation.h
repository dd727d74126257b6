#pragma once
/* When signing keys change. Pure: keys, wish, time and rules in, the keys as they are to be out.
 *
 * Of every algorithm there is one current key, which signs, and one next key, published ahead so that
 * clients that cache have it before it signs. A retired key stays published until the last token it
 * signed has expired, and after that unpublished for id_token_hint. */
#include "base/mem.h"
#include "data/jose.h"

enum rotation_state { ROTATION_NEXT, ROTATION_CURRENT, ROTATION_RETIRED };
enum rotation_change { ROTATION_KEEP, ROTATION_INSERT, ROTATION_UPDATE, ROTATION_DELETE };
enum rotation_wish {
    ROTATION_NO_WISH,
    ROTATION_NOW,     /* next signs from now on, the current one retires (OpenID Connect Core §10.1.1: clients
                         that meet an unknown kid fetch the keys again) */
    ROTATION_AT_ONCE, /* keys leaked: none that is used or published is any more, nor believed */
};

struct rotation_key {
    const char *kid;      /* NULL for one that is to be inserted */
    enum jose_alg alg;
    enum rotation_state state;
    int64_t created_at;
    int64_t current_at;   /* when it became or is to become current */
    int64_t retired_at;
    int64_t unpublish_at; /* retired: leaves the published set */
    int64_t delete_at;    /* and is forgotten */
    bool signs;           /* its private half is there */
    enum rotation_change change;
};

struct rotation_rules {
    const enum jose_alg *algs; /* those that are kept */
    size_t alg_count;
    int64_t interval;  /* seconds a key is current */
    int64_t lead;      /* a next key is published at least this long before it becomes current */
    int64_t published; /* a retired key stays published */
    int64_t kept;      /* a retired key stays known */
};

/* Retired keys beyond this many are forgotten, the longest retired first. */
enum { ROTATION_RETIRED_MAX = 32 };

struct rotation_plan {
    struct rotation_key *keys; /* all of them, each with what changes */
    size_t count;
    bool changes;
    int64_t look_at;           /* nothing will change before, unless somebody wishes it */
};

/* Owned by ctx. */
struct rotation_plan rotation_decide(const void *ctx, const struct rotation_key *keys, size_t count,
                                     enum rotation_wish wish, int64_t now, const struct rotation_rules *rules);

/* True for keys that belong into the published set. */
bool rotation_is_published(const struct rotation_key *key, int64_t now);
