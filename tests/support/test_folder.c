#include "tests/support/test_folder.h"

#include "base/core/check.h"
#include "base/core/err.h"
#include "base/sys/file.h"

#include <fcntl.h>
#include <stdlib.h>

struct test_folder test_folder_new(void)
{
    struct test_folder folder = {.path = "/tmp/forebay-test-XXXXXX"};
    FB_REQUIRE(mkdtemp(folder.path) != NULL);
    return folder;
}

void test_folder_done(struct test_folder *folder)
{
    FB_REQUIRE(fb_dir_remove(AT_FDCWD, folder->path) == FB_OK);
}
