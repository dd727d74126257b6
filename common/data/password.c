#include "data/password.h"

#include <argon2.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "base/rand.h"
#include "data/password_foreign.h"
#include "data/password_phc.h"

enum {
    PASSWORD_MAX = 1024,
    SALT_LEN = 16,
    HASH_LEN = 32,
};

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
static enum op_err run_argon2(argon2_type type, const char *password, size_t password_len, struct bytes salt,
                              struct password_cost cost, uint8_t *out, size_t out_len)
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
    return argon2_ctx(&argon, type) == ARGON2_OK ? OP_OK : OP_INVALID;
}

enum op_err password_hash(const void *ctx, const char *password, struct password_cost cost, char **ret)
{
    uint8_t salt[SALT_LEN], hash[HASH_LEN];
    size_t len = strnlen(password, PASSWORD_MAX + 1);
    if (len > PASSWORD_MAX)
        return OP_TOO_LARGE;
    rand_bytes(salt, sizeof salt);
    enum op_err err = run_argon2(Argon2_id, password, len, bytes_from(salt, sizeof salt), cost, hash, sizeof hash);
    if (err != OP_OK)
        return err;
    *ret = password_phc_text(ctx, &(struct password_phc){
        .scheme = PASSWORD_ARGON2ID,
        .cost = cost,
        .salt = bytes_from(salt, sizeof salt),
        .hash = bytes_from(hash, sizeof hash),
    });
    mem_wipe(hash, sizeof hash);
    return OP_OK;
}

static enum op_err verify_argon2(argon2_type type, const char *password, size_t len, const struct password_phc *phc)
{
    uint8_t hash[PASSWORD_PART_MAX];
    enum op_err err = run_argon2(type, password, len, phc->salt, phc->cost, hash, phc->hash.len);
    if (err == OP_OK && !bytes_equal_ct(bytes_from(hash, phc->hash.len), phc->hash))
        err = OP_MISMATCH;
    mem_wipe(hash, sizeof hash);
    return err;
}

static enum op_err verify_phc(const char *password, size_t len, const struct password_phc *phc)
{
    switch (phc->scheme) {
    case PASSWORD_ARGON2ID:
        return verify_argon2(Argon2_id, password, len, phc);
    case PASSWORD_ARGON2I:
        return verify_argon2(Argon2_i, password, len, phc);
    case PASSWORD_ARGON2D:
        return verify_argon2(Argon2_d, password, len, phc);
    default:
        return password_foreign_verify(password, len, phc);
    }
}

/* Nobody's hash, for accounts that have none: the work is the same, the answer always no. */
static enum op_err refuse_at_cost(const char *password, size_t len, struct password_cost cost)
{
    static const uint8_t salt[SALT_LEN];
    uint8_t hash[HASH_LEN];
    enum op_err err = run_argon2(Argon2_id, password, len, bytes_from(salt, sizeof salt), cost, hash, sizeof hash);
    mem_wipe(hash, sizeof hash);
    return err == OP_OK ? OP_MISMATCH : err;
}

enum op_err password_verify(const char *password, const char *phc, struct password_cost cost)
{
    size_t len = strnlen(password, PASSWORD_MAX + 1);
    struct password_phc parsed;
    if (len > PASSWORD_MAX)
        return OP_MISMATCH;
    if (phc == NULL)
        return refuse_at_cost(password, len, cost);
    void *scratch = mem_root("password_verify");
    enum op_err err = password_phc_read(scratch, phc, &parsed);
    if (err == OP_OK)
        err = verify_phc(password, len, &parsed);
    talloc_free(scratch);
    return err;
}

bool password_is_stale(const char *phc, struct password_cost cost)
{
    void *scratch = mem_root("password_is_stale");
    struct password_phc parsed;
    bool stale = password_phc_read(scratch, phc, &parsed) != OP_OK || parsed.scheme != PASSWORD_ARGON2ID ||
                 parsed.cost.memory_kib != cost.memory_kib || parsed.cost.iterations != cost.iterations ||
                 parsed.cost.lanes != cost.lanes || parsed.hash.len != HASH_LEN;
    talloc_free(scratch);
    return stale;
}

bool password_is_known_whole(const char *password, const char *phc)
{
    return strncmp(phc, "$2", 2) != 0 || strlen(password) <= PASSWORD_BCRYPT_MAX;
}
