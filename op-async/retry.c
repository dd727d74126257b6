#include "retry.h"

int64_t retry_delay_ms(const struct retry_settings *settings, int64_t tries, uint32_t chance)
{
    int64_t delay = settings->first < settings->max ? settings->first : settings->max;
    for (int64_t i = 1; i < tries && delay < settings->max; i++)
        delay = delay < settings->max / 2 ? delay * 2 : settings->max;
    delay *= 1000;
    int64_t quarter = delay / 4;
    return delay - quarter + (int64_t)(chance % (uint64_t)(2 * quarter + 1));
}
