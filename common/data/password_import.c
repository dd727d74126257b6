#include "data/password_import.h"

#include <string.h>
#include <strings.h>

#include "base/codec.h"
#include "base/num.h"
#include "data/password_phc.h"

enum {
    TEXT_MAX = 1024,
    BCRYPT_MAX = 14,
    PBKDF2_MAX = 2000000,
    ARGON2_WORK_MAX = 1024 * 1024, /* KiB times passes */
    PBKDF2_HASH_MIN = 16,
};

static enum op_err refuse(enum op_err err, const char *why, const char **ret_why)
{
    *ret_why = why;
    return err;
}

static enum op_err judge_argon2(const void *ctx, const struct password_cost *cost, uint32_t memory_max_kib,
                                const char **ret_why)
{
    if (cost->memory_kib > memory_max_kib)
        return refuse(OP_TOO_LARGE, mem_printf(ctx, "the hash asks for %u KiB of memory, and no more than %u KiB are "
                                               "allowed (imported_password_memory)", cost->memory_kib, memory_max_kib),
                      ret_why);
    if ((uint64_t)cost->memory_kib * cost->iterations > ARGON2_WORK_MAX)
        return refuse(OP_TOO_LARGE, mem_printf(ctx, "the hash costs too much: %u passes over %u KiB of memory",
                                               cost->iterations, cost->memory_kib), ret_why);
    if (cost->iterations < 1 || cost->lanes < 1 || cost->memory_kib < 8 * cost->lanes)
        return refuse(OP_INVALID, "the hash has a cost that argon2 does not know", ret_why);
    return OP_OK;
}

/* What may be stored, judged by what it will cost to verify. */
static enum op_err judge(const void *ctx, const struct password_phc *phc, uint32_t memory_max_kib,
                         const char **ret_why)
{
    uint32_t iterations = phc->cost.iterations;
    switch (phc->scheme) {
    case PASSWORD_ARGON2ID:
    case PASSWORD_ARGON2I:
    case PASSWORD_ARGON2D:
        return judge_argon2(ctx, &phc->cost, memory_max_kib, ret_why);
    case PASSWORD_BCRYPT:
        if (iterations <= BCRYPT_MAX)
            return OP_OK;
        return refuse(OP_TOO_LARGE, mem_printf(ctx, "the hash costs too much: bcrypt of %u, where %d is the most",
                                               iterations, BCRYPT_MAX), ret_why);
    default:
        if (iterations > PBKDF2_MAX)
            return refuse(OP_TOO_LARGE, mem_printf(ctx, "the hash costs too much: PBKDF2 of %u iterations, where %d is "
                                                   "the most", iterations, PBKDF2_MAX), ret_why);
        if (phc->hash.len < PBKDF2_HASH_MIN)
            return refuse(OP_INVALID, "the hash is too short", ret_why);
        return OP_OK;
    }
}

/* --- PBKDF2 --- */

/* ITERATIONS$SALT$HASH. False: not so. */
static bool split_pbkdf2(const char *text, uint32_t *ret_iterations, struct bytes *ret_salt, const char **ret_hash)
{
    uint64_t iterations;
    size_t digits = strcspn(text, "$,");
    if (num_parse_u64(bytes_from(text, digits), INT32_MAX, &iterations) != OP_OK || iterations == 0)
        return false;
    text += digits;
    if (strncmp(text, ",l=", 3) == 0)
        text += 3 + strspn(text + 3, "0123456789");
    if (*text++ != '$')
        return false;
    size_t salt = strcspn(text, "$");
    if (text[salt] != '$')
        return false;
    *ret_iterations = (uint32_t)iterations;
    *ret_salt = bytes_from(text, salt);
    *ret_hash = text + salt + 1;
    return true;
}

/* passlib writes '.' where base64 has '+'. */
static struct bytes with_plus(const void *ctx, struct bytes text)
{
    char *copy = mem_strndup(ctx, (const char *)text.data, text.len);
    for (char *p = copy; *p != '\0'; p++)
        if (*p == '.')
            *p = '+';
    return bytes_of(copy);
}

static enum op_err read_modular(const void *ctx, enum password_scheme scheme, const char *text,
                                struct password_phc *ret)
{
    struct password_phc phc = {.scheme = scheme};
    struct bytes salt;
    const char *hash;
    if (strncmp(text, "i=", 2) == 0)
        text += 2;
    if (!split_pbkdf2(text, &phc.cost.iterations, &salt, &hash) ||
        password_phc_decode(ctx, with_plus(ctx, salt), PASSWORD_SALT_MIN, &phc.salt) != OP_OK ||
        password_phc_decode(ctx, with_plus(ctx, bytes_of(hash)), PASSWORD_HASH_MIN, &phc.hash) != OP_OK)
        return OP_INVALID;
    *ret = phc;
    return OP_OK;
}

static bool is_part(struct bytes part, size_t min)
{
    return part.len >= min && part.len <= PASSWORD_PART_MAX;
}

