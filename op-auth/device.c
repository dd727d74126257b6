#include "device.h"

#include <stddef.h>
#include <string.h>

struct mark {
    const char *in_agent, *name;
};

/* The first that fits: browsers name their ancestors too. */
static const struct mark BROWSERS[] = {
    {"Edg/", "Edge"},           {"EdgA/", "Edge"},         {"EdgiOS/", "Edge"}, {"OPR/", "Opera"},
    {"SamsungBrowser/", "Samsung Internet"}, {"Vivaldi/", "Vivaldi"}, {"FxiOS/", "Firefox"}, {"Firefox/", "Firefox"},
    {"CriOS/", "Chrome"},       {"Chromium/", "Chromium"}, {"Chrome/", "Chrome"}, {"Safari/", "Safari"},
    {"curl/", "curl"},
};

static const struct mark SYSTEMS[] = {
    {"iPhone", "iPhone"}, {"iPad", "iPad"},     {"Android", "Android"}, {"Windows", "Windows"},
    {"CrOS", "ChromeOS"}, {"Macintosh", "macOS"}, {"Linux", "Linux"},     {"FreeBSD", "FreeBSD"},
};

static const char *find(const struct mark *marks, size_t count, const char *user_agent)
{
    for (size_t i = 0; i < count; i++) {
        if (strstr(user_agent, marks[i].in_agent) != NULL)
            return marks[i].name;
    }
    return NULL;
}

void device_describe(const char *user_agent, const char **ret_browser, const char **ret_system)
{
    const char *agent = user_agent == NULL ? "" : user_agent;
    *ret_browser = find(BROWSERS, sizeof BROWSERS / sizeof *BROWSERS, agent);
    *ret_system = find(SYSTEMS, sizeof SYSTEMS / sizeof *SYSTEMS, agent);
}
