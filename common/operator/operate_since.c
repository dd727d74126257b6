#include "operator/operate_since.h"

int64_t operate_since(int64_t now, int64_t since)
{
    return (now > since ? now : since) + 1;
}
