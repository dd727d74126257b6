#pragma once
/* Random bytes from the kernel (getrandom). Aborts if the kernel refuses; never blocks once the
 * system has booted. */
#include <stddef.h>

void rand_bytes(void *out, size_t len);
/* len random bytes as base64url, owned by ctx. 32 bytes are 43 characters. */
char *rand_token(const void *ctx, size_t len);
