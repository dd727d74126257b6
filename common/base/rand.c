#include "base/rand.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/random.h>

#include "base/codec.h"

void rand_bytes(void *out, size_t len)
{
    uint8_t *p = out;
    while (len > 0) {
        ssize_t got = getrandom(p, len, 0);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            abort();
        p += got;
        len -= (size_t)got;
    }
}

char *rand_token(const void *ctx, size_t len)
{
    uint8_t *raw = mem_array(NULL, uint8_t, len);
    rand_bytes(raw, len);
    char *token = codec_base64url(ctx, bytes_from(raw, len));
    mem_wipe(raw, len);
    talloc_free(raw);
    return token;
}
