#pragma once
/* A part of a list, for people and programs that go through it bit by bit. What is inserted or removed meanwhile does
 * not make an entry come twice, nor one that stays be left out. */
#include "data/json.h"

struct listing {
    json_t *items;    /* an array of objects */
    const char *next; /* what to give as `after` for the next part; NULL: this was the last */
};
