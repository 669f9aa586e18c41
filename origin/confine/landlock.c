/*
 * The files a child may use, by Landlock. The C library has no functions for it,
 * and Debian 12's headers end with its second version.
 */
#include "base/core/diag.h"
#include "base/core/err.h"
#include "base/sys/file.h"
#include "origin/confine/confine_internal.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/landlock.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

/* struct landlock_ruleset_attr as the sixth version has it. */
struct ruleset_rights {
    uint64_t fs;
    uint64_t net;
    uint64_t scoped;
};

enum {
    VERSION_REFER = 2,
    VERSION_TRUNCATE = 3,
    VERSION_NET = 4,
    VERSION_IOCTL = 5,
    VERSION_SCOPED = 6
};

#define FS_FIRST    ((1ULL << 13) - 1) /* what the first version knows */
#define FS_REFER    (1ULL << 13)
#define FS_TRUNCATE (1ULL << 14)
#define FS_IOCTL    (1ULL << 15)
#define NET_ALL     3ULL /* bind and connect of TCP */
#define SCOPED_ALL  3ULL /* abstract Unix sockets and signals of others */

#define FS_USE \
    (LANDLOCK_ACCESS_FS_EXECUTE | LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_READ_DIR)
#define FS_READ (LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_READ_DIR)
#define FS_WRITE                                                                                  \
    (FS_READ | LANDLOCK_ACCESS_FS_WRITE_FILE | LANDLOCK_ACCESS_FS_REMOVE_DIR |                    \
     LANDLOCK_ACCESS_FS_REMOVE_FILE | LANDLOCK_ACCESS_FS_MAKE_DIR | LANDLOCK_ACCESS_FS_MAKE_REG | \
     FS_REFER | FS_TRUNCATE)
/* Of a file, no more can be allowed. */
#define FS_OF_FILE                                                                               \
    (LANDLOCK_ACCESS_FS_EXECUTE | LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_WRITE_FILE | \
     FS_TRUNCATE)

/* To load a program, and to see how many processors there are. */
static const char *const libraries[] = {"/lib", "/lib64", "/usr/lib", "/usr/lib64",
                                        "/usr/local/lib"};
static const char *const system_files[] = {
    "/etc/ld.so.cache", "/sys/devices/system/cpu",
#ifdef FB_SANITIZED
    "/proc", /* where a sanitizer looks for its own memory */
#endif
};

static int landlock_version(void)
{
    return (int)syscall(SYS_landlock_create_ruleset, NULL, 0, LANDLOCK_CREATE_RULESET_VERSION);
}

bool origin_confine_has_landlock(void)
{
    return landlock_version() > 0;
}

/* Allows `rights` at `path` and below. What is not there needs no rule if `is_optional`. */
static int ruleset_allow(int ruleset, uint64_t handled, const char *path, uint64_t rights,
                         bool is_optional)
{
    FB_AUTO(fb_fd_done) int fd = open(path, O_PATH | O_CLOEXEC);
    struct stat info;

    if (fd < 0) {
        return is_optional && errno == ENOENT ? FB_OK : -errno;
    }
    if (fstat(fd, &info) < 0) {
        return -errno;
    }
    struct landlock_path_beneath_attr rule = {
        .allowed_access = rights & handled & (S_ISDIR(info.st_mode) ? ~0ULL : FS_OF_FILE),
        .parent_fd = fd,
    };
    return syscall(SYS_landlock_add_rule, ruleset, LANDLOCK_RULE_PATH_BENEATH, &rule, 0) < 0
               ? -errno
               : FB_OK;
}

static int ruleset_fill(int ruleset, uint64_t handled, const struct origin_confine_options *options,
                        const char **ret_path)
{
    int err = FB_OK;

    for (size_t i = 0; err == FB_OK && i < FB_ARRAY_LEN(libraries); i++) {
        *ret_path = libraries[i];
        err = ruleset_allow(ruleset, handled, libraries[i], FS_USE, true);
    }
    for (size_t i = 0; err == FB_OK && i < FB_ARRAY_LEN(system_files); i++) {
        *ret_path = system_files[i];
        err = ruleset_allow(ruleset, handled, system_files[i], FS_READ, true);
    }
    if (err == FB_OK) {
        *ret_path = options->program;
        err = ruleset_allow(ruleset, handled, options->program, FS_USE, false);
    }
    for (size_t i = 0; err == FB_OK && i < ORIGIN_CONFINE_READABLE_MAX; i++) {
        if (options->readable[i] != NULL) {
            *ret_path = options->readable[i];
            err = ruleset_allow(ruleset, handled, options->readable[i], FS_READ, false);
        }
    }
    if (err == FB_OK && options->output != NULL) {
        *ret_path = options->output;
        err = ruleset_allow(ruleset, handled, options->output, FS_WRITE, false);
    }
    return err;
}

int origin_confine_ruleset(const struct origin_confine_options *options, int *ret_fd,
                           struct fb_diag *diag)
{
    int version = landlock_version();
    const char *path = "";
    struct ruleset_rights rights = {
        .fs = FS_FIRST | (version >= VERSION_REFER ? FS_REFER : 0) |
              (version >= VERSION_TRUNCATE ? FS_TRUNCATE : 0) |
              (version >= VERSION_IOCTL ? FS_IOCTL : 0),
        .net = version >= VERSION_NET ? NET_ALL : 0,
        .scoped = version >= VERSION_SCOPED ? SCOPED_ALL : 0,
    };
    size_t size = version >= VERSION_SCOPED ? sizeof(rights)
                  : version >= VERSION_NET  ? offsetof(struct ruleset_rights, scoped)
                                            : offsetof(struct ruleset_rights, net);

    if (version <= 0) {
        *ret_fd = -1;
        return FB_OK;
    }
    FB_AUTO(fb_fd_done) int fd = (int)syscall(SYS_landlock_create_ruleset, &rights, size, 0);
    if (fd < 0) {
        return fb_diag_set(diag, -errno, "make a ruleset of Landlock: %s", fb_err_text(-errno));
    }
    int err = ruleset_fill(fd, rights.fs, options, &path);
    if (err < 0) {
        return fb_diag_set(diag, err, "allow '%s': %s", path, fb_err_text(err));
    }
    *ret_fd = fb_fd_take(&fd);
    return FB_OK;
}
