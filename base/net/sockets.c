#include "base/net/sockets.h"

#include "base/core/alloc.h"
#include "base/core/err.h"
#include "base/net/address.h"

#include <netinet/in.h>
#include <string.h>
#include <unistd.h>

int fb_sockets_add(struct fb_sockets *sockets, int fd)
{
    if (sockets->n == FB_SOCKETS_MAX) {
        (void)close(fd);
        return FB_E_LIMIT;
    }
    sockets->fds = fb_realloc(sockets->fds, (sockets->n + 1) * sizeof(sockets->fds[0]));
    sockets->fds[sockets->n++] = fd;
    return FB_OK;
}

/* ---- taking ------------------------------------------------------------ */

static bool is_any_ip4(const struct fb_address *address)
{
    struct sockaddr_in ip4;

    memcpy(&ip4, &address->storage, sizeof(ip4));
    return address->storage.ss_family == AF_INET && ip4.sin_addr.s_addr == htonl(INADDR_ANY);
}

static bool is_any_ip6(const struct fb_address *address)
{
    struct sockaddr_in6 ip6;

    memcpy(&ip6, &address->storage, sizeof(ip6));
    return address->storage.ss_family == AF_INET6 && IN6_IS_ADDR_UNSPECIFIED(&ip6.sin6_addr);
}

/* The text form has all that counts, and nothing that a kernel may leave undefined. */
static bool is_at(int fd, const struct fb_address *wanted)
{
    struct fb_address bound = {.len = sizeof(bound.storage)};
    char bound_text[FB_ADDRESS_TEXT_MAX];
    char wanted_text[FB_ADDRESS_TEXT_MAX];

    if (fb_address_port(wanted) == 0 ||
        getsockname(fd, (struct sockaddr *)&bound.storage, &bound.len) < 0) {
        return false;
    }
    if (is_any_ip6(wanted) && is_any_ip4(&bound)) {
        return fb_address_port(wanted) == fb_address_port(&bound);
    }
    return strcmp(fb_address_text(&bound, bound_text), fb_address_text(wanted, wanted_text)) == 0;
}

int fb_sockets_take(struct fb_sockets *sockets, const struct fb_address *address)
{
    for (size_t i = 0; i < sockets->n; i++) {
        int fd = sockets->fds[i];
        if (is_at(fd, address)) {
            memmove(&sockets->fds[i], &sockets->fds[i + 1],
                    (sockets->n - i - 1) * sizeof(sockets->fds[0]));
            sockets->n--;
            return fd;
        }
    }
    return -1;
}

void fb_sockets_done(struct fb_sockets *sockets)
{
    for (size_t i = 0; i < sockets->n; i++) {
        (void)close(sockets->fds[i]);
    }
    fb_free(sockets->fds);
    *sockets = (struct fb_sockets){0};
}
