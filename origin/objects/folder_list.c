/*
 * Lists: the folders are walked in the order of the keys' bytes, in which a folder stands where its
 * name with a slash would.
 */
#include "base/core/alloc.h"
#include "base/core/err.h"
#include "base/sys/file.h"
#include "origin/objects/folder_internal.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

struct listing {
    struct fb_str after;
    struct origin_listed *items;
    size_t max;
    size_t n;
    char key[ORIGIN_OBJECTS_KEY_MAX + 2]; /* so far; of folders with the slash */
};

/* The names of one folder, each with a slash if it is a folder, all in one buffer. */
struct names {
    struct fb_buf text;
    char **items; /* owned; into text */
    size_t n;
};

static void names_done(struct names *names)
{
    fb_buf_done(&names->text);
    fb_free(names->items);
}

static int name_compare(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static bool entry_is_folder(int fd, const struct dirent *entry)
{
    struct stat st;

    if (entry->d_type != DT_UNKNOWN) {
        return entry->d_type == DT_DIR;
    }
    return fstatat(fd, entry->d_name, &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISDIR(st.st_mode);
}

static int names_read(int fd, struct names *names)
{
    DIR *dir = fdopendir(fd);

    if (dir == NULL) {
        int err = -errno;
        (void)close(fd);
        return err;
    }
    for (struct dirent *entry = readdir(dir); entry != NULL; entry = readdir(dir)) {
        if (entry->d_name[0] != '.') {
            fb_buf_append(&names->text, fb_str_from(entry->d_name));
            fb_buf_append(&names->text, entry_is_folder(fd, entry) ? FB_STR("/") : FB_STR(""));
            fb_buf_append_byte(&names->text, '\0');
            names->n++;
        }
    }
    (void)closedir(dir);
    names->items = fb_alloc((names->n + 1) * sizeof(*names->items));
    char *at = names->text.ptr;
    for (size_t i = 0; i < names->n; i++) {
        names->items[i] = at;
        at += strlen(at) + 1;
    }
    if (names->n > 0) {
        qsort(names->items, names->n, sizeof(*names->items), name_compare);
    }
    return FB_OK;
}

/* One object: lists it, unless it has gone or is no file. */
static void listing_add(struct listing *listing, int fd, const char *name)
{
    struct origin_listed *item = &listing->items[listing->n];
    struct stat st;

    if (fstatat(fd, name, &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISREG(st.st_mode)) {
        origin_folder_key_text(fb_str_from(listing->key), item->key);
        item->size = (uint64_t)st.st_size;
        item->modified_ms = origin_folder_time_ms(&st.st_mtim);
        listing->n++;
    }
}

/* Lists what is in the folder `fd`, which it closes, and whose keys begin with the first `len`
 * bytes of listing->key. Depth is bounded by the length of keys. */
static int listing_walk(struct listing *listing, int fd, size_t len) /* NOLINT(misc-no-recursion) */
{
    FB_AUTO(fb_fd_done) int again = openat(fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    FB_AUTO(names_done) struct names names = {.n = 0};

    int err = names_read(fd, &names);
    if (err < 0 || again < 0) {
        return err < 0 ? err : -EIO;
    }
    for (size_t i = 0; err == FB_OK && i < names.n && listing->n < listing->max; i++) {
        struct fb_str name = fb_str_from(names.items[i]);
        bool is_folder = fb_str_ends_with(name, FB_STR("/"));
        if (len + name.len - is_folder > ORIGIN_OBJECTS_KEY_MAX) {
            continue; /* nobody has put it there */
        }
        memcpy(listing->key + len, name.ptr, name.len);
        listing->key[len + name.len] = '\0';
        struct fb_str key = {listing->key, len + name.len};
        if (!is_folder && fb_str_compare(key, listing->after) > 0) {
            listing_add(listing, again, names.items[i]);
        }
        if (is_folder &&
            (fb_str_compare(key, listing->after) > 0 || fb_str_starts_with(listing->after, key))) {
            int below = openat(again, name.ptr, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
            err = below >= 0 ? listing_walk(listing, below, key.len)
                             : (errno == ENOENT ? FB_OK : -errno);
        }
    }
    return err;
}

int origin_folder_list(struct origin_objects *objects, struct fb_str prefix, struct fb_str after,
                       struct origin_listed *items, size_t max, size_t *ret_n)
{
    struct listing listing = {.after = after, .items = items, .max = max};
    size_t len = prefix.len;
    int fd = -1;

    origin_folder_key_text(prefix, listing.key);
    int err = fb_file_open(folder_of(objects)->fd, len > 0 ? listing.key : ".",
                           O_RDONLY | O_DIRECTORY, 0, &fd);
    if (err == FB_OK) {
        if (len > 0) {
            listing.key[len++] = '/';
        }
        err = listing_walk(&listing, fd, len);
    } else if (origin_folder_absent_or(-err) == FB_E_NOT_FOUND) {
        err = FB_OK;
    }
    if (err == FB_OK) {
        *ret_n = listing.n;
    }
    return err;
}
