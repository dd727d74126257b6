#include "data/password.h"

#include <argon2.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "base/codec.h"
#include "base/num.h"
#include "base/rand.h"

enum {
    PASSWORD_MAX = 1024,
    SALT_LEN = 16,
    HASH_LEN = 32,
    PART_MIN = 8, /* bytes of a salt or hash in a PHC string */
    PART_MAX = 64,
    MEMORY_MAX_KIB = 1024 * 1024, /* what a stored hash may ask for */
    ITERATIONS_MAX = 64,
    LANES_MAX = 16,
};

const struct password_cost PASSWORD_COST_DEFAULT = {.memory_kib = 19 * 1024, .iterations = 2, .lanes = 1};

/* Mapped and given back each time: malloc would keep the pool's peak once it had been freed. */
static int map_memory(uint8_t **ret, size_t len)
{
    void *memory = mmap(NULL, len, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED)
        abort();
    madvise(memory, len, MADV_HUGEPAGE); /* a fifth to a quarter less time, where the kernel has them to give */
    *ret = memory;
    return ARGON2_OK;
}

static void unmap_memory(uint8_t *memory, size_t len)
{
    munmap(memory, len);
}

/* OP_INVALID: a cost that argon2 does not take. */
static enum op_err run_argon2(const char *password, size_t password_len, struct bytes salt, struct password_cost cost,
                              uint8_t *out, size_t out_len)
{
    argon2_context argon = {
        .out = out,
        .outlen = (uint32_t)out_len,
        .pwd = (uint8_t *)password,
        .pwdlen = (uint32_t)password_len,
        .salt = (uint8_t *)salt.data,
        .saltlen = (uint32_t)salt.len,
        .t_cost = cost.iterations,
        .m_cost = cost.memory_kib,
        .lanes = cost.lanes,
        .threads = 1,
        .version = ARGON2_VERSION_13,
        .allocate_cbk = map_memory,
        .free_cbk = unmap_memory,
    };
    return argon2id_ctx(&argon) == ARGON2_OK ? OP_OK : OP_INVALID;
}

/* base64 without the padding, as PHC strings have it. */
static char *encode_part(const void *ctx, struct bytes part)
{
    char *text = codec_base64(ctx, part);
    text[strcspn(text, "=")] = '\0';
    return text;
}

static enum op_err decode_part(const void *ctx, const char *text, size_t len, struct bytes *ret)
{
    struct bytes part;
    char *padded = mem_printf(ctx, "%.*s%.*s", (int)len, text, (int)((4 - len % 4) % 4), "===");
    if (len > 2 * PART_MAX || memchr(text, '=', len) != NULL ||
        codec_from_base64(ctx, bytes_of(padded), &part) != OP_OK || part.len < PART_MIN || part.len > PART_MAX)
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

struct phc {
    struct password_cost cost;
    struct bytes salt, hash;
};

static enum op_err read_phc(const void *ctx, const char *text, struct phc *ret)
{
    struct phc phc = {0};
    if (!take_number(&text, "$argon2id$v=19$m=", MEMORY_MAX_KIB, &phc.cost.memory_kib) ||
        !take_number(&text, ",t=", ITERATIONS_MAX, &phc.cost.iterations) ||
        !take_number(&text, ",p=", LANES_MAX, &phc.cost.lanes) || *text++ != '$')
        return OP_INVALID;
    size_t salt = strcspn(text, "$");
    if (text[salt] != '$' || decode_part(ctx, text, salt, &phc.salt) != OP_OK)
        return OP_INVALID;
    text += salt + 1;
    if (decode_part(ctx, text, strlen(text), &phc.hash) != OP_OK)
        return OP_INVALID;
    *ret = phc;
    return OP_OK;
}

enum op_err password_hash(const void *ctx, const char *password, struct password_cost cost, char **ret)
{
    uint8_t salt[SALT_LEN], hash[HASH_LEN];
    size_t len = strnlen(password, PASSWORD_MAX + 1);
    if (len > PASSWORD_MAX)
        return OP_TOO_LARGE;
    rand_bytes(salt, sizeof salt);
    enum op_err err = run_argon2(password, len, bytes_from(salt, sizeof salt), cost, hash, sizeof hash);
    if (err != OP_OK)
        return err;
    void *scratch = talloc_new(ctx);
    *ret = mem_printf(ctx, "$argon2id$v=19$m=%u,t=%u,p=%u$%s$%s", cost.memory_kib, cost.iterations, cost.lanes,
                      encode_part(scratch, bytes_from(salt, sizeof salt)),
                      encode_part(scratch, bytes_from(hash, sizeof hash)));
    talloc_free(scratch);
    mem_wipe(hash, sizeof hash);
    return OP_OK;
}

static enum op_err verify_phc(const char *password, size_t len, const struct phc *phc)
{
    uint8_t hash[PART_MAX];
    enum op_err err = run_argon2(password, len, phc->salt, phc->cost, hash, phc->hash.len);
    if (err == OP_OK && !bytes_equal_ct(bytes_from(hash, phc->hash.len), phc->hash))
        err = OP_MISMATCH;
    mem_wipe(hash, sizeof hash);
    return err;
}

/* Nobody's hash, for accounts that have none: the work is the same, the answer always no. */
static enum op_err refuse_at_cost(const char *password, size_t len, struct password_cost cost)
{
    static const uint8_t salt[SALT_LEN];
    uint8_t hash[HASH_LEN];
    enum op_err err = run_argon2(password, len, bytes_from(salt, sizeof salt), cost, hash, sizeof hash);
    mem_wipe(hash, sizeof hash);
    return err == OP_OK ? OP_MISMATCH : err;
}

enum op_err password_verify(const char *password, const char *phc, struct password_cost cost)
{
    size_t len = strnlen(password, PASSWORD_MAX + 1);
    struct phc parsed;
    if (len > PASSWORD_MAX)
        return OP_MISMATCH;
    if (phc == NULL)
        return refuse_at_cost(password, len, cost);
    void *scratch = mem_root("password_verify");
    enum op_err err = read_phc(scratch, phc, &parsed);
    if (err == OP_OK)
        err = verify_phc(password, len, &parsed);
    talloc_free(scratch);
    return err;
}

bool password_is_stale(const char *phc, struct password_cost cost)
{
    void *scratch = mem_root("password_is_stale");
    struct phc parsed;
    bool stale = read_phc(scratch, phc, &parsed) != OP_OK || parsed.cost.memory_kib != cost.memory_kib ||
                 parsed.cost.iterations != cost.iterations || parsed.cost.lanes != cost.lanes ||
                 parsed.hash.len != HASH_LEN;
    talloc_free(scratch);
    return stale;
}
