#include "data/records.h"

#include <assert.h>
#include <string.h>

static void *allocate(void *ctx, size_t size)
{
    return mem_array(ctx, uint8_t, size);
}

static void release(void *ctx, void *allocation)
{
    (void)ctx;
    talloc_free(allocation);
}

static ProtobufCAllocator allocator_in(const void *ctx)
{
    union {
        const void *given;
        void *taken;
    } same = {.given = ctx};
    return (ProtobufCAllocator){.alloc = allocate, .free = release, .allocator_data = same.taken};
}

static bool is_sound(const ProtobufCMessage *message);

static bool are_nested_sound(const ProtobufCMessage *message, const ProtobufCFieldDescriptor *field)
{
    const char *base = (const char *)message;
    ProtobufCMessage *one, **many = &one;
    size_t count;
    if (field->label == PROTOBUF_C_LABEL_REPEATED) {
        memcpy(&count, base + field->quantifier_offset, sizeof count);
        memcpy(&many, base + field->offset, sizeof many);
    } else {
        memcpy(&one, base + field->offset, sizeof one);
        count = one == NULL ? 0 : 1;
    }
    for (size_t i = 0; i < count; i++)
        if (!is_sound(many[i]))
            return false;
    return true;
}

/* protobuf-c reads an overlong field number 0 but writes one that nobody reads. */
static bool is_sound(const ProtobufCMessage *message)
{
    for (unsigned i = 0; i < message->n_unknown_fields; i++)
        if (message->unknown_fields[i].tag == 0)
            return false;
    for (unsigned i = 0; i < message->descriptor->n_fields; i++)
        if (message->descriptor->fields[i].type == PROTOBUF_C_TYPE_MESSAGE &&
            !are_nested_sound(message, &message->descriptor->fields[i]))
            return false;
    return true;
}

enum op_err records_unpack_any(const void *ctx, const ProtobufCMessageDescriptor *type, struct bytes in, void *ret)
{
    ProtobufCAllocator allocator = allocator_in(ctx);
    ProtobufCMessage *message = protobuf_c_message_unpack(type, &allocator, in.len, in.data);
    if (message == NULL)
        return OP_BROKEN;
    if (!is_sound(message)) {
        protobuf_c_message_free_unpacked(message, &allocator);
        return OP_BROKEN;
    }
    memcpy(ret, &message, sizeof message);
    return OP_OK;
}

/* What the record says it needs, by its field of that name; 0 when it says nothing. */
static uint32_t needs_of(const ProtobufCMessage *message)
{
    const ProtobufCMessageDescriptor *type = message->descriptor;
    const ProtobufCFieldDescriptor *field = protobuf_c_message_descriptor_get_field_by_name(type, "needs");
    if (field == NULL)
        return 0;
    assert(field->type == PROTOBUF_C_TYPE_UINT32 && field->label == PROTOBUF_C_LABEL_OPTIONAL);
    uint32_t needs;
    memcpy(&needs, (const char *)message + field->offset, sizeof needs);
    return needs;
}

enum op_err records_unpack(const void *ctx, const ProtobufCMessageDescriptor *type, struct bytes in, void *ret)
{
    ProtobufCMessage *message;
    enum op_err err = records_unpack_any(ctx, type, in, &message);
    if (err != OP_OK)
        return err;
    if (needs_of(message) > RECORDS_FORMAT) {
        ProtobufCAllocator allocator = allocator_in(ctx);
        protobuf_c_message_free_unpacked(message, &allocator);
        return OP_DENIED;
    }
    memcpy(ret, &message, sizeof message);
    return OP_OK;
}

void *records_new(const void *ctx, const ProtobufCMessageDescriptor *type)
{
    void *message = mem_zeroed_(ctx, type->sizeof_message, 1, type->name);
    protobuf_c_message_init(type, message);
    return message;
}

struct bytes records_pack(const void *ctx, const void *message)
{
    size_t size = protobuf_c_message_get_packed_size(message);
    uint8_t *out = mem_array(ctx, uint8_t, size + 1);
    size_t packed = protobuf_c_message_pack(message, out);
    assert(packed == size);
    return bytes_from(out, packed);
}

char **records_strings(const void *ctx, char *const *values, size_t count)
{
    char **copies = mem_array(ctx, char *, count);
    for (size_t i = 0; i < count; i++)
        copies[i] = mem_strdup(ctx, values[i]);
    return copies;
}

bool records_contain(char *const *values, size_t count, const char *value)
{
    for (size_t i = 0; i < count; i++)
        if (strcmp(values[i], value) == 0)
            return true;
    return false;
}
