/*
 * A folder for one test.
 */
#pragma once

enum { TEST_PATH_MAX = 256 };

struct test_folder {
    char path[TEST_PATH_MAX];
};

/* Makes an empty folder, or ends the process. */
struct test_folder test_folder_new(void);

/* Removes it and all that stands in it. */
void test_folder_done(struct test_folder *folder);
