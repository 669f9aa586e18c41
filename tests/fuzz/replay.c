/*
 * Runs a fuzz target over every file of the folders given, as libFuzzer would
 * with -runs=0, and over the prefixes of each.
 */
#include "base/core/alloc.h"
#include "base/core/attr.h"

#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_SEED_BYTES = 1 << 20, MAX_PREFIXES = 512 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* In a block of its own size, so that a read past its end is seen. */
static void run(const uint8_t *data, size_t size)
{
    uint8_t *copy = fb_alloc(size);

    memcpy(copy, data, size);
    (void)LLVMFuzzerTestOneInput(copy, size);
    fb_free(copy);
}

static int replay_file(const char *path, uint8_t *buffer)
{
    FILE *file = fopen(path, "rbe");

    if (file == NULL) {
        (void)fprintf(stderr, "cannot read %s\n", path);
        return 1;
    }
    size_t size = fread(buffer, 1, MAX_SEED_BYTES, file);
    (void)fclose(file);
    run(buffer, size);
    size_t step = size / MAX_PREFIXES + 1;
    for (size_t n = 0; n < size; n += step) {
        run(buffer, n);
    }
    return 0;
}

static int replay_folder(const char *folder, uint8_t *buffer, unsigned *n_files)
{
    DIR *dir = opendir(folder);
    int failed = 0;

    if (dir == NULL) {
        (void)fprintf(stderr, "cannot open %s\n", folder);
        return 1;
    }
    for (struct dirent *entry = readdir(dir); entry != NULL; entry = readdir(dir)) {
        char path[4096];
        if (entry->d_name[0] == '.') {
            continue;
        }
        (void)snprintf(path, sizeof(path), "%s/%s", folder, entry->d_name);
        failed |= replay_file(path, buffer);
        ++*n_files;
    }
    (void)closedir(dir);
    return failed;
}

int main(int argc, char **argv)
{
    uint8_t *buffer = fb_alloc(MAX_SEED_BYTES);
    unsigned n_files = 0;
    int failed = 0;

    for (int i = 1; i < argc; i++) {
        failed |= replay_folder(argv[i], buffer, &n_files);
    }
    fb_free(buffer);
    (void)printf("%u seeds\n", n_files);
    return failed != 0 || n_files == 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}
