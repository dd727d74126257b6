#pragma once
/* Records: protobuf messages packed for the store and unpacked into a talloc context. Fields this
 * version does not know survive unpack, change, pack. Nothing blocks.
 *
 * The types are protobuf-c's: Rec__Client and so on; strings are NULL when absent, optional scalars
 * have has_NAME, repeated ones n_NAME. Set strings to memory of the same ctx; never free by hand. */
#include "base/err.h"
#include "base/mem.h"
#include "records.pb-c.h"

/* Record formats: each knows the restrictions of those before it. */
enum {
    RECORDS_FORMAT_LIFETIMES = 2, /* a client's own lifetimes of refresh tokens, a family's own idle lifetime */
};
/* The one that this version understands; a record whose needs is higher is denied. */
enum { RECORDS_FORMAT = RECORDS_FORMAT_LIFETIMES };

/* The lowest floor of an environment that it works above: what versions of lower formats may still write there, it does
 * not read any more. Moves when a format is dropped (docs/versions.md). */
enum { RECORDS_OLDEST = 1 };

/* Reads a message of the given descriptor into ctx. ret is Rec__X **.
 * OP_DENIED: it needs a newer version; OP_BROKEN: not such a message. */
must_check enum op_err records_unpack(const void *ctx, const ProtobufCMessageDescriptor *type, struct bytes in,
                                      void *ret);

/* Like records_unpack but hands a record over whatever its needs: only to end, revoke or expire it. */
must_check enum op_err records_unpack_any(const void *ctx, const ProtobufCMessageDescriptor *type, struct bytes in,
                                          void *ret);

/* A new zeroed message of the type, in ctx: Rec__Client *c = records_new(ctx, &rec__client__descriptor). */
void *records_new(const void *ctx, const ProtobufCMessageDescriptor *type);

/* The bytes to store, owned by ctx. message is any Rec__X *. */
struct bytes records_pack(const void *ctx, const void *message);

/* Copies of a string list into ctx, for a repeated string field. */
char **records_strings(const void *ctx, char *const *values, size_t count);
/* True when the list holds the value. */
bool records_contain(char *const *values, size_t count, const char *value);
