#pragma once
/* Refresh tokens: family || generation || secret || tag, and the rules of rotation (ARCHITECTURE.md,
 * "Refresh tokens"; RFC 9700 §4.14). Pure; K is op-token's own 32-byte key. */
#include "data/digest.h"
#include "data/records.h"

enum { REFRESH_SECRET_LEN = 32, REFRESH_FAMILY_LEN = 16, REFRESH_GENERATIONS_KEPT = 16 };

struct refresh_token {
    uint8_t family_id[REFRESH_FAMILY_LEN];
    uint32_t generation; /* from 1 */
    uint8_t secret[REFRESH_SECRET_LEN];
    uint8_t tag[DIGEST_SHA256_LEN];
};

/* Splits without believing. OP_INVALID: not of the form. */
must_check enum op_err refresh_token_parse(const char *text, struct refresh_token *ret);
/* base64url, owned by ctx, wiped when freed. */
char *refresh_token_text(const void *ctx, const struct refresh_token *token);

/* The first of a family: a random secret given by the caller, generation 1, tagged under K. */
void refresh_token_first(const uint8_t k[DIGEST_KEY_LEN], const uint8_t family_id[REFRESH_FAMILY_LEN],
                         const uint8_t secret[REFRESH_SECRET_LEN], struct refresh_token *ret);
/* The successor: always the same one for the same token and K. */
void refresh_token_next(const uint8_t k[DIGEST_KEY_LEN], const struct refresh_token *token, struct refresh_token *ret);
/* True when the tag proves that we issued it under K. Constant time. */
bool refresh_token_is_ours(const uint8_t k[DIGEST_KEY_LEN], const struct refresh_token *token);

struct refresh_windows {
    int64_t lost_answer;  /* seconds after rotation in which the predecessor is answered (600) */
    int64_t race;         /* seconds after the successor was first presented (60) */
};

enum refresh_verdict {
    REFRESH_CURRENT,   /* the current one: rotate, or answer with the same one */
    REFRESH_RETRY,     /* a predecessor within its windows: answer with its same successor, nothing rotates */
    REFRESH_THEFT,     /* a predecessor later than that: the family dies */
    REFRESH_INVALID,   /* unverifiable, or newer than the stored generation: invalid_grant, kills nothing */
};
/* Judges a presented token against its family (which is alive, and whose client matched). Both bounds
 * of a predecessor belong to their window. A generation whose hash is gone is THEFT when its tag is
 * ours, else INVALID. A predecessor whose successor was made under a former K and is already in use
 * is INVALID: nobody can make that successor again. */
enum refresh_verdict refresh_judge(const uint8_t k[DIGEST_KEY_LEN], const struct refresh_token *token,
                                   const Rec__Family *family, const struct refresh_windows *windows, int64_t now);

/* For those who have no K, by the hashes that the family keeps alone. Constant time in the secret.
 * The first: it is one of the kept generations, however old. The second: refresh_judge() would say CURRENT
 * or RETRY now (but for a predecessor whose successor was made under a former K, which only K can tell). */
bool refresh_token_is_kept(const struct refresh_token *token, const Rec__Family *family);
bool refresh_token_is_answered(const struct refresh_token *token, const Rec__Family *family,
                               const struct refresh_windows *windows, int64_t now);

/* Gives a new family its first generation. Arrays are of ctx. */
void refresh_begin(const void *ctx, Rec__Family *family, const struct refresh_token *first);

/* Writes the outcome of REFRESH_CURRENT or REFRESH_RETRY into the family record: notes when the
 * successor was first presented; on CURRENT with rotate, appends generation+1 with the hash of next
 * (refresh_token_next of presented) and drops what is over REFRESH_GENERATIONS_KEPT; on RETRY (next the same,
 * rotate false) puts the hash of next in the place of a successor made under a former K and never
 * presented. The lifetimes are the caller's. Arrays are of ctx. True when the record changed. */
bool refresh_apply(const void *ctx, Rec__Family *family, const struct refresh_token *presented,
                   const struct refresh_token *next, bool rotate, int64_t now);

/* True when this client's tokens rotate: as told, else only public clients. */
bool refresh_rotates(const Rec__Client *client);
