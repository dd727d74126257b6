#include "address_guard.h"

#include <arpa/inet.h>

#include "rows.h"

/* The first and the last address of a range, and those just outside it where they are public. */
struct row {
    const char *address;
    bool allowed;
};

static const struct row IPV4[] = {
    {"0.0.0.0", false},         {"0.255.255.255", false},   {"1.0.0.0", true},
    {"9.255.255.255", true},    {"10.0.0.0", false},        {"10.255.255.255", false},  {"11.0.0.0", true},
    {"100.63.255.255", true},   {"100.64.0.0", false},      {"100.100.100.200", false}, {"100.127.255.255", false},
    {"100.128.0.0", true},
    {"126.255.255.255", true},  {"127.0.0.0", false},       {"127.0.0.1", false},       {"127.255.255.255", false},
    {"128.0.0.0", true},
    {"169.253.255.255", true},  {"169.254.0.0", false},     {"169.254.169.254", false}, {"169.254.255.255", false},
    {"169.255.0.0", true},
    {"172.15.255.255", true},   {"172.16.0.0", false},      {"172.31.255.255", false},  {"172.32.0.0", true},
    {"191.255.255.255", true},  {"192.0.0.0", false},       {"192.0.0.9", false},       {"192.0.0.170", false},
    {"192.0.0.255", false},     {"192.0.1.0", true},
    {"192.0.1.255", true},      {"192.0.2.0", false},       {"192.0.2.255", false},     {"192.0.3.0", true},
    {"192.31.195.255", true},   {"192.31.196.0", false},    {"192.31.196.255", false},  {"192.31.197.0", true},
    {"192.52.192.255", true},   {"192.52.193.0", false},    {"192.52.193.255", false},  {"192.52.194.0", true},
    {"192.88.98.255", true},    {"192.88.99.0", false},     {"192.88.99.255", false},   {"192.88.100.0", true},
    {"192.167.255.255", true},  {"192.168.0.0", false},     {"192.168.255.255", false}, {"192.169.0.0", true},
    {"192.175.47.255", true},   {"192.175.48.0", false},    {"192.175.48.255", false},  {"192.175.49.0", true},
    {"198.17.255.255", true},   {"198.18.0.0", false},      {"198.19.255.255", false},  {"198.20.0.0", true},
    {"198.51.99.255", true},    {"198.51.100.0", false},    {"198.51.100.255", false},  {"198.51.101.0", true},
    {"203.0.112.255", true},    {"203.0.113.0", false},     {"203.0.113.255", false},   {"203.0.114.0", true},
    {"223.255.255.255", true},  {"224.0.0.0", false},       {"224.0.0.1", false},       {"239.255.255.255", false},
    {"240.0.0.0", false},       {"254.0.0.1", false},       {"255.255.255.254", false}, {"255.255.255.255", false},
    {"8.8.8.8", true},          {"93.184.216.34", true},
};

static const struct row IPV6[] = {
    {"::", false},                {"::1", false},
    {"::127.0.0.1", false},       {"::8.8.8.8", false}, /* IPv4-compatible, RFC 4291 §2.5.5.1 */
    {"::ffff:127.0.0.1", false},  {"::ffff:10.0.0.1", false}, {"::ffff:169.254.169.254", false},
    {"::ffff:0.0.0.0", false},    {"::ffff:255.255.255.255", false}, {"::ffff:8.8.8.8", true},
    {"::fffe:8.8.8.8", false},    {"::ffff:0:8.8.8.8", false}, /* IPv4-translated, RFC 2765 */
    {"64:ff9b::127.0.0.1", false}, {"64:ff9b::10.0.0.1", false}, {"64:ff9b::169.254.169.254", false},
    {"64:ff9b::8.8.8.8", true},   {"64:ff9b::1:808:808", false}, {"64:ff9b:1::8.8.8.8", false},
    {"64:ff9b:1:ffff:ffff:ffff:ffff:ffff", false},
    {"100::", false},             {"100::ffff:ffff:ffff:ffff", false}, {"100:0:0:1::", false},
    {"1fff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", false}, {"2000::", true},
    {"2001::", false},            {"2001:0:8080:8080::1", false},
    {"2001:0:5ef5:79fd::1", false}, {"2001:1::1", false},     {"2001:2::", false},         {"2001:3::1", false},
    {"2001:4:112::1", false},     {"2001:10::1", false},      {"2001:20::1", false},       {"2001:30::1", false},
    {"2001:1ff:ffff:ffff:ffff:ffff:ffff:ffff", false},        {"2001:200::", true},
    {"2001:db7:ffff:ffff:ffff:ffff:ffff:ffff", true},         {"2001:db8::", false},
    {"2001:db8:ffff:ffff:ffff:ffff:ffff:ffff", false},        {"2001:db9::", true},
    {"2001:ffff::1", true},       {"2002::", false},          {"2002:7f00:1::1", false},   {"2002:808:808::1", false},
    {"2002:ffff:ffff:ffff:ffff:ffff:ffff:ffff", false},       {"2003::", true},
    {"2620:4f:7fff::1", true},    {"2620:4f:8000::", false},  {"2620:4f:8000:ffff:ffff:ffff:ffff:ffff", false},
    {"2620:4f:8001::", true},
    {"2a00:1450:4001:80b::200e", true},
    {"3ffe:ffff::1", true},       {"3fff::", false},          {"3fff:fff:ffff:ffff:ffff:ffff:ffff:ffff", false},
    {"3fff:1000::", true},        {"3fff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", true},
    {"4000::", false},            {"5f00::1", false},         {"fbff::1", false},
    {"fc00::", false},            {"fd12:3456::1", false},    {"fdff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", false},
    {"fe80::1", false},           {"febf::1", false},         {"fec0::1", false},          {"feff::1", false},
    {"ff00::", false},            {"ff02::1", false},         {"ff0e::1", false},
    {"ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", false},
};

