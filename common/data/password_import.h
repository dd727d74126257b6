#pragma once
/* Password hashes as other programs write them, read into the form in which they are stored (password_phc.h). Pure.
 *
 *   $argon2id$v=19$m=M,t=T,p=P$SALT$HASH     PHC; also argon2i, argon2d, and Django's with argon2 in front
 *   $2b$12$...                               bcrypt; also $2a$, $2y$, and with bcrypt$, {bcrypt} or {CRYPT} in front
 *   $pbkdf2-sha256$29000$SALT$HASH           passlib (also $pbkdf2$, which is SHA-1, and -sha512; '.' for '+')
 *   $pbkdf2-sha256$i=29000$SALT$HASH         PHC, with or without ,l=LENGTH
 *   pbkdf2_sha256$600000$SALT$HASH           Django (also pbkdf2_sha1, pbkdf2_sha512): the salt is text
 *   {"algorithm": "pbkdf2-sha256", ...}      a credential of Keycloak's: password_import_keycloak
 *
 * A hash that would hold a thread for longer than about a second is refused: bcrypt over 14, PBKDF2 over two million
 * iterations, argon2 over 1 GiB times passes, and any that asks for more memory than memory_max_kib. */
#include "data/json.h"
#include "data/password.h"

/* The stored form, owned by ctx. OP_INVALID: no such hash; OP_TOO_LARGE: it costs too much. *ret_why is then why,
 * owned by ctx or static; nothing of the text is in it. */
must_check enum op_err password_import(const void *ctx, const char *text, uint32_t memory_max_kib, char **ret,
                                       const char **ret_why);
/* The same of a credential in a realm's export, its type "password": credentialData and secretData, each JSON text,
 * or (before Keycloak 8) hashedSaltedValue, salt, hashIterations and algorithm. */
must_check enum op_err password_import_keycloak(const void *ctx, const json_t *credential, uint32_t memory_max_kib,
                                                char **ret, const char **ret_why);
