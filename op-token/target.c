#include "target.h"

enum op_err target_of_grant(const void *ctx, const struct param_list *asked, const Rec__Grant *grant,
                            struct scope_list *ret, struct oauth_error *ret_error)
{
    return resource_select(ctx, asked, grant->audiences, grant->n_audiences,
                           "resource has one that was not granted: the authorization request has to name it", ret,
                           ret_error);
}

enum op_err target_of_client(const void *ctx, const struct param_list *asked, const Rec__Client *client,
                             struct scope_list *ret, struct oauth_error *ret_error)
{
    enum op_err err = resource_select(ctx, asked, client->resources, client->n_resources, RESOURCE_NOT_REGISTERED, ret,
                                      ret_error);
    if (err == OP_OK && asked->count == 0)
        *ret = (struct scope_list){client->audiences, client->n_audiences};
    return err;
}
