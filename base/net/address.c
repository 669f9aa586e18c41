#include "base/net/address.h"

#include "base/core/err.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>

static struct sockaddr_in *as_ip4(struct fb_address *address)
{
    return (struct sockaddr_in *)(void *)&address->storage;
}

static struct sockaddr_in6 *as_ip6(struct fb_address *address)
{
    return (struct sockaddr_in6 *)(void *)&address->storage;
}

/* Cuts "host:port" or "[host]:port"; the port is what follows the last colon. */
static bool address_cut(struct fb_str text, struct fb_str *ret_host, struct fb_str *ret_port)
{
    size_t colon = text.len;

    while (colon > 0 && text.ptr[colon - 1] != ':') {
        colon--;
    }
    if (colon == 0) {
        return false;
    }
    struct fb_str host = {text.ptr, colon - 1};
    bool has_brackets = host.len >= 2 && host.ptr[0] == '[' && host.ptr[host.len - 1] == ']';
    if (has_brackets) {
        host = (struct fb_str){host.ptr + 1, host.len - 2};
    } else if (fb_str_find(host, ':') != host.len) {
        return false;
    }
    *ret_host = host;
    *ret_port = fb_str_skip(text, colon);
    return !has_brackets || host.len > 0;
}

int fb_address_from_ip(struct fb_str host, uint16_t port, struct fb_address *ret_address)
{
    char text[INET6_ADDRSTRLEN] = {0};
    struct fb_address address = {.len = 0};

    if (host.len >= sizeof(text)) {
        return FB_E_MALFORMED;
    }
    if (host.len > 0) {
        memcpy(text, host.ptr, host.len);
    }
    if (inet_pton(AF_INET, text, &as_ip4(&address)->sin_addr) == 1) {
        as_ip4(&address)->sin_family = AF_INET;
        as_ip4(&address)->sin_port = htons(port);
        address.len = sizeof(struct sockaddr_in);
    } else if (inet_pton(AF_INET6, text, &as_ip6(&address)->sin6_addr) == 1) {
        as_ip6(&address)->sin6_family = AF_INET6;
        as_ip6(&address)->sin6_port = htons(port);
        address.len = sizeof(struct sockaddr_in6);
    } else {
        return FB_E_MALFORMED;
    }
    *ret_address = address;
    return FB_OK;
}

int fb_address_parse(struct fb_str text, struct fb_address *ret_address, struct fb_diag *diag)
{
    struct fb_str host;
    struct fb_str port_text;
    uint64_t port = 0;

    if (!address_cut(text, &host, &port_text) || fb_str_to_u64(port_text, &port) < 0 ||
        port > UINT16_MAX) {
        return fb_diag_set(diag, FB_E_MALFORMED,
                           "\"%.*s\" is no address with a port, such as 127.0.0.1:8080",
                           FB_STR_ARG(text));
    }
    if (host.len == 0) {
        host = FB_STR("::");
    }
    if (fb_address_from_ip(host, (uint16_t)port, ret_address) < 0) {
        return fb_diag_set(diag, FB_E_MALFORMED,
                           "\"%.*s\" is no numeric address, such as 127.0.0.1 or [::1]",
                           FB_STR_ARG(host));
    }
    return FB_OK;
}

int fb_address_check(struct fb_str text, struct fb_diag *diag)
{
    struct fb_address address;
    return fb_address_parse(text, &address, diag);
}

uint16_t fb_address_port(const struct fb_address *address)
{
    struct fb_address copy = *address;

    switch (copy.storage.ss_family) {
    case AF_INET:
        return ntohs(as_ip4(&copy)->sin_port);
    case AF_INET6:
        return ntohs(as_ip6(&copy)->sin6_port);
    default:
        return 0;
    }
}

char *fb_address_text(const struct fb_address *address, char text[FB_ADDRESS_TEXT_MAX])
{
    struct fb_address copy = *address;
    char ip[INET6_ADDRSTRLEN] = "";

    if (copy.storage.ss_family == AF_INET) {
        (void)inet_ntop(AF_INET, &as_ip4(&copy)->sin_addr, ip, sizeof(ip));
        (void)snprintf(text, FB_ADDRESS_TEXT_MAX, "%s:%u", ip, (unsigned)fb_address_port(&copy));
    } else if (copy.storage.ss_family == AF_INET6) {
        (void)inet_ntop(AF_INET6, &as_ip6(&copy)->sin6_addr, ip, sizeof(ip));
        (void)snprintf(text, FB_ADDRESS_TEXT_MAX, "[%s]:%u", ip, (unsigned)fb_address_port(&copy));
    } else {
        (void)snprintf(text, FB_ADDRESS_TEXT_MAX, "unknown");
    }
    return text;
}
