#include "base/core/err.h"
#include "base/net/tcp.h"
#include "base/sys/file.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

/* What the kernel lists at `path`, or "nothing that it tells" where that cannot be read. */
static struct fb_str kernel_list(const char *path, struct fb_buf *buf)
{
    enum { LIST_MAX = 4096 };

    int err = fb_file_read_path(path, LIST_MAX, buf, NULL);
    struct fb_str list = err < 0 ? FB_STR_NONE : fb_buf_str(buf);
    list = fb_str_first(list, fb_str_find(list, '\n'));
    return list.len > 0 ? list : FB_STR("nothing that it tells");
}

static int refuse(struct fb_str name, int err, struct fb_diag *diag)
{
    FB_AUTO(fb_buf_done) struct fb_buf buf = {0};
    struct fb_str list;

    switch (err) {
    case -ENOENT:
        list = kernel_list("/proc/sys/net/ipv4/tcp_available_congestion_control", &buf);
        return fb_diag_set(diag, err,
                           "the kernel has no congestion control '%.*s': it offers %.*s (a module "
                           "is loaded with `modprobe tcp_%.*s`)",
                           FB_STR_ARG(name), FB_STR_ARG(list), FB_STR_ARG(name));
    case -EPERM:
        list = kernel_list("/proc/sys/net/ipv4/tcp_allowed_congestion_control", &buf);
        return fb_diag_set(diag, err,
                           "congestion control '%.*s' is not for this user: "
                           "net.ipv4.tcp_allowed_congestion_control has %.*s",
                           FB_STR_ARG(name), FB_STR_ARG(list));
    default:
        return fb_diag_set(diag, err, "congestion control '%.*s': %s", FB_STR_ARG(name),
                           fb_err_text(err));
    }
}

int fb_tcp_try_congestion(struct fb_str name, struct fb_diag *diag)
{
    FB_AUTO(fb_fd_done) int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    if (fd < 0 && errno == EAFNOSUPPORT) {
        fd = socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0);
    }
    if (fd < 0 || setsockopt(fd, IPPROTO_TCP, TCP_CONGESTION, name.ptr, (socklen_t)name.len) < 0) {
        return refuse(name, -errno, diag);
    }
    return FB_OK;
}
