#include "interaction.h"

#include "base/codec.h"
#include "data/digest.h"
#include "data/json.h"

/* Two keys out of one are not needed: nothing else is sealed under the form key. */
static const char AAD[] = "partita interaction 1";

char *interaction_seal(const void *ctx, const uint8_t key[32], const char *browser,
                       const struct interaction *interaction)
{
    json_t *object = json_make_object(ctx);
    json_set_int(object, "purpose", interaction->purpose);
    json_set_int(object, "at", interaction->created_at);
    json_set_string(object, "browser", codec_base64url(ctx, digest_sha256_of(ctx, browser)));
    json_set_string(object, "request", interaction->request);
    if (interaction->pushed != NULL) {
        json_set_string(object, "pushed", interaction->pushed);
        json_set_int(object, "until", interaction->pushed_until);
    }
    json_set_string(object, "sid", interaction->sid);
    json_set_string(object, "error", interaction->error);
    json_set_string(object, "username", interaction->username);
    if (interaction->signed_in)
        json_set_bool(object, "signed_in", true);
    if (interaction->account_chosen)
        json_set_bool(object, "chosen", true);
    if (interaction->other_account)
        json_set_bool(object, "other", true);
    if (interaction->device)
        json_set_bool(object, "device", true);
    return codec_base64url(ctx, digest_seal(ctx, key, bytes_of(AAD), bytes_of(json_text(ctx, object))));
}

static bool flag(const json_t *object, const char *name)
{
    bool value = false;
    return json_get_bool(object, name, &value) == OP_OK && value;
}

static const char *text_or_null(const json_t *object, const char *name)
{
    const char *value = NULL;
    return json_get_string(object, name, &value) == OP_OK ? value : NULL;
}

enum op_err interaction_open(const void *ctx, const uint8_t key[32], const char *text, struct interaction_opened *ret)
{
    struct bytes sealed, plain, browser_hash;
    json_t *object = NULL;
    int64_t purpose = 0, at = 0, until = 0;
    const char *browser = NULL;
    if (codec_from_base64url(ctx, bytes_of(text), &sealed) != OP_OK ||
        digest_open(ctx, key, bytes_of(AAD), sealed, &plain) != OP_OK || json_read(ctx, plain, &object) != OP_OK)
        return OP_INVALID;
    /* It is ours; what follows fails only for one that another version made. */
    if (json_get_int(object, "purpose", &purpose) != OP_OK || json_get_int(object, "at", &at) != OP_OK ||
        purpose <= 0 || purpose >= INTERACTION_PURPOSES ||
        json_get_string(object, "browser", &browser) != OP_OK ||
        codec_from_base64url(ctx, bytes_of(browser), &browser_hash) != OP_OK)
        return OP_INVALID;
    if (json_get_int(object, "until", &until) != OP_OK)
        until = 0;
    *ret = (struct interaction_opened){
        .interaction = {
            .purpose = (enum interaction_purpose)purpose,
            .created_at = at,
            .request = text_or_null(object, "request"),
            .pushed = text_or_null(object, "pushed"),
            .pushed_until = until,
            .sid = text_or_null(object, "sid"),
            .error = text_or_null(object, "error"),
            .username = text_or_null(object, "username"),
            .signed_in = flag(object, "signed_in"),
            .account_chosen = flag(object, "chosen"),
            .other_account = flag(object, "other"),
            .device = flag(object, "device"),
        },
        .browser_hash = browser_hash,
    };
    return OP_OK;
}

enum interaction_verdict interaction_judge(const struct interaction_opened *opened, enum interaction_purpose purpose,
                                           const char *browser, int64_t now, int64_t lifetime)
{
    if (opened->interaction.purpose != purpose)
        return INTERACTION_OTHER_PURPOSE;
    if (browser == NULL)
        return INTERACTION_NO_COOKIE;
    uint8_t hash[DIGEST_SHA256_LEN];
    digest_sha256(bytes_of(browser), hash);
    if (!bytes_equal_ct(bytes_from(hash, sizeof hash), opened->browser_hash))
        return INTERACTION_OTHER_BROWSER;
    int64_t age = now - opened->interaction.created_at;
    return age < 0 - 60 || age >= lifetime ? INTERACTION_TOO_OLD : INTERACTION_FINE;
}
