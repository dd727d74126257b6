#include "protocol/resource.h"

#include "data/uri.h"

bool resource_is_any(const char *value)
{
    return value != NULL;
}

const char *resource_problem(const char *resource)
{
    void *scratch = mem_root("resource_problem");
    struct uri uri;
    const char *problem = NULL;
    if (uri_parse(scratch, resource, &uri) != OP_OK)
        problem = "is not an absolute URI";
    else if (uri.has_fragment)
        problem = "has a fragment";
    talloc_free(scratch);
    return problem;
}

static enum op_err refuse(struct oauth_error *ret_error, const char *description)
{
    *ret_error = (struct oauth_error){OAUTH_INVALID_TARGET, description};
    return OP_INVALID;
}

enum op_err resource_select(const void *ctx, const struct param_list *asked, char *const *allowed,
                            size_t allowed_count, const char *refusal, struct scope_list *ret,
                            struct oauth_error *ret_error)
{
    struct scope_list selected = {.items = mem_array(ctx, char *, asked->count)};
    for (size_t i = 0; i < asked->count; i++) {
        const char *resource = asked->items[i];
        const char *problem = resource_problem(resource);
        if (problem != NULL)
            return refuse(ret_error, mem_printf(ctx, "resource %s", problem));
        if (!records_contain(allowed, allowed_count, resource))
            return refuse(ret_error, refusal);
        if (!scope_has(&selected, resource))
            selected.items[selected.count++] = mem_strdup(ctx, resource);
    }
    *ret = selected;
    return OP_OK;
}
