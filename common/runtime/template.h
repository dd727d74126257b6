#pragma once
/* The template language of pages (see page.h). Nothing blocks. */
#include "base/buf.h"
#include "data/json.h"

struct template;

/* Parses text. Owned by ctx. OP_INVALID with *ret_why, "LINE: what" (owned by ctx): a tag that does not end, a
 * section that is not closed, a name of other characters than [A-Za-z0-9_.-]. */
must_check enum op_err template_parse(const void *ctx, struct bytes text, struct template **ret, const char **ret_why);

/* Where a template finds what it names. A message or part that is not there is NULL. */
struct template_source {
    const char *(*message)(const void *arg, const char *key);
    const struct template *(*part)(const void *arg, const char *name);
    const void *arg;
};

/* Adds the filled template to out. Parts nest 16 deep at most. */
void template_render(struct buf *out, const struct template *template, const struct template_source *source,
                     const json_t *values);

/* Adds one message with its {name} placeholders filled; a placeholder without a value is left out. */
void template_fill(struct buf *out, const char *message, const json_t *values);

/* The first message or part that the template names and the source has not, "LINE: what"; NULL when
 * all are there. Owned by ctx. */
const char *template_missing(const void *ctx, const struct template *template, const struct template_source *source);
