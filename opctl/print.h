#pragma once
/* What commands print: JSON, or the same for people. Text from records loses its control characters on
 * the way to a terminal. May block on standard output. */
#include "data/json.h"

/* Any value as indented JSON with a newline. */
void print_json(const json_t *value);
/* Any value as JSON on one line. */
void print_json_line(const json_t *value);
/* One "name: value" line per member; arrays joined by spaces, nested objects as JSON. */
void print_members(const json_t *object);
/* Columns named by members, NULL-terminated, under a line of headings; nothing for an empty array. */
void print_table(const json_t *array, const char *const *columns);
/* The same, with one space between columns instead of two where it would be wider than this. */
void print_table_within(const json_t *array, const char *const *columns, size_t width);

/* One member as a line would show it; owned by ctx, "" for NULL. */
char *print_text(const void *ctx, const json_t *value);
