#include "origin/objects/spool.h"

#include "base/core/err.h"
#include "base/sys/file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum { SPOOL_MODE = 0600, SPOOL_NAME_MAX = 512 };

static int spool_named(const char *folder)
{
    char name[SPOOL_NAME_MAX];

    int n = snprintf(name, sizeof(name), "%s/.forebay-XXXXXX", folder);
    if (n < 0 || n >= SPOOL_NAME_MAX) {
        errno = ENAMETOOLONG;
        return -1;
    }
    int fd = mkostemp(name, O_CLOEXEC);
    if (fd >= 0) {
        (void)unlink(name);
    }
    return fd;
}

int origin_spool_open(const char *folder, uint64_t bytes, int *ret_fd)
{
    FB_AUTO(fb_fd_done) int fd = open(folder, O_TMPFILE | O_RDWR | O_CLOEXEC, SPOOL_MODE);

    if (fd < 0 && (errno == EOPNOTSUPP || errno == EISDIR)) {
        fd = spool_named(folder);
    }
    if (fd < 0) {
        return -errno;
    }
    if (bytes > 0 && fallocate(fd, FALLOC_FL_KEEP_SIZE, 0, (off_t)bytes) < 0 &&
        (errno == ENOSPC || errno == EFBIG || errno == EDQUOT)) {
        return -errno;
    }
    *ret_fd = fb_fd_take(&fd);
    return FB_OK;
}
