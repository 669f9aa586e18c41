/*
 * Hosts as clients write them: each finds the site that a plain reading of the rule gives.
 */
#include "base/core/check.h"
#include "base/core/err.h"
#include "edge/site/site.h"

#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct fb_str hosts[] = {FB_STR("a.b"), FB_STR("*.a.b"), FB_STR("*.b"),
                                      FB_STR("*.x.a.b"), FB_STR("[::a]")};

static char lower(char c)
{
    return (char)(c >= 'A' && c <= 'Z' ? c + ('a' - 'A') : c);
}

/* True if `host`, without port and final dot, is `name`, or ends with it and has more. */
static bool is_like(struct fb_str host, struct fb_str name)
{
    bool is_wildcard = name.ptr[0] == '*';
    struct fb_str suffix = fb_str_skip(name, is_wildcard ? 1 : 0);
    size_t end = fb_str_find(host, host.len > 0 && host.ptr[0] == '[' ? ']' : ':');

    host.len = host.len > 0 && host.ptr[0] == '[' ? FB_MIN(end + 1, host.len) : end;
    if (host.len > 1 && host.ptr[host.len - 1] == '.') {
        host.len--;
    }
    if (host.len > EDGE_SITE_HOST_BYTES || host.len < suffix.len + (is_wildcard ? 1 : 0) ||
        (!is_wildcard && host.len != suffix.len) || host.ptr[0] == '.') {
        return false;
    }
    struct fb_str tail = fb_str_skip(host, host.len - suffix.len);
    for (size_t i = 0; i < suffix.len; i++) {
        if (lower(tail.ptr[i]) != suffix.ptr[i]) {
            return false;
        }
    }
    return !is_wildcard || host.ptr[0] != '[';
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fb_str host = {(const char *)data, size};
    struct edge_site_spec specs[FB_ARRAY_LEN(hosts)];
    struct edge_sites *sites = NULL;
    size_t best = FB_ARRAY_LEN(hosts);

    for (size_t i = 0; i < FB_ARRAY_LEN(hosts); i++) {
        specs[i] = (struct edge_site_spec){.hosts = &hosts[i], .n_hosts = 1};
        bool is_better = best == FB_ARRAY_LEN(hosts) ||
                         (hosts[best].ptr[0] == '*' &&
                          (hosts[i].ptr[0] != '*' || hosts[i].len > hosts[best].len));
        if (is_like(host, hosts[i]) && is_better) {
            best = i;
        }
    }
    FB_REQUIRE(
        edge_sites_new(&(struct edge_sites_spec){.sites = specs, .n_sites = FB_ARRAY_LEN(hosts)},
                       &sites, NULL) == FB_OK);
    struct fb_str found = edge_sites_find(sites, host)->name;
    FB_REQUIRE(fb_str_equal(found, best < FB_ARRAY_LEN(hosts) ? hosts[best] : FB_STR("")));
    edge_sites_unref(sites);
    FB_IGNORE(edge_site_check_host(host, NULL)); /* whatever it says */
    return 0;
}
