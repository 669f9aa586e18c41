#include "base/core/err.h"
#include "base/sys/file.h"
#include "base/sys/random.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* The part of `name` before its last component, with the slash. */
static struct fb_str draft_folder(const char *name)
{
    const char *slash = strrchr(name, '/');
    return (struct fb_str){name, slash == NULL ? 0 : (size_t)(slash - name) + 1};
}

int fb_draft_open(int dirfd, const char *name, mode_t mode, struct fb_draft *ret_draft)
{
    struct fb_draft draft = {.fd = -1, .dirfd = dirfd};
    struct fb_str folder = draft_folder(name);

    int n = snprintf(draft.name, sizeof(draft.name), "%.*s.draft-%016llx", FB_STR_ARG(folder),
                     (unsigned long long)fb_random_u64());
    if (n < 0 || (size_t)n >= sizeof(draft.name)) {
        return -ENAMETOOLONG;
    }
    int err = fb_file_open(dirfd, draft.name, O_WRONLY | O_CREAT | O_EXCL, mode, &draft.fd);
    if (err < 0) {
        return err;
    }
    *ret_draft = draft;
    return FB_OK;
}

int fb_draft_publish(struct fb_draft *draft, const char *name)
{
    char folder[FB_DRAFT_NAME_MAX];
    int err = FB_OK;

    (void)snprintf(folder, sizeof(folder), "%.*s", FB_STR_ARG(draft_folder(draft->name)));
    if (fsync(draft->fd) < 0 || renameat(draft->dirfd, draft->name, draft->dirfd, name) < 0) {
        err = -errno;
    } else {
        draft->name[0] = '\0'; /* there is nothing left to remove */
        err = fb_dir_sync(draft->dirfd, folder[0] != '\0' ? folder : ".");
    }
    fb_draft_done(draft);
    return err;
}

void fb_draft_done(struct fb_draft *draft)
{
    if (draft->fd >= 0 && draft->name[0] != '\0') {
        unlinkat(draft->dirfd, draft->name, 0);
    }
    fb_fd_done(&draft->fd);
    *draft = FB_DRAFT_NONE;
}
