#pragma once
/* Fields that a reader does not know, as a newer version writes them: planted in a record and in every message within
 * it, and looked for again. For tests. */
#include <string.h>

#include "data/records.h"

enum { UNKNOWN_FIELD = 19876 };
static const uint8_t UNKNOWN_VALUE[] = {6, 'f', 'u', 't', 'u', 'r', 'e'}; /* with its length in front */

/* The messages in one field; *one is room for a pointer. */
static inline ProtobufCMessage **unknown_nested(const ProtobufCMessage *message, const ProtobufCFieldDescriptor *field,
                                                ProtobufCMessage **one, size_t *ret_count)
{
    const char *base = (const char *)message;
    ProtobufCMessage **many = one;
    *ret_count = 0;
    if (field->type != PROTOBUF_C_TYPE_MESSAGE)
        return many;
    if (field->label == PROTOBUF_C_LABEL_REPEATED) {
        memcpy(ret_count, base + field->quantifier_offset, sizeof *ret_count);
        memcpy(&many, base + field->offset, sizeof many);
        return many;
    }
    memcpy(one, base + field->offset, sizeof *one);
    *ret_count = *one == NULL ? 0 : 1;
    return many;
}

static inline bool unknown_is_planted(const ProtobufCMessage *message)
{
    for (unsigned i = 0; i < message->n_unknown_fields; i++) {
        const ProtobufCMessageUnknownField *field = &message->unknown_fields[i];
        if (field->tag == UNKNOWN_FIELD && field->len == sizeof UNKNOWN_VALUE &&
            memcmp(field->data, UNKNOWN_VALUE, sizeof UNKNOWN_VALUE) == 0)
            return true;
    }
    return false;
}

static inline void unknown_plant(const void *ctx, ProtobufCMessage *message)
{
    for (unsigned i = 0; i < message->descriptor->n_fields; i++) {
        ProtobufCMessage *one;
        size_t count;
        ProtobufCMessage **nested = unknown_nested(message, &message->descriptor->fields[i], &one, &count);
        for (size_t n = 0; n < count; n++)
            unknown_plant(ctx, nested[n]);
    }
    if (unknown_is_planted(message))
        return;
    ProtobufCMessageUnknownField *fields = mem_array(ctx, ProtobufCMessageUnknownField, message->n_unknown_fields + 1);
    if (message->n_unknown_fields > 0)
        memcpy(fields, message->unknown_fields, message->n_unknown_fields * sizeof *fields);
    struct bytes value = mem_bytes(ctx, bytes_from(UNKNOWN_VALUE, sizeof UNKNOWN_VALUE));
    fields[message->n_unknown_fields++] = (ProtobufCMessageUnknownField){
        .tag = UNKNOWN_FIELD, .wire_type = PROTOBUF_C_WIRE_TYPE_LENGTH_PREFIXED, .len = value.len,
        .data = (uint8_t *)(uintptr_t)value.data};
    message->unknown_fields = fields;
}

/* How many messages lie in it, itself included, and how many of them have the field. */
struct unknown_count {
    size_t messages, planted;
};

static inline void unknown_count(const ProtobufCMessage *message, struct unknown_count *count)
{
    count->messages++;
    count->planted += unknown_is_planted(message);
    for (unsigned i = 0; i < message->descriptor->n_fields; i++) {
        ProtobufCMessage *one;
        size_t nested_count;
        ProtobufCMessage **nested = unknown_nested(message, &message->descriptor->fields[i], &one, &nested_count);
        for (size_t n = 0; n < nested_count; n++)
            unknown_count(nested[n], count);
    }
}
