/* Claims of an account as a merge patch: what was taken once is taken again, and is the same then. */
#include <stdlib.h>
#include <string.h>

#include "operator/operate_user_claims.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool ok)
{
    if (!ok)
        abort();
}

static void patch_it(const void *ctx, const json_t *patch, bool whole)
{
    Rec__User *user = records_new(ctx, &rec__user__descriptor);
    struct refusal refusal = {0};
    if (!operate_user_claims_change(ctx, user, patch, whole, &refusal)) {
        require(refusal.what != NULL && strncmp(refusal.member, "claims", 6) == 0);
        return;
    }
    json_t *once = operate_user_claims_json(ctx, user);
    require(json_object_get(once, "sub") == NULL && json_object_get(once, "iss") == NULL);
    require(operate_user_claims_change(ctx, user, once, true, &refusal));
    require(json_equal(once, operate_user_claims_json(ctx, user)));
    require(operate_user_claims_change(ctx, user, patch, whole, &refusal));
    require(json_equal(once, operate_user_claims_json(ctx, user)));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    void *ctx = mem_root("fuzz");
    json_t *patch;
    if (json_read(ctx, bytes_from(data, size), &patch) == OP_OK && json_is_object(patch)) {
        patch_it(ctx, patch, false);
        patch_it(ctx, patch, true);
    }
    talloc_free(ctx);
    return 0;
}