static bool ask(const struct address_guard *guard, const char *host, const char *address)
{
    struct sockaddr_in four = {.sin_family = AF_INET, .sin_port = htons(443)};
    struct sockaddr_in6 six = {.sin6_family = AF_INET6, .sin6_port = htons(443)};
    struct sockaddr_storage storage = {0};
    if (inet_pton(AF_INET, address, &four.sin_addr) == 1)
        memcpy(&storage, &four, sizeof four);
    else if (inet_pton(AF_INET6, address, &six.sin6_addr) == 1)
        memcpy(&storage, &six, sizeof six);
    else
        fail_msg("%s is no address", address);
    return address_guard_allows(guard, host, (const struct sockaddr *)&storage);
}

static void only_public_addresses(void **state)
{
    (void)state;
    void *ctx = mem_root("test");
    const struct address_guard *guard = address_guard_new(ctx, NULL, 0);
    for (size_t i = 0; i < COUNT(IPV4); i++)
        row_equal(IPV4[i].address, ask(guard, "example.org", IPV4[i].address), IPV4[i].allowed);
    for (size_t i = 0; i < COUNT(IPV6); i++)
        row_equal(IPV6[i].address, ask(guard, "example.org", IPV6[i].address), IPV6[i].allowed);
    talloc_free(ctx);
}

/* Every IPv4 address has the same fate by itself, mapped and translated. */
static void ipv4_inside_ipv6_is_judged_as_ipv4(void **state)
{
    (void)state;
    void *ctx = mem_root("test");
    const struct address_guard *guard = address_guard_new(ctx, NULL, 0);
    for (size_t i = 0; i < COUNT(IPV4); i++) {
        const char *const forms[] = {mem_printf(ctx, "::ffff:%s", IPV4[i].address),
                                     mem_printf(ctx, "64:ff9b::%s", IPV4[i].address)};
        for (size_t f = 0; f < COUNT(forms); f++)
            row_equal(forms[f], ask(guard, "example.org", forms[f]), IPV4[i].allowed);
    }
    talloc_free(ctx);
}

static void other_families_are_refused(void **state)
{
    (void)state;
    void *ctx = mem_root("test");
    char *const allowed[] = {"0.0.0.0/0", "::/0"};
    const struct address_guard *guard = address_guard_new(ctx, allowed, COUNT(allowed));
    struct sockaddr_storage storage = {.ss_family = AF_UNIX};
    assert_false(address_guard_allows(guard, "example.org", (const struct sockaddr *)&storage));
    storage.ss_family = AF_UNSPEC;
    assert_false(address_guard_allows(guard, "example.org", (const struct sockaddr *)&storage));
    talloc_free(ctx);
}

static void what_the_operator_allows(void **state)
{
    (void)state;
    void *ctx = mem_root("test");
    char *const allowed[] = {"10.1.0.0/16", "127.0.0.1", "fd00::/8", "Keys.Corp.Example", ".intra.example", "bad word"};
    const struct address_guard *guard = address_guard_new(ctx, allowed, COUNT(allowed));
    static const struct {
        const char *host, *address;
        bool allowed;
    } rows[] = {
        {"example.org", "10.1.2.3", true},        {"example.org", "10.2.0.1", false},
        {"example.org", "127.0.0.1", true},       {"example.org", "127.0.0.2", false},
        {"example.org", "::ffff:127.0.0.1", true}, {"example.org", "::1", false},
        {"example.org", "fd12::1", true},         {"example.org", "fc00::1", false},
        {"keys.corp.example", "192.168.0.1", true}, {"keys.corp.example", "::1", true},
        {"xkeys.corp.example", "192.168.0.1", false}, {"a.keys.corp.example", "192.168.0.1", false},
        {"keys.corp.example.org", "192.168.0.1", false},
        {"a.intra.example", "192.168.0.1", true}, {"a.b.intra.example", "192.168.0.1", true},
        {"intra.example", "192.168.0.1", false},  {"xintra.example", "192.168.0.1", false},
        {"bad word", "192.168.0.1", false},       {"", "192.168.0.1", false},
        {"example.org", "8.8.8.8", true},
    };
    for (size_t i = 0; i < COUNT(rows); i++)
        row_equal(mem_printf(ctx, "%s at %s", rows[i].host, rows[i].address), ask(guard, rows[i].host, rows[i].address),
                  rows[i].allowed);
    talloc_free(ctx);
}

static void the_setting_is_checked(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        bool good;
    } rows[] = {
        {"", true},           {" , ", true},           {"10.0.0.0/8", true},       {"10.0.0.0/8,::1", true},
        {"keys.example", true}, {".corp", true},       {"10.0.0.0/33", false},     {"10.0.0", false},
        {"::/129", false},    {"https://keys.example", false}, {"keys.example:443", false}, {"*.example", false},
        {"[::1]", false},     {"10.0.0.1 bad_name", false},
    };
    for (size_t i = 0; i < COUNT(rows); i++)
        row_equal(rows[i].text, address_guard_check(rows[i].text) == NULL, rows[i].good);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(only_public_addresses),
        cmocka_unit_test(ipv4_inside_ipv6_is_judged_as_ipv4),
        cmocka_unit_test(other_families_are_refused),
        cmocka_unit_test(what_the_operator_allows),
        cmocka_unit_test(the_setting_is_checked),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
