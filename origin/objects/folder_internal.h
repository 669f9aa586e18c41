/*
 * What the files of the store "file:<folder>" share.
 *
 *     <key>                      an object
 *     .tmp/<id>                  what is being written, locked by its writer
 *     .parts/<id>/key            a multipart: whose it is; its age is this file's
 *     .parts/<id>/00001          a part: its bytes, then PART_TRAILER bytes with its ETag
 *
 * Everything appears by rename, when it is durable; a multipart, too, is made and removed in
 * ".tmp", so that whoever opens the folder next sweeps what a crash left of it.
 *
 * folder.c        opening, reading, removal
 * folder_put.c    puts
 * folder_parts.c  multiparts
 * folder_list.c   lists
 */
#pragma once

#include "origin/objects/objects_internal.h"

#define FOLDER_TEMPORARIES ".tmp"
#define FOLDER_PARTS       ".parts"
#define FOLDER_KEY_FILE    "key"

enum {
    FOLDER_MODE_FOLDER = 0750,
    FOLDER_MODE_FILE = 0640,
    FOLDER_NAME_MAX = 64,
    FOLDER_PART_TRAILER = 64
};

_Static_assert((int)FOLDER_PART_TRAILER > (int)ORIGIN_ETAG_MAX, "an ETag and a NUL fit");

struct folder {
    struct origin_objects base;
    int fd;     /* of the root */
    char *path; /* owned, for local_path */
};

struct folder_put {
    struct origin_put base;
    struct folder *folder;
    int fd;
    uint64_t size;
    uint64_t written;
    char name[FOLDER_NAME_MAX]; /* below the root */
    char key[ORIGIN_OBJECTS_KEY_MAX + 1];
    char part[2 * FOLDER_NAME_MAX]; /* of a part: its name below the root */
    uint32_t number;
};

static inline struct folder *folder_of(struct origin_objects *objects)
{
    return FB_CONTAINER_OF(objects, struct folder, base);
}

/* The key with a NUL. */
void origin_folder_key_text(struct fb_str key, char text[ORIGIN_OBJECTS_KEY_MAX + 1]);

/* Something else, or that there is nothing by that name. */
int origin_folder_absent_or(int number);

/* ---- folder_put.c ---------------------------------------------------------- */

int origin_folder_put_begin(struct origin_objects *objects, struct fb_str key, uint64_t size,
                            struct origin_put **ret_put);
int origin_folder_put_write(struct origin_put *put, const struct fb_str *pieces, size_t n_pieces);
int origin_folder_put_commit(struct origin_put *put);
void origin_folder_put_abort(struct origin_put *put);
int origin_folder_put_file(struct origin_objects *objects, struct fb_str key, const char *path,
                           struct origin_stored *ret_stored);

/* A new locked temporary: a file, or a folder. */
int origin_folder_temporary(int root, bool is_folder, char name[FOLDER_NAME_MAX], int *ret_fd);

/* Gives the durable file `from` (below folder `from_fd`) its key. */
int origin_folder_give_name(struct folder *folder, int from_fd, const char *from, const char *key);

/* ---- folder_parts.c -------------------------------------------------------- */

int origin_folder_multipart_begin(struct origin_objects *objects, struct fb_str key,
                                  char ret_id[ORIGIN_MULTIPART_ID_MAX + 1]);
int origin_folder_multipart_part(struct origin_objects *objects, struct fb_str key,
                                 struct fb_str id, uint32_t number, uint64_t size,
                                 struct origin_put **ret_put);
int origin_folder_put_commit_part(struct origin_put *put, struct fb_str etag,
                                  struct origin_part *ret_part);
int origin_folder_multipart_parts(struct origin_objects *objects, struct fb_str key,
                                  struct fb_str id, struct origin_part_page *page);
int origin_folder_multipart_complete(struct origin_objects *objects, struct fb_str key,
                                     struct fb_str id, const struct origin_part_name *parts,
                                     size_t n_parts);
int origin_folder_multipart_abort(struct origin_objects *objects, struct fb_str key,
                                  struct fb_str id);
int origin_folder_multipart_list(struct origin_objects *objects, int64_t before_ms,
                                 struct origin_multipart *items, size_t max, size_t *ret_n);

/* ---- folder_list.c --------------------------------------------------------- */

int origin_folder_list(struct origin_objects *objects, struct fb_str prefix, struct fb_str after,
                       struct origin_listed *items, size_t max, size_t *ret_n);

int64_t origin_folder_time_ms(const struct timespec *time);
