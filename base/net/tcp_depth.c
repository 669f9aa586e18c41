#include "base/net/tcp_depth.h"

#include <linux/tcp.h>
#include <netinet/in.h>
#include <sys/socket.h>

bool fb_tcp_is_quick(int fd)
{
    struct tcp_info info = {0}; /* of which an older kernel writes less */
    socklen_t len = sizeof(info);

    return getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &len) == 0 &&
           info.tcpi_delivery_rate >= TCP_DEPTH_QUICK_RATE;
}

bool fb_tcp_set_depth(int fd, bool is_quick)
{
    int n = is_quick ? TCP_DEPTH_QUICK_BYTES : TCP_DEPTH_BYTES;

    return setsockopt(fd, IPPROTO_TCP, TCP_NOTSENT_LOWAT, &n, sizeof(n)) == 0;
}
