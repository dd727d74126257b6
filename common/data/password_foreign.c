#include "data/password_foreign.h"

#include <crypt.h>
#include <openssl/evp.h>
#include <stdlib.h>
#include <string.h>

static enum op_err same(struct bytes made, struct bytes stored)
{
    return bytes_equal_ct(made, stored) ? OP_OK : OP_MISMATCH;
}

static enum op_err verify_bcrypt(const char *password, size_t len, const struct password_phc *phc)
{
    char setting[PASSWORD_BCRYPT_SETTING_LEN + 1] = {0};
    memcpy(setting, phc->bcrypt, PASSWORD_BCRYPT_SETTING_LEN);
    void *scratch = mem_root("verify_bcrypt");
    struct crypt_data *data = mem_secret(mem_new(scratch, struct crypt_data)); /* 32 KiB */
    char *phrase = mem_secret(mem_strndup(scratch, password, len < PASSWORD_BCRYPT_MAX ? len : PASSWORD_BCRYPT_MAX));
    const char *made = crypt_rn(phrase, setting, data, sizeof *data);
    enum op_err err = OP_INVALID;
    if (made != NULL && strlen(made) == PASSWORD_BCRYPT_LEN)
        err = same(bytes_of(made), bytes_of(phc->bcrypt));
    talloc_free(scratch);
    return err;
}

static enum op_err verify_pbkdf2(const char *password, size_t len, const struct password_phc *phc, const EVP_MD *md)
{
    uint8_t made[PASSWORD_PART_MAX];
    if (PKCS5_PBKDF2_HMAC(password, (int)len, phc->salt.data, (int)phc->salt.len, (int)phc->cost.iterations, md,
                          (int)phc->hash.len, made) != 1)
        abort();
    enum op_err err = same(bytes_from(made, phc->hash.len), phc->hash);
    mem_wipe(made, sizeof made);
    return err;
}

enum op_err password_foreign_verify(const char *password, size_t len, const struct password_phc *phc)
{
    switch (phc->scheme) {
    case PASSWORD_BCRYPT:
        return verify_bcrypt(password, len, phc);
    case PASSWORD_PBKDF2_SHA1:
        return verify_pbkdf2(password, len, phc, EVP_sha1());
    case PASSWORD_PBKDF2_SHA256:
        return verify_pbkdf2(password, len, phc, EVP_sha256());
    case PASSWORD_PBKDF2_SHA512:
        return verify_pbkdf2(password, len, phc, EVP_sha512());
    default:
        return OP_INVALID;
    }
}
