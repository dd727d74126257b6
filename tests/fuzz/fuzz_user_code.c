/* User codes of devices: what is read is a code, is read from what is shown of it, and letters in another order of
 * case and punctuation are the same code; every random number makes one. */
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "protocol/device.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool ok)
{
    if (!ok)
        abort();
}

static void check_code(void *ctx, const char *code)
{
    char again[DEVICE_USER_CODE_LEN + 1];
    require(strlen(code) == DEVICE_USER_CODE_LEN && strspn(code, "BCDFGHJKLMNPQRSTVWXZ") == DEVICE_USER_CODE_LEN);
    require(device_user_code_read(device_user_code_text(ctx, code), again) && strcmp(code, again) == 0);
}

static void check_typed(void *ctx, const char *typed)
{
    char code[DEVICE_USER_CODE_LEN + 1] = "?", other[DEVICE_USER_CODE_LEN + 1];
    if (!device_user_code_read(typed, code)) {
        require(strcmp(code, "?") == 0);
        return;
    }
    check_code(ctx, code);
    char *turned = mem_strdup(ctx, typed);
    for (char *p = turned; *p != '\0'; p++)
        *p = (char)(isupper((unsigned char)*p) ? tolower((unsigned char)*p) : toupper((unsigned char)*p));
    require(device_user_code_read(turned, other) && strcmp(code, other) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    void *ctx = mem_root("fuzz");
    check_typed(ctx, mem_strndup(ctx, (const char *)data, size));
    if (size >= 8) {
        char code[DEVICE_USER_CODE_LEN + 1];
        device_user_code_make(data, code);
        check_code(ctx, code);
    }
    talloc_free(ctx);
    return 0;
}
