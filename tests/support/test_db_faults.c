#include "tests/support/test_db_faults.h"

#include "base/core/check.h"

#include <sqlite3.h>

/* The base has a table of functions for each kind of file. */
enum { KINDS_MAX = 8 };

struct kind {
    sqlite3_io_methods methods; /* first: the base's, with ours in front; files point here */
    const sqlite3_io_methods *inner;
};

static struct {
    sqlite3_vfs vfs; /* ours; finds files through `base` */
    sqlite3_vfs *base;
    struct kind kinds[KINDS_MAX];
    size_t n_kinds;
    long left; /* below 0: nothing fails */
    bool stays;
    bool happened;
} faults = {.left = -1};

static bool fails(void)
{
    if (faults.left < 0) {
        return false;
    }
    if (faults.left > 0) {
        faults.left--;
        return false;
    }
    faults.happened = true;
    faults.left = faults.stays ? 0 : -1;
    return true;
}

static const sqlite3_io_methods *inner_of(const sqlite3_file *file)
{
    return ((const struct kind *)(const void *)file->pMethods)->inner;
}

static int file_write(sqlite3_file *file, const void *bytes, int size, sqlite3_int64 at)
{
    return fails() ? SQLITE_IOERR_WRITE : inner_of(file)->xWrite(file, bytes, size, at);
}

static int file_truncate(sqlite3_file *file, sqlite3_int64 size)
{
    return fails() ? SQLITE_IOERR_TRUNCATE : inner_of(file)->xTruncate(file, size);
}

/* A chance to fail, and no more: a process that ends leaves to the system what it has written. */
static int file_sync(sqlite3_file *file, int flags)
{
    (void)file;
    (void)flags;
    return fails() ? SQLITE_IOERR_FSYNC : SQLITE_OK;
}

static const struct kind *kind_of(const sqlite3_io_methods *inner)
{
    for (size_t i = 0; i < faults.n_kinds; i++) {
        if (faults.kinds[i].inner == inner) {
            return &faults.kinds[i];
        }
    }
    FB_REQUIRE(faults.n_kinds < KINDS_MAX);
    struct kind *kind = &faults.kinds[faults.n_kinds++];
    kind->inner = inner;
    kind->methods = *inner;
    kind->methods.xWrite = file_write;
    kind->methods.xTruncate = file_truncate;
    kind->methods.xSync = file_sync;
    return kind;
}

static int vfs_open(sqlite3_vfs *vfs, const char *path, sqlite3_file *file, int flags,
                    int *ret_flags)
{
    (void)vfs;
    int code = faults.base->xOpen(faults.base, path, file, flags, ret_flags);
    if (code == SQLITE_OK && file->pMethods != NULL) {
        file->pMethods = &kind_of(file->pMethods)->methods;
    }
    return code;
}

static int vfs_delete(sqlite3_vfs *vfs, const char *path, int sync_folder)
{
    (void)vfs;
    (void)sync_folder; /* as with files */
    return fails() ? SQLITE_IOERR_DELETE : faults.base->xDelete(faults.base, path, 0);
}

void test_db_faults_install(void)
{
    if (faults.base == NULL) {
        faults.base = sqlite3_vfs_find(NULL);
        faults.vfs = *faults.base;
        faults.vfs.pNext = NULL;
        faults.vfs.zName = "faults";
        faults.vfs.xOpen = vfs_open;
        faults.vfs.xDelete = vfs_delete;
        FB_REQUIRE(sqlite3_vfs_register(&faults.vfs, 1) == SQLITE_OK);
    }
    test_db_faults_none();
}

void test_db_faults_after(long n, bool stays)
{
    faults.left = n;
    faults.stays = stays;
    faults.happened = false;
}

void test_db_faults_none(void)
{
    faults.left = -1;
}

bool test_db_faults_happened(void)
{
    return faults.happened;
}
