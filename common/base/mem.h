#pragma once
/* Memory: talloc contexts that abort when memory runs out, byte slices, wiping, constant-time
 * comparison. A context belongs to one thread at a time. Nothing here blocks. */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <talloc.h>

/* A slice of bytes somebody else owns. len is in bytes; data may be NULL only when len is 0. */
struct bytes {
    const uint8_t *data;
    size_t len;
};

/* A new root context, child of nothing; free it with talloc_free(). Never NULL. */
void *mem_root(const char *name);

/* Zeroed memory owned by ctx. Never NULL: running out of memory aborts the process. */
#define mem_new(ctx, type) ((type *)mem_zeroed_((ctx), sizeof(type), 1, #type))
#define mem_array(ctx, type, count) ((type *)mem_zeroed_((ctx), sizeof(type), (count), #type "[]"))
void *mem_zeroed_(const void *ctx, size_t size, size_t count, const char *name)
    __attribute__((returns_nonnull, warn_unused_result));

/* Grows an array made by mem_array to count elements (new ones are not zeroed). */
#define mem_grow(ctx, ptr, type, count) ((type *)mem_grow_((ctx), (ptr), sizeof(type), (count)))
void *mem_grow_(const void *ctx, void *ptr, size_t size, size_t count)
    __attribute__((returns_nonnull, warn_unused_result));

/* NUL-terminated copies owned by ctx. Never NULL. */
char *mem_strdup(const void *ctx, const char *s) __attribute__((returns_nonnull, warn_unused_result));
char *mem_strndup(const void *ctx, const char *s, size_t len)
    __attribute__((returns_nonnull, warn_unused_result));
char *mem_printf(const void *ctx, const char *format, ...)
    __attribute__((format(printf, 2, 3), returns_nonnull, warn_unused_result));

/* A copy of the bytes owned by ctx, with a NUL after its end (not counted in len). */
struct bytes mem_bytes(const void *ctx, struct bytes source) __attribute__((warn_unused_result));

/* The bytes of a string without its NUL; NULL gives an empty slice. */
struct bytes bytes_of(const char *s);
/* A slice from memory. */
static inline struct bytes bytes_from(const void *data, size_t len)
{
    return (struct bytes){.data = (const uint8_t *)data, .len = len};
}
bool bytes_equal(struct bytes a, struct bytes b);

/* Constant time in the contents (not in the lengths). */
bool bytes_equal_ct(struct bytes a, struct bytes b);

/* Overwrites memory in a way the compiler keeps. */
void mem_wipe(void *data, size_t len);
/* Marks a talloc allocation to be wiped, all of its talloc_get_size() bytes, when it is freed. Returns it. */
void *mem_secret(void *allocation);
