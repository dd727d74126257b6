/* Records: the first byte chooses the type. What was unpacked and packed unpacks to the same bytes. */
#include <stdlib.h>

#include "data/records.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const ProtobufCMessageDescriptor *const TYPES[] = {
    &rec__environment__descriptor, &rec__client__descriptor,        &rec__user__descriptor,
    &rec__password__descriptor,    &rec__session__descriptor,       &rec__consent__descriptor,
    &rec__code__descriptor,        &rec__spent_code__descriptor,    &rec__family__descriptor,
    &rec__signing_key__descriptor, &rec__rotation_wish__descriptor, &rec__private_key__descriptor,
};

static void require(bool ok)
{
    if (!ok)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0)
        return 0;
    const ProtobufCMessageDescriptor *type = TYPES[data[0] % (sizeof TYPES / sizeof *TYPES)];
    struct bytes in = bytes_from(data + 1, size - 1);
    void *ctx = mem_root("fuzz"), *message = NULL, *again = NULL;
    enum op_err err = records_unpack(ctx, type, in, &message);
    enum op_err any = records_unpack_any(ctx, type, in, &message);
    require(any == OP_OK ? err == OP_OK || err == OP_DENIED : err == OP_BROKEN);
    if (any == OP_OK) {
        struct bytes packed = records_pack(ctx, message);
        require(records_unpack_any(ctx, type, packed, &again) == OP_OK);
        require(bytes_equal(packed, records_pack(ctx, again)));
    }
    talloc_free(ctx);
    return 0;
}
