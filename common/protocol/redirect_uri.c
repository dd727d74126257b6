#include "protocol/redirect_uri.h"

#include <string.h>

#include "data/uri.h"

static const char *problem_of(const struct uri *uri, bool native)
{
    if (uri->has_fragment)
        return "has a fragment";
    if (uri->has_userinfo)
        return "has a user name or password";
    bool http = strcmp(uri->scheme, "http") == 0;
    if (http || strcmp(uri->scheme, "https") == 0) {
        if (uri->host == NULL || *uri->host == '\0')
            return "names no host";
        if (strchr(uri->host, '*') != NULL)
            return "has a wildcard: matching is exact";
        return http && !uri_host_is_loopback(uri->host) ? "is http but not on the loopback address" : NULL;
    }
    if (!native)
        return "is not https";
    if (strchr(uri->scheme, '.') == NULL)
        return "has a scheme that is neither https nor a reversed domain name, such as com.example.app";
    return NULL;
}

const char *redirect_uri_problem(const char *uri, const char *application_type)
{
    void *scratch = mem_root("redirect_uri");
    struct uri parsed;
    const char *problem = "is not an absolute URI";
    if (uri_parse(scratch, uri, &parsed) == OP_OK)
        problem = problem_of(&parsed, application_type != NULL && strcmp(application_type, "native") == 0);
    talloc_free(scratch);
    return problem;
}

/* For a http URI of a loopback IP address: what follows its port; *ret_prefix_len is where the port
 * begins. NULL for all others. */
static const char *after_loopback_port(const char *uri, size_t *ret_prefix_len)
{
    static const char *const hosts[] = {"http://127.0.0.1", "http://[::1]"};
    for (size_t i = 0; i < sizeof hosts / sizeof *hosts; i++) {
        size_t len = strlen(hosts[i]);
        if (strncmp(uri, hosts[i], len) != 0)
            continue;
        *ret_prefix_len = len;
        const char *rest = uri + len;
        if (*rest == ':') {
            size_t digits = strspn(rest + 1, "0123456789");
            if (digits < 1 || digits > 5)
                return NULL;
            rest += 1 + digits;
        }
        return *rest == '\0' || *rest == '/' || *rest == '?' ? rest : NULL;
    }
    return NULL;
}

static bool matches_but_port(const char *requested, const char *registered)
{
    size_t requested_len, registered_len;
    const char *requested_rest = after_loopback_port(requested, &requested_len);
    const char *registered_rest = after_loopback_port(registered, &registered_len);
    return requested_rest != NULL && registered_rest != NULL && requested_len == registered_len &&
           strncmp(requested, registered, registered_len) == 0 && strcmp(requested_rest, registered_rest) == 0;
}

bool redirect_uri_matches(const char *requested, char *const *registered, size_t count, bool native)
{
    for (size_t i = 0; i < count; i++)
        if (strcmp(requested, registered[i]) == 0 || (native && matches_but_port(requested, registered[i])))
            return true;
    return false;
}