static enum op_err read_django(const void *ctx, enum password_scheme scheme, const char *text,
                               struct password_phc *ret)
{
    struct password_phc phc = {.scheme = scheme};
    const char *hash;
    if (!split_pbkdf2(text, &phc.cost.iterations, &phc.salt, &hash) || !is_part(phc.salt, PASSWORD_SALT_MIN) ||
        codec_from_base64(ctx, bytes_of(hash), &phc.hash) != OP_OK || !is_part(phc.hash, PASSWORD_HASH_MIN))
        return OP_INVALID;
    *ret = phc;
    return OP_OK;
}

/* --- a line of text --- */

/* What some programs write in front to tell their schemes apart. */
static const char *without_label(const char *text)
{
    static const struct {
        const char *start;
        size_t skip;
    } labels[] = {{"argon2$argon2", 6}, {"bcrypt$$2", 7}, {"{argon2}$", 8}, {"{bcrypt}$", 8}, {"{CRYPT}$", 7}};
    for (size_t i = 0; i < sizeof labels / sizeof *labels; i++)
        if (strncasecmp(text, labels[i].start, strlen(labels[i].start)) == 0)
            return text + labels[i].skip;
    return text;
}

static const char *why_unknown(const char *text)
{
    static const struct {
        const char *prefix, *why;
    } rows[] = {
        {"", "there is no hash"},
        {"$2x$", "$2x$ marks hashes of a bcrypt that had an error: their owners need a new password"},
        {"$argon2", "not an argon2 hash as the Password Hashing Competition writes it (version 19, up to 1 GiB, "
                    "64 passes, 16 lanes)"},
        {"$2", "not a bcrypt hash"},
        {"$pbkdf2", "not a PBKDF2 hash"},
        {"pbkdf2_", "not a PBKDF2 hash as Django writes it"},
        {"bcrypt_sha256$", "Django's bcrypt_sha256 hashes are of no form that is verified here"},
        {"$scrypt$", "scrypt hashes are not verified here"},
        {"$7$", "scrypt hashes are not verified here"},
        {"$y$", "yescrypt hashes are not verified here"},
        {"$6$", "SHA-512-crypt hashes are not verified here"},
        {"$5$", "SHA-256-crypt hashes are not verified here"},
        {"$1$", "MD5-crypt hashes are not verified here"},
        {"{SSHA", "salted SHA hashes are not verified here"},
    };
    if (*text == '\0')
        return rows[0].why;
    for (size_t i = 1; i < sizeof rows / sizeof *rows; i++)
        if (strncmp(text, rows[i].prefix, strlen(rows[i].prefix)) == 0)
            return rows[i].why;
    return "the hash is of no scheme that is known here: bcrypt, PBKDF2 or argon2";
}

static enum op_err read_text(const void *ctx, const char *text, struct password_phc *ret)
{
    static const struct {
        const char *prefix;
        enum password_scheme scheme;
        enum op_err (*read)(const void *ctx, enum password_scheme scheme, const char *text, struct password_phc *ret);
    } forms[] = {
        {"$pbkdf2$", PASSWORD_PBKDF2_SHA1, read_modular},
        {"$pbkdf2-sha1$", PASSWORD_PBKDF2_SHA1, read_modular},
        {"$pbkdf2-sha256$", PASSWORD_PBKDF2_SHA256, read_modular},
        {"$pbkdf2-sha512$", PASSWORD_PBKDF2_SHA512, read_modular},
        {"pbkdf2_sha1$", PASSWORD_PBKDF2_SHA1, read_django},
        {"pbkdf2_sha256$", PASSWORD_PBKDF2_SHA256, read_django},
        {"pbkdf2_sha512$", PASSWORD_PBKDF2_SHA512, read_django},
    };
    for (size_t i = 0; i < sizeof forms / sizeof *forms; i++) {
        size_t skip = strlen(forms[i].prefix);
        if (strncmp(text, forms[i].prefix, skip) == 0)
            return forms[i].read(ctx, forms[i].scheme, text + skip, ret);
    }
    return password_phc_read(ctx, text, ret);
}

/* OP_OK: may be stored. */
static enum op_err judge_and_write(const void *ctx, const struct password_phc *phc, uint32_t memory_max_kib,
                                   char **ret, const char **ret_why)
{
    enum op_err err = judge(ctx, phc, memory_max_kib, ret_why);
    if (err == OP_OK)
        *ret = password_phc_text(ctx, phc);
    return err;
}

enum op_err password_import(const void *ctx, const char *text, uint32_t memory_max_kib, char **ret,
                            const char **ret_why)
{
    struct password_phc phc;
    if (strnlen(text, TEXT_MAX + 1) > TEXT_MAX)
        return refuse(OP_INVALID, "the hash is longer than 1024 bytes", ret_why);
    text = without_label(text);
    void *scratch = mem_root("password_import");
    enum op_err err = read_text(scratch, text, &phc);
    err = err != OP_OK ? refuse(err, why_unknown(text), ret_why)
                       : judge_and_write(ctx, &phc, memory_max_kib, ret, ret_why);
    talloc_free(scratch);
    return err;
}

