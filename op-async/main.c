/* op-async: the only way out of the house. Fetches the documents that other servers wish for. */
#include "runtime/server.h"

static const struct kv_store STORES[] = {{KV_REMOTE, true}, {KV_GUARD, true}};

int main(int argc, char **argv)
{
    static const struct server_description description = {
        .name = "op-async",
        .purpose = "What leaves the house: documents that clients publish elsewhere.",
        .stores = STORES,
        .store_count = sizeof STORES / sizeof *STORES,
    };
    return server_run(&description, argc, argv);
}
