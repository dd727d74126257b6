#include "rows.h"

#include "protocol/redirect_uri.h"

static void what_may_be_registered(void **state)
{
    (void)state;
    static const struct {
        const char *rule, *uri;
        bool web, native;
    } rows[] = {
        {"RFC 6749 §3.1.2.1: https", "https://rp.example/cb", true, true},
        {"RFC 6749 §3.1.2: a query is kept", "https://rp.example/cb?a=b", true, true},
        {"RFC 6749 §3.1.2: no fragment", "https://rp.example/cb#f", false, false},
        {"RFC 6749 §3.1.2: not even an empty fragment", "https://rp.example/cb#", false, false},
        {"RFC 6749 §3.1.2: absolute", "/cb", false, false},
        {"RFC 6749 §3.1.2: absolute, with a scheme", "//rp.example/cb", false, false},
        {"no userinfo", "https://rp.example@evil.example/cb", false, false},
        {"RFC 6749 §3.1.2.1: http elsewhere", "http://rp.example/cb", false, false},
        {"a name that only looks like loopback", "http://localhost.evil.example/cb", false, false},
        {"http on 127.0.0.1", "http://127.0.0.1/cb", true, true},
        {"http on a port of localhost", "http://localhost:8090/callback", true, true},
        {"http on [::1]", "http://[::1]:3000/", true, true},
        {"RFC 8252 §7.1: a private-use scheme is a reversed domain name", "com.example.app:/cb", false, true},
        {"RFC 8252 §7.1: so it has a dot", "myapp:/cb", false, false},
        {"RFC 8252 §7.1: with two slashes too", "com.example.app://cb", false, true},
        {"javascript", "javascript:alert(1)", false, false},
        {"data", "data:text/html,x", false, false},
        {"file", "file:///etc/passwd", false, false},
        {"a space", "https://rp.example/c b", false, false},
        {"a control character", "https://rp.example/\x01", false, false},
        {"beyond ASCII", "https://rp.example/\xc3\xa4", false, false},
        {"a backslash", "https://rp.example\\@evil.example/", false, false},
        {"a wildcard", "https://*.rp.example/cb", false, false},
        {"no host", "https:///cb", false, false},
        {"no authority", "https:cb", false, false},
        {"an empty one", "", false, false},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        row_equal(rows[i].rule, redirect_uri_problem(rows[i].uri, "web") == NULL, rows[i].web);
        row_equal(rows[i].rule, redirect_uri_problem(rows[i].uri, NULL) == NULL, rows[i].web);
        row_equal(rows[i].rule, redirect_uri_problem(rows[i].uri, "native") == NULL, rows[i].native);
    }
}

static void what_matches(void **state)
{
    (void)state;
    static const struct {
        const char *rule, *requested, *registered;
        bool web, native;
    } rows[] = {
        {"RFC 9700 §2.1: exact", "https://rp.example/cb", "https://rp.example/cb", true, true},
        {"RFC 9700 §2.1: a longer path", "https://rp.example/cb/x", "https://rp.example/cb", false, false},
        {"RFC 9700 §2.1: a query", "https://rp.example/cb?x=1", "https://rp.example/cb", false, false},
        {"RFC 9700 §2.1: a fragment", "https://rp.example/cb#f", "https://rp.example/cb", false, false},
        {"RFC 9700 §2.1: a slash", "https://rp.example/cb/", "https://rp.example/cb", false, false},
        {"RFC 9700 §2.1: case, even of the host", "https://RP.example/cb", "https://rp.example/cb", false, false},
        {"RFC 9700 §2.1: the default port", "https://rp.example:443/cb", "https://rp.example/cb", false, false},
        {"RFC 9700 §2.1: dot segments", "https://rp.example/x/../cb", "https://rp.example/cb", false, false},
        {"RFC 8252 §7.3: any port on 127.0.0.1", "http://127.0.0.1:51004/cb", "http://127.0.0.1/cb", false, true},
        {"RFC 8252 §7.3: instead of a registered one", "http://127.0.0.1:2/cb", "http://127.0.0.1:1/cb", false, true},
        {"RFC 8252 §7.3: or none", "http://127.0.0.1/cb", "http://127.0.0.1:1/cb", false, true},
        {"RFC 8252 §7.3: any port on [::1]", "http://[::1]:51004/cb", "http://[::1]/cb", false, true},
        {"RFC 8252 §7.3: without a path", "http://127.0.0.1:51004", "http://127.0.0.1", false, true},
        {"RFC 8252 §7.3: the path stays", "http://127.0.0.1:51004/other", "http://127.0.0.1/cb", false, false},
        {"RFC 8252 §7.3: the query stays", "http://127.0.0.1:51004/cb?x", "http://127.0.0.1/cb", false, false},
        {"RFC 8252 §7.3: one address is not the other", "http://[::1]:1/cb", "http://127.0.0.1:1/cb", false, false},
        {"RFC 8252 §8.3: not for localhost", "http://localhost:2/cb", "http://localhost:1/cb", false, false},
        {"RFC 8252 §7.3: not for https", "https://127.0.0.1:2/cb", "https://127.0.0.1:1/cb", false, false},
        {"a host behind the port", "http://127.0.0.1:1@evil.example/cb", "http://127.0.0.1:1/cb", false, false},
        {"a name behind the address", "http://127.0.0.1.evil.example/cb", "http://127.0.0.1/cb", false, false},
        {"a registered name that begins like it", "http://127.0.0.1:1.evil.example/cb", "http://127.0.0.1.evil.example/cb",
         false, false},
        {"digits behind the address", "http://127.0.0.15/cb", "http://127.0.0.1/cb", false, false},
        {"an empty port", "http://127.0.0.1:/cb", "http://127.0.0.1/cb", false, false},
        {"a port of six digits", "http://127.0.0.1:123456/cb", "http://127.0.0.1/cb", false, false},
        {"nothing", "", "https://rp.example/cb", false, false},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        char *registered[] = {(char[]){"https://other.example/"}, strdup(rows[i].registered)};
        row_equal(rows[i].rule, redirect_uri_matches(rows[i].requested, registered, 2, false), rows[i].web);
        row_equal(rows[i].rule, redirect_uri_matches(rows[i].requested, registered, 2, true), rows[i].native);
        assert_false(redirect_uri_matches(rows[i].requested, registered, 0, true));
        free(registered[1]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_may_be_registered),
        cmocka_unit_test(what_matches),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
