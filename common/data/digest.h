#pragma once
/* Hashes, MACs, key derivation and sealing, by OpenSSL. Never blocks; aborts if OpenSSL fails on
 * inputs that cannot fail (no memory). */
#include "base/err.h"
#include "base/mem.h"

enum { DIGEST_SHA256_LEN = 32, DIGEST_KEY_LEN = 32 };

void digest_sha256(struct bytes in, uint8_t out[DIGEST_SHA256_LEN]);
/* The same of a string, as a slice owned by ctx. */
struct bytes digest_sha256_of(const void *ctx, const char *s);
/* The same of what comes in parts. The stream is owned by ctx; after the end it is empty again. */
struct digest_stream;
struct digest_stream *digest_sha256_stream(const void *ctx);
void digest_sha256_add(struct digest_stream *stream, struct bytes part);
void digest_sha256_end(struct digest_stream *stream, uint8_t out[DIGEST_SHA256_LEN]);

/* alg_bits is 256, 384 or 512; out has room for 64 bytes; returns the length. */
size_t digest_sha2(unsigned alg_bits, struct bytes in, uint8_t out[64]);

void digest_hmac_sha256(struct bytes key, struct bytes in, uint8_t out[DIGEST_SHA256_LEN]);

/* HKDF-SHA-256 (RFC 5869) without salt: a key for one purpose out of a master key. */
void digest_derive(struct bytes master, const char *purpose, uint8_t out[DIGEST_KEY_LEN]);

/* AES-256-GCM, 96-bit random nonce in front, tag behind; aad is authenticated, not stored.
 * key is 32 bytes. The result is owned by ctx. */
struct bytes digest_seal(const void *ctx, const uint8_t key[DIGEST_KEY_LEN], struct bytes aad, struct bytes plain);
/* OP_MISMATCH: not sealed under this key and aad, or changed. The plain text is wiped with ctx. */
must_check enum op_err digest_open(const void *ctx, const uint8_t key[DIGEST_KEY_LEN], struct bytes aad,
                                   struct bytes sealed, struct bytes *ret);
