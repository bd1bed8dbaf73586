// SPDX-License-Identifier: Apache-2.0
// Secrets from files. The bytes pass through one buffer, which is wiped; no sentence shows any of them.
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/settings_internal.h"

// Secret mounts of container runtimes are 0444 by default and guarded by the mount itself.
#define SECRETS_MOUNT "/run/secrets/"

// Is the file that fd is open on below the folder, whatever links led there?
static bool is_below(int fd, const char *folder)
{
    char descriptor[32];
    char target[4096];
    char real[4096];
    snprintf(descriptor, sizeof descriptor, "/proc/self/fd/%d", fd);
    ssize_t len = readlink(descriptor, target, sizeof target);
    if (len <= 0 || (size_t)len == sizeof target || realpath(folder, real) == NULL)
        return false;
    size_t folder_len = strlen(real);
    return (size_t)len > folder_len && memcmp(target, real, folder_len) == 0 && target[folder_len] == '/';
}

// Reads at most size bytes; the number read, or -1 with errno.
static ssize_t read_all(int fd, char *data, size_t size)
{
    size_t done = 0;
    while (done < size) {
        ssize_t got = read(fd, data + done, size - done);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return -1;
        if (got == 0)
            break;
        done += (size_t)got;
    }
    return (ssize_t)done;
}

// One trailing newline is the editor's, not the secret's.
static size_t without_newline(const char *data, size_t len)
{
    if (len > 0 && data[len - 1] == '\n')
        len--;
    if (len > 0 && data[len - 1] == '\r')
        len--;
    return len;
}

static char *read_open_file(struct mf_setting_parse *parse, const char *name, int fd, const char *path,
                            const char *guarded_folder)
{
    struct stat status;
    if (fstat(fd, &status) != 0 || !S_ISREG(status.st_mode)) {
        mf_setting_problem(parse, name, "%s is not a regular file", path);
        return NULL;
    }
    bool guarded = is_below(fd, SECRETS_MOUNT) || (guarded_folder != NULL && is_below(fd, guarded_folder));
    if ((status.st_mode & S_IROTH) != 0 && !guarded) {
        mf_setting_problem(parse, name, "%s can be read by everyone on this machine: chmod o-r", path);
        return NULL;
    }
    // Two more than allowed: the newline, and one to see that there is too much.
    size_t size = MF_SETTING_SECRET_MAX + 2;
    char *data = mf_alloc(size);
    ssize_t got = read_all(fd, data, size);
    size_t len = got > 0 ? without_newline(data, (size_t)got) : 0;
    char *text = NULL;
    if (got < 0)
        mf_setting_problem(parse, name, "cannot read %s: %s", path, strerror(errno));
    else if (len > MF_SETTING_SECRET_MAX)
        mf_setting_problem(parse, name, "%s holds more than %d bytes", path, MF_SETTING_SECRET_MAX);
    else if (len == 0)
        mf_setting_problem(parse, name, "%s is empty", path);
    else if (memchr(data, '\0', len) != NULL)
        mf_setting_problem(parse, name, "%s holds a zero byte; it must be text", path);
    else
        text = mf_strndup((struct mf_str){data, len});
    explicit_bzero(data, size);
    free(data);
    return text;
}

static char *read_file(struct mf_setting_parse *parse, const char *name, const char *path,
                       const char *guarded_folder)
{
    // Non-blocking, so that a FIFO cannot hold the start; it is refused as not regular.
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
    if (fd < 0) {
        mf_setting_problem(parse, name, "cannot open %s: %s", path, strerror(errno));
        return NULL;
    }
    char *text = read_open_file(parse, name, fd, path, guarded_folder);
    close(fd);
    return text;
}

// The path that the service manager would give this secret; "" when there is none.
static void credential_path(const char *folder, const char *name, char *path, size_t size)
{
    path[0] = '\0';
    if (folder == NULL)
        return;
    int len = snprintf(path, size, "%s/%s", folder, name);
    if (len < 0 || (size_t)len >= size) {
        path[0] = '\0';
        return;
    }
    for (char *c = path + strlen(folder) + 1; *c != '\0'; c++) {
        if (*c >= 'A' && *c <= 'Z')
            *c = (char)(*c - 'A' + 'a');
    }
    if (access(path, F_OK) != 0)
        path[0] = '\0';
}

void mf_setting_secret_read(struct mf_setting_parse *parse, struct mf_setting_value *value)
{
    const char *name = value->def->name;
    char file_name[MF_SETTING_NAME_MAX];
    snprintf(file_name, sizeof file_name, "%s_FILE", name);
    const char *file = mf_setting_env(parse->env, file_name);
    const char *plain = mf_setting_env(parse->env, name);
    const char *folder = mf_setting_env(parse->env, "CREDENTIALS_DIRECTORY");
    char credential[4096];
    credential_path(folder, name, credential, sizeof credential);
    if (file != NULL && strcmp(file, credential) == 0)
        credential[0] = '\0'; // X_FILE=$CREDENTIALS_DIRECTORY/x is one source written twice
    int given = (file != NULL) + (credential[0] != '\0') + (plain != NULL);
    if (given > 1) {
        mf_setting_problem(parse, name, "is given more than once:%s%s%s%s; keep one", file != NULL ? " " : "",
                           file != NULL ? file_name : "", credential[0] != '\0' ? " a credential file" : "",
                           plain != NULL ? " the variable itself" : "");
        return;
    }
    if (file != NULL) {
        value->source = MF_SETTING_FROM_FILE;
        value->text = read_file(parse, name, file, folder);
    } else if (credential[0] != '\0') {
        value->source = MF_SETTING_FROM_CREDENTIAL;
        value->text = read_file(parse, name, credential, folder);
    } else if (plain != NULL) {
        value->source = MF_SETTING_FROM_ENVIRONMENT;
        value->text = mf_strdup(plain);
    }
}
