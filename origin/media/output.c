#include "origin/media/output.h"

#include "base/core/alloc.h"
#include "base/core/check.h"
#include "base/core/diag.h"
#include "base/core/err.h"
#include "base/sys/file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { FILE_MODE = 0644, DIR_MODE = 0755, ENTRIES_FIRST = 64 };

#define DRAFT_SUFFIX ".part"

enum { DRAFT_MAX = ORIGIN_OUTPUT_PATH_MAX + sizeof(DRAFT_SUFFIX) };

int origin_output_open(const char *dir, struct origin_output *ret_output, struct fb_diag *diag)
{
    int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0) {
        int err = -errno;
        return fb_diag_set(diag, err, "open the output folder '%s': %s", dir, fb_err_text(err));
    }
    *ret_output = (struct origin_output){.dir_fd = fd};
    return FB_OK;
}

void origin_output_done(struct origin_output *output)
{
    fb_fd_done(&output->dir_fd);
    fb_free(output->entries);
    *output = ORIGIN_OUTPUT_NONE;
}

int origin_output_mkdir(struct origin_output *output, const char *path)
{
    return fb_dir_make(output->dir_fd, path, DIR_MODE);
}

static void draft_name(const char *path, char name[DRAFT_MAX])
{
    (void)snprintf(name, DRAFT_MAX, "%s" DRAFT_SUFFIX, path);
}

int origin_output_begin(struct origin_output *output, const char *path,
                        struct origin_output_file *file)
{
    char name[DRAFT_MAX];
    FB_REQUIRE(file->fd < 0 && strlen(path) < ORIGIN_OUTPUT_PATH_MAX);

    draft_name(path, name);
    int err =
        fb_file_open(output->dir_fd, name, O_WRONLY | O_CREAT | O_TRUNC, FILE_MODE, &file->fd);
    if (err < 0) {
        return err;
    }
    file->output = output;
    file->bytes = 0;
    (void)snprintf(file->path, sizeof(file->path), "%s", path);
    fb_sha256_init(&file->hash);
    return FB_OK;
}

int origin_output_write(struct origin_output_file *file, struct fb_str bytes)
{
    int err = fb_fd_write(file->fd, bytes);
    if (err == FB_OK) {
        fb_sha256_update(&file->hash, bytes);
        file->bytes += bytes.len;
    }
    return err;
}

static struct origin_output_entry *output_add(struct origin_output *output)
{
    if (output->n_entries == output->max_entries) {
        output->max_entries = FB_MAX(output->max_entries * 2, (size_t)ENTRIES_FIRST);
        output->entries =
            fb_realloc(output->entries, output->max_entries * sizeof(*output->entries));
    }
    return &output->entries[output->n_entries++];
}

int origin_output_finish(struct origin_output_file *file)
{
    struct origin_output *output = file->output;
    char name[DRAFT_MAX];

    draft_name(file->path, name);
    if (renameat(output->dir_fd, name, output->dir_fd, file->path) < 0) {
        int err = -errno;
        origin_output_abandon(file);
        return err;
    }
    struct origin_output_entry *entry = output_add(output);
    *entry = (struct origin_output_entry){.bytes = file->bytes};
    memcpy(entry->path, file->path, sizeof(entry->path));
    fb_sha256_finish(&file->hash, entry->sha256);
    fb_fd_done(&file->fd);
    return FB_OK;
}

void origin_output_abandon(struct origin_output_file *file)
{
    char name[DRAFT_MAX];
    if (file->fd < 0) {
        return;
    }
    draft_name(file->path, name);
    (void)unlinkat(file->output->dir_fd, name, 0);
    fb_sha256_done(&file->hash);
    fb_fd_done(&file->fd);
}

static void file_abandon(struct origin_output_file *file)
{
    origin_output_abandon(file);
}

int origin_output_put(struct origin_output *output, const char *path, struct fb_str bytes)
{
    FB_AUTO(file_abandon) struct origin_output_file file = ORIGIN_OUTPUT_FILE_NONE;
    int err = origin_output_begin(output, path, &file);
    if (err == FB_OK) {
        err = origin_output_write(&file, bytes);
    }
    return err == FB_OK ? origin_output_finish(&file) : err;
}

struct origin_segment origin_output_last(const struct origin_output *output)
{
    FB_REQUIRE(output->n_entries > 0);
    const struct origin_output_entry *entry = &output->entries[output->n_entries - 1];
    struct origin_segment file = {.bytes = entry->bytes};
    memcpy(file.sha256, entry->sha256, sizeof(file.sha256));
    return file;
}

void origin_output_note(struct origin_output *output, const char *path,
                        const struct origin_segment *file)
{
    struct origin_output_entry *entry = output_add(output);
    *entry = (struct origin_output_entry){.bytes = file->bytes};
    (void)snprintf(entry->path, sizeof(entry->path), "%s", path);
    memcpy(entry->sha256, file->sha256, sizeof(entry->sha256));
}