/* --- Keycloak --- */

/* A member of an object that Keycloak writes as JSON text. */
static const json_t *unpack(const void *ctx, const json_t *object, const char *key)
{
    const char *text;
    json_t *value = json_object_get(object, key);
    if (json_get_string(object, key, &text) == OP_OK && json_read(ctx, bytes_of(text), &value) != OP_OK)
        return NULL;
    return value;
}

/* A number in additionalParameters, where every value is a list of texts. */
static bool parameter(const json_t *data, const char *key, uint32_t *ret)
{
    uint64_t value;
    const json_t *list = json_object_get(json_object_get(data, "additionalParameters"), key);
    const char *text = json_string_value(json_array_get(list, 0));
    if (text == NULL || num_parse_u64(bytes_of(text), UINT32_MAX, &value) != OP_OK)
        return false;
    *ret = (uint32_t)value;
    return true;
}

static bool parameter_is(const json_t *data, const char *key, const char *wanted)
{
    const json_t *list = json_object_get(json_object_get(data, "additionalParameters"), key);
    const char *text = json_string_value(json_array_get(list, 0));
    return text != NULL && strcmp(text, wanted) == 0;
}

static bool keycloak_scheme(const json_t *data, const char *algorithm, struct password_phc *phc)
{
    static const struct {
        const char *algorithm, *type;
        enum password_scheme scheme;
    } rows[] = {
        {"pbkdf2", NULL, PASSWORD_PBKDF2_SHA1},
        {"pbkdf2-sha256", NULL, PASSWORD_PBKDF2_SHA256},
        {"pbkdf2-sha512", NULL, PASSWORD_PBKDF2_SHA512},
        {"argon2", "id", PASSWORD_ARGON2ID},
        {"argon2", "i", PASSWORD_ARGON2I},
        {"argon2", "d", PASSWORD_ARGON2D},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        if (strcmp(algorithm, rows[i].algorithm) != 0 || (rows[i].type != NULL && !parameter_is(data, "type", rows[i].type)))
            continue;
        phc->scheme = rows[i].scheme;
        return rows[i].type == NULL || (parameter_is(data, "version", "1.3") &&
                                        parameter(data, "memory", &phc->cost.memory_kib) &&
                                        parameter(data, "parallelism", &phc->cost.lanes));
    }
    return false;
}

static bool decode(const void *ctx, const json_t *object, const char *key, size_t min, struct bytes *ret)
{
    const char *text;
    return json_get_string(object, key, &text) == OP_OK && codec_from_base64(ctx, bytes_of(text), ret) == OP_OK &&
           is_part(*ret, min);
}

static enum op_err read_keycloak(const void *ctx, const json_t *data, const json_t *secret, const char *value_key,
                                 struct password_phc *ret, const char **ret_why)
{
    struct password_phc phc = {0};
    const char *algorithm;
    int64_t iterations;
    if (json_get_string(data, "algorithm", &algorithm) != OP_OK)
        return refuse(OP_INVALID, "the credential says no algorithm", ret_why);
    if (!keycloak_scheme(data, algorithm, &phc))
        return refuse(OP_INVALID, "the credential is of an algorithm that is not known here", ret_why);
    if (json_get_int(data, "hashIterations", &iterations) != OP_OK || iterations < 1 || iterations > INT32_MAX)
        return refuse(OP_INVALID, "the credential's hashIterations are no number", ret_why);
    phc.cost.iterations = (uint32_t)iterations;
    if (!decode(ctx, secret, "salt", PASSWORD_SALT_MIN, &phc.salt) ||
        !decode(ctx, secret, value_key, PASSWORD_HASH_MIN, &phc.hash))
        return refuse(OP_INVALID, "the credential's salt or value is not base64 of 8 to 64 bytes", ret_why);
    *ret = phc;
    return OP_OK;
}

enum op_err password_import_keycloak(const void *ctx, const json_t *credential, uint32_t memory_max_kib, char **ret,
                                     const char **ret_why)
{
    struct password_phc phc;
    const char *value;
    void *scratch = mem_root("password_import_keycloak");
    bool old = json_object_get(credential, "credentialData") == NULL;
    const json_t *data = old ? credential : unpack(scratch, credential, "credentialData");
    const json_t *secret = old ? credential : unpack(scratch, credential, "secretData");
    const char *value_key = old ? "hashedSaltedValue" : "value";
    enum op_err err;
    if (json_get_string(secret, value_key, &value) == OP_OK && value[0] == '$') { /* extensions of Keycloak do so */
        err = password_import(ctx, value, memory_max_kib, ret, ret_why);
    } else {
        err = read_keycloak(scratch, data, secret, value_key, &phc, ret_why);
        if (err == OP_OK)
            err = judge_and_write(ctx, &phc, memory_max_kib, ret, ret_why);
    }
    talloc_free(scratch);
    return err;
}
