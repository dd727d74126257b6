#include "runtime/language.h"

#include <string.h>
#include <strings.h>

/* How well an offered language suits a range of len characters: 3 the same, 2 the range's start, 1 the
 * same primary language, 0 not at all. */
static int suits(const char *offered, const char *range, size_t len)
{
    size_t whole = strlen(offered);
    if (whole == len && strncasecmp(offered, range, len) == 0)
        return 3;
    if (whole < len && range[whole] == '-' && strncasecmp(offered, range, whole) == 0)
        return 2;
    size_t primary = strcspn(offered, "-");
    size_t wanted = 0;
    while (wanted < len && range[wanted] != '-')
        wanted++;
    return primary == wanted && primary > 0 && strncasecmp(offered, range, primary) == 0 ? 1 : 0;
}

static const char *best(char *const *offered, size_t count, const char *range, size_t len)
{
    const char *found = NULL;
    int found_suits = 0;
    for (size_t i = 0; i < count; i++) {
        int this = suits(offered[i], range, len);
        if (this > found_suits)
            found_suits = this, found = offered[i];
    }
    return found;
}

/* The weight after a range, in thousandths: ";q=0.5" is 500; 1000 when there is none, 0 when malformed. */
static int weight(const char *parameters, size_t len)
{
    while (len > 0 && (*parameters == ' ' || *parameters == '\t'))
        parameters++, len--;
    if (len == 0)
        return 1000;
    if (len < 4 || parameters[0] != ';')
        return 0;
    parameters++, len--;
    while (len > 0 && *parameters == ' ')
        parameters++, len--;
    if (len < 3 || strncasecmp(parameters, "q=", 2) != 0 || (parameters[2] != '0' && parameters[2] != '1'))
        return 0;
    int value = (parameters[2] - '0') * 1000;
    int unit = 100;
    for (size_t i = 4; i < len && parameters[3] == '.' && parameters[i] >= '0' && parameters[i] <= '9'; i++, unit /= 10)
        value += unit * (parameters[i] - '0');
    return value > 1000 ? 1000 : value;
}

static const char *by_accept_language(char *const *offered, size_t count, const char *header)
{
    const char *found = NULL;
    int found_weight = 0;
    while (*header != '\0') {
        header += strspn(header, ", \t");
        size_t len = strcspn(header, ",");
        size_t range = strcspn(header, ",; \t");
        const char *language = best(offered, count, header, range);
        int this = weight(header + range, len - range);
        if (language != NULL && this > found_weight)
            found_weight = this, found = language;
        header += len;
    }
    return found;
}

static const char *by_ui_locales(char *const *offered, size_t count, const char *list)
{
    while (*list != '\0') {
        list += strspn(list, " ");
        size_t len = strcspn(list, " ");
        const char *language = best(offered, count, list, len);
        if (language != NULL)
            return language;
        list += len;
    }
    return NULL;
}

const char *language_choose(char *const *offered, size_t count, const char *ui_locales, const char *accept_language)
{
    const char *found = ui_locales == NULL ? NULL : by_ui_locales(offered, count, ui_locales);
    if (found == NULL && accept_language != NULL)
        found = by_accept_language(offered, count, accept_language);
    return found != NULL ? found : offered[0];
}
