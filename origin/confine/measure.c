/*
 * What a child has used, as the system tells.
 */
#include "base/core/buf.h"
#include "base/core/err.h"
#include "base/core/str.h"
#include "base/sys/file.h"
#include "origin/confine/confine_internal.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { STATUS_MAX = 4096, DEPTH_MAX = 16, BLOCK = 512, KIB = 1024 };

struct measure {
    uint64_t n_files;
    uint64_t n_bytes;
};

/* Takes over `fd`. What goes while it is looked at is not there. */
static int measure_folder(struct measure *measure, int fd, unsigned depth)
{
    DIR *folder = fdopendir(fd);
    const struct dirent *entry = NULL;
    int err = FB_OK;

    if (folder == NULL) {
        err = -errno;
        (void)close(fd);
        return err;
    }
    while (err == FB_OK && (entry = readdir(folder)) != NULL) {
        struct stat info;
        if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0 ||
            fstatat(dirfd(folder), entry->d_name, &info, AT_SYMLINK_NOFOLLOW) < 0) {
            continue;
        }
        measure->n_files++;
        measure->n_bytes += (uint64_t)info.st_blocks * BLOCK;
        if (S_ISDIR(info.st_mode)) {
            int below = openat(dirfd(folder), entry->d_name,
                               O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
            if (below >= 0) {
                err = depth < DEPTH_MAX ? measure_folder(measure, below, depth + 1) : FB_E_LIMIT;
            }
        }
    }
    (void)closedir(folder);
    return err;
}

int origin_confine_measure(const char *path, uint64_t *ret_files, uint64_t *ret_bytes)
{
    struct measure measure = {0};
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

    int err = fd < 0 ? -errno : measure_folder(&measure, fd, 0);
    if (err == FB_OK) {
        *ret_files = measure.n_files;
        *ret_bytes = measure.n_bytes;
    }
    return err;
}

uint64_t origin_confine_peak(pid_t pid)
{
    char path[32];
    char text[STATUS_MAX];
    uint64_t kib = 0;

    (void)snprintf(path, sizeof(path), "/proc/%ld/status", (long)pid);
    FB_AUTO(fb_fd_done) int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t n = fd < 0 ? -1 : read(fd, text, sizeof(text) - 1);
    if (n <= 0) {
        return 0;
    }
    text[n] = '\0';
    const char *at = strstr(text, "VmHWM:");
    for (at = at != NULL ? at + strlen("VmHWM:") : ""; *at == ' ' || *at == '\t'; at++) {
    }
    for (; *at >= '0' && *at <= '9'; at++) {
        kib = kib * 10 + (uint64_t)(*at - '0');
    }
    return kib * KIB;
}
