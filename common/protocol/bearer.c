#include "protocol/bearer.h"

#include <stddef.h>
#include <string.h>
#include <strings.h>

const char *bearer_token(const char *authorization)
{
    if (authorization == NULL || strncasecmp(authorization, "Bearer", 6) != 0)
        return NULL;
    const char *token = authorization + 6 + strspn(authorization + 6, " ");
    return authorization[6] == ' ' && *token != '\0' ? token : NULL;
}
