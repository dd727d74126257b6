#include "client_known.h"

#include <string.h>

#include "base/rand.h"
#include "file.h"
#include "protocol/params.h"

enum { ID_MAX = 128, SECRET_MIN = 16, SECRET_MAX = 512 };

static const char *read_secret(const void *ctx, const char *path, const char **ret)
{
    const char *why;
    char *text;
    if (file_read_text(ctx, strcmp(path, "-") == 0 ? "/dev/stdin" : path, 2 * SECRET_MAX, &text, &why) != OP_OK)
        return mem_printf(ctx, "--secret-file: %s", why);
    mem_secret(text);
    text[strcspn(text, "\r\n")] = '\0';
    size_t len = strlen(text);
    if (len < SECRET_MIN || len > SECRET_MAX || !param_is_vschar(text))
        return mem_printf(ctx, "--secret-file: a secret is one line of %d to %d printable characters", SECRET_MIN, SECRET_MAX);
    *ret = text;
    return NULL;
}

const char *client_known_read(const void *ctx, const struct cli_line *line, struct operate_client_fresh *ret)
{
    const char *id = cli_value(line, "client-id"), *path = cli_value(line, "secret-file");
    if (id != NULL && (*id == '\0' || strlen(id) > ID_MAX || !param_is_vschar(id) || strchr(id, ' ') != NULL))
        return mem_printf(ctx, "--client-id is 1 to %d printable characters without spaces", ID_MAX);
    const char *secret = NULL, *wrong = path == NULL ? NULL : read_secret(ctx, path, &secret);
    if (wrong != NULL)
        return wrong;
    *ret = (struct operate_client_fresh){
        id != NULL ? id : rand_token(ctx, OPERATE_CLIENT_ID_BYTES),
        secret != NULL ? secret : mem_secret(rand_token(ctx, OPERATE_CLIENT_SECRET_BYTES))};
    return NULL;
}
