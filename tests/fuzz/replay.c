// SPDX-License-Identifier: Apache-2.0
//
// A main for fuzz targets built without libFuzzer: feeds every regular file of the folders (or files) named
// on the command line to the target, in directory order, each in a heap block of exactly its size so that a
// sanitizer sees an over-read. Exit 0 when at least one input was run, 1 when there was none or one could not
// be read: an empty corpus must not pass as a test. A finding is a crash, as under libFuzzer.
#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { REPLAY_MAX_BYTES = 16 * 1024 * 1024 };

static int replay_file(const char *path, size_t size)
{
    if (size > REPLAY_MAX_BYTES) {
        fprintf(stderr, "%s: larger than %d bytes\n", path, REPLAY_MAX_BYTES);
        return -1;
    }
    FILE *file = fopen(path, "rb");
    if (file == NULL) {
        fprintf(stderr, "%s: %s\n", path, strerror(errno));
        return -1;
    }
    uint8_t *data = malloc(size > 0 ? size : 1);
    int result = -1;
    if (data != NULL && fread(data, 1, size, file) == size) {
        LLVMFuzzerTestOneInput(data, size);
        result = 1;
    } else {
        fprintf(stderr, "%s: cannot read %zu bytes\n", path, size);
    }
    free(data);
    fclose(file);
    return result;
}

// Number of inputs run below path, or -1. One level of folders is enough for a corpus.
static int replay_path(const char *path, int depth)
{
    struct stat status;
    if (stat(path, &status) != 0) {
        fprintf(stderr, "%s: %s\n", path, strerror(errno));
        return -1;
    }
    if (S_ISREG(status.st_mode))
        return replay_file(path, (size_t)status.st_size);
    DIR *folder = depth < 2 ? opendir(path) : NULL;
    if (folder == NULL) {
        fprintf(stderr, "%s: not a readable folder\n", path);
        return -1;
    }
    int count = 0;
    for (struct dirent *entry; count >= 0 && (entry = readdir(folder)) != NULL;) {
        if (entry->d_name[0] == '.')
            continue;
        char below[PATH_MAX];
        int length = snprintf(below, sizeof below, "%s/%s", path, entry->d_name);
        int run = length > 0 && (size_t)length < sizeof below ? replay_path(below, depth + 1) : -1;
        count = run < 0 ? -1 : count + run;
    }
    closedir(folder);
    return count;
}

int main(int argc, char **argv)
{
    int total = 0;
    for (int i = 1; i < argc; i++) {
        int count = replay_path(argv[i], 0);
        if (count < 0)
            return 1;
        total += count;
    }
    printf("%d inputs replayed\n", total);
    return total > 0 ? 0 : 1;
}
