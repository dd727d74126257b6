#include "data/mail_address.h"

#include <stddef.h>
#include <string.h>

enum { LOCAL_MAX = 64, LABEL_MAX = 63 };

#define ALPHANUMERIC "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"

/* Words of the given characters with dots between them. */
static bool is_dotted(const char *text, size_t len, const char *characters, size_t word_max)
{
    size_t word = 0;
    for (size_t i = 0; i < len; i++) {
        if (text[i] == '.' && word == 0)
            return false;
        word = text[i] == '.' ? 0 : word + 1;
        if (word > word_max || (word != 0 && strchr(characters, text[i]) == NULL))
            return false;
    }
    return word != 0;
}

static bool has_loose_hyphen(const char *domain)
{
    for (const char *p = domain; *p != '\0'; p++)
        if (*p == '-' && (p == domain || p[-1] == '.' || p[1] == '.' || p[1] == '\0'))
            return true;
    return false;
}

bool mail_address_is_plain(const char *text)
{
    const char *at = strrchr(text, '@');
    if (at == NULL || strlen(text) > MAIL_ADDRESS_MAX)
        return false;
    return is_dotted(text, (size_t)(at - text), ALPHANUMERIC "!#$%&'*+-/=?^_`{|}~", LOCAL_MAX) &&
           at - text <= LOCAL_MAX && is_dotted(at + 1, strlen(at + 1), ALPHANUMERIC "-", LABEL_MAX) &&
           !has_loose_hyphen(at + 1);
}
