#include "data/password_phc.h"

#include <string.h>

#include "base/codec.h"
#include "base/num.h"

enum { MEMORY_MAX_KIB = 1024 * 1024, ITERATIONS_MAX = 64, LANES_MAX = 16, BCRYPT_MIN = 4, BCRYPT_MAX = 31 };

static const struct {
    enum password_scheme scheme;
    const char *prefix;
    size_t block; /* bytes that one round of PBKDF2 makes */
} SCHEMES[] = {
    {PASSWORD_ARGON2ID, "$argon2id$", 0},
    {PASSWORD_ARGON2I, "$argon2i$", 0},
    {PASSWORD_ARGON2D, "$argon2d$", 0},
    {PASSWORD_PBKDF2_SHA1, "$pbkdf2-sha1$", 20},
    {PASSWORD_PBKDF2_SHA256, "$pbkdf2-sha256$", 32},
    {PASSWORD_PBKDF2_SHA512, "$pbkdf2-sha512$", 64},
};
enum { SCHEME_COUNT = sizeof SCHEMES / sizeof *SCHEMES };

static bool is_argon2(enum password_scheme scheme)
{
    return scheme <= PASSWORD_ARGON2D;
}

enum op_err password_phc_decode(const void *ctx, struct bytes text, size_t min, struct bytes *ret)
{
    struct bytes part;
    if (text.len > 2 * PASSWORD_PART_MAX || (text.len > 0 && memchr(text.data, '=', text.len) != NULL))
        return OP_INVALID;
    char *padded = mem_printf(ctx, "%.*s%.*s", (int)text.len, (const char *)text.data, (int)((4 - text.len % 4) % 4),
                              "===");
    if (codec_from_base64(ctx, bytes_of(padded), &part) != OP_OK || part.len < min || part.len > PASSWORD_PART_MAX)
        return OP_INVALID;
    *ret = part;
    return OP_OK;
}

/* prefix and digits at *text, which moves behind them. */
static bool take_number(const char **text, const char *prefix, uint32_t max, uint32_t *ret)
{
    size_t skip = strlen(prefix);
    uint64_t value;
    if (strncmp(*text, prefix, skip) != 0)
        return false;
    size_t digits = strspn(*text + skip, "0123456789");
    if (num_parse_u64(bytes_from(*text + skip, digits), max, &value) != OP_OK)
        return false;
    *ret = (uint32_t)value;
    *text += skip + digits;
    return true;
}

static bool take_cost(const char **text, enum password_scheme scheme, struct password_cost *ret)
{
    if (!is_argon2(scheme))
        return take_number(text, "i=", INT32_MAX, &ret->iterations) && ret->iterations > 0;
    return take_number(text, "v=19$m=", MEMORY_MAX_KIB, &ret->memory_kib) &&
           take_number(text, ",t=", ITERATIONS_MAX, &ret->iterations) &&
           take_number(text, ",p=", LANES_MAX, &ret->lanes);
}

/* --- bcrypt --- */

static const char BCRYPT_DIGITS[] = "./ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";

/* Clears the bits of a digit that belong to no byte. */
static char without_stray_bits(char digit, unsigned mask)
{
    size_t value = (size_t)(strchr(BCRYPT_DIGITS, digit) - BCRYPT_DIGITS);
    return BCRYPT_DIGITS[value & mask];
}

enum op_err password_phc_read_bcrypt(const char *text, struct password_phc *ret)
{
    enum { COST = 4, SALT = 7, SALT_LAST = PASSWORD_BCRYPT_SETTING_LEN - 1, LAST = PASSWORD_BCRYPT_LEN - 1 };
    struct password_phc phc = {.scheme = PASSWORD_BCRYPT};
    uint64_t cost;
    if (strlen(text) != PASSWORD_BCRYPT_LEN || strncmp(text, "$2", 2) != 0 || strchr("aby", text[2]) == NULL ||
        text[3] != '$' || text[SALT - 1] != '$' || strspn(text + SALT, BCRYPT_DIGITS) != PASSWORD_BCRYPT_LEN - SALT)
        return OP_INVALID;
    if (num_parse_u64(bytes_from(text + COST, 2), BCRYPT_MAX, &cost) != OP_OK || cost < BCRYPT_MIN)
        return OP_INVALID;
    phc.cost.iterations = (uint32_t)cost;
    memcpy(phc.bcrypt, text, PASSWORD_BCRYPT_LEN);
    phc.bcrypt[SALT_LAST] = without_stray_bits(text[SALT_LAST], 0x30);
    phc.bcrypt[LAST] = without_stray_bits(text[LAST], 0x3c);
    *ret = phc;
    return OP_OK;
}

/* --- all of them --- */

static enum op_err read_parts(const void *ctx, const char *text, struct password_phc *phc)
{
    if (!take_cost(&text, phc->scheme, &phc->cost) || *text++ != '$')
        return OP_INVALID;
    size_t salt = strcspn(text, "$");
    if (text[salt] != '$' || password_phc_decode(ctx, bytes_from(text, salt), PASSWORD_SALT_MIN, &phc->salt) != OP_OK)
        return OP_INVALID;
    return password_phc_decode(ctx, bytes_of(text + salt + 1), PASSWORD_HASH_MIN, &phc->hash);
}

enum op_err password_phc_read(const void *ctx, const char *text, struct password_phc *ret)
{
    if (strncmp(text, "$2", 2) == 0)
        return password_phc_read_bcrypt(text, ret);
    for (size_t i = 0; i < SCHEME_COUNT; i++) {
        struct password_phc phc = {.scheme = SCHEMES[i].scheme};
        size_t skip = strlen(SCHEMES[i].prefix);
        if (strncmp(text, SCHEMES[i].prefix, skip) != 0)
            continue;
        enum op_err err = read_parts(ctx, text + skip, &phc);
        if (err == OP_OK)
            *ret = phc;
        return err;
    }
    return OP_INVALID;
}

/* base64 without the padding. */
static char *encode_part(const void *ctx, struct bytes part)
{
    char *text = codec_base64(ctx, part);
    text[strcspn(text, "=")] = '\0';
    return text;
}

char *password_phc_text(const void *ctx, const struct password_phc *phc)
{
    if (phc->scheme == PASSWORD_BCRYPT)
        return mem_strdup(ctx, phc->bcrypt);
    size_t i = 0;
    while (SCHEMES[i].scheme != phc->scheme)
        i++;
    void *scratch = mem_root("password_phc_text");
    size_t len = is_argon2(phc->scheme) || phc->hash.len < SCHEMES[i].block ? phc->hash.len : SCHEMES[i].block;
    const struct password_cost *cost = &phc->cost;
    char *how = is_argon2(phc->scheme)
                    ? mem_printf(scratch, "v=19$m=%u,t=%u,p=%u", cost->memory_kib, cost->iterations, cost->lanes)
                    : mem_printf(scratch, "i=%u", cost->iterations);
    char *text = mem_printf(ctx, "%s%s$%s$%s", SCHEMES[i].prefix, how, encode_part(scratch, phc->salt),
                            encode_part(scratch, bytes_from(phc->hash.data, len)));
    talloc_free(scratch);
    return text;
}
