#pragma once
/* Cuts a JSON text of any length into the users in it: an array of objects; objects one after the other, as in JSON
 * lines; or an object whose member users is an array of them, as in a realm's export of Keycloak. What else such an
 * object holds is left out. Nothing more is judged here than where a value begins and ends. */
#include "base/err.h"
#include "import_source.h"

struct import_json {
    struct import_source *source;
    bool in_array;    /* users stand in one, ... */
    bool in_object;   /* ... which is a member of an object */
    bool after_value; /* in the array: a comma or its end must follow */
    bool broken;
};

void import_json_start(struct import_json *json, struct import_source *source);
/* The text of the next value, owned by ctx; source->record_line is where it begins. OP_ABSENT: there is none left.
 * OP_TOO_LARGE: it is over IMPORT_RECORD_MAX; the call after that goes on behind it. OP_INVALID: *ret_why (static) is
 * why this is no such text; broken says that what follows cannot be read either, and the next call is OP_ABSENT. */
must_check enum op_err import_json_next(struct import_json *json, const void *ctx, struct bytes *ret,
                                        const char **ret_why);
