#pragma once
/* The members of a client's metadata in tables: for client_metadata.c, which reads them, and for what writes and
 * replaces them. Pure. */
#include "protocol/client_metadata.h"

/* Who says it: clients of themselves, or the operator alone. */
enum metadata_writer { METADATA_OF_CLIENTS, METADATA_OF_OPERATORS };

struct metadata_text {
    const char *name;
    size_t offset, max; /* of the record's member; bytes */
    const char *(*problem)(const char *text); /* what is wrong with one, or NULL */
};
struct metadata_list {
    const char *name;
    enum metadata_writer writer;
    size_t offset, count_offset, max, item_max;
    const char *(*problem)(const char *text, const Rec__Client *client);
};
struct metadata_flag {
    const char *name;
    enum metadata_writer writer;
    size_t offset, has_offset;
};
struct metadata_number {
    const char *name;
    enum metadata_writer writer;
    size_t offset, has_offset;
    int64_t max;
    bool zero_is_none; /* 0 says what leaving it out says */
    const char *wrong; /* what is said of a number that it cannot be */
};
/* Ended by one without a name. */
extern const struct metadata_text METADATA_TEXTS[];
extern const struct metadata_list METADATA_LISTS[];
extern const struct metadata_flag METADATA_FLAGS[];
extern const struct metadata_number METADATA_NUMBERS[];

/* Where the member stands in the record. */
char **metadata_text_of(const Rec__Client *client, const struct metadata_text *field);
protobuf_c_boolean *metadata_flag_of(const Rec__Client *client, const struct metadata_flag *field);
protobuf_c_boolean *metadata_has_flag(const Rec__Client *client, const struct metadata_flag *field);
int64_t *metadata_number_of(const Rec__Client *client, const struct metadata_number *field);
protobuf_c_boolean *metadata_has_number(const Rec__Client *client, const struct metadata_number *field);

struct metadata_strings {
    char **items;
    size_t count;
};
struct metadata_strings metadata_list_of(const Rec__Client *client, const struct metadata_list *field);
void metadata_set_list(Rec__Client *client, const struct metadata_list *field, struct metadata_strings list);
