/* A full disk: while the file FULL_DISK_FLAG exists, nothing under FULL_DISK_FOLDER grows or changes. For LD_PRELOAD. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>
#include <unistd.h>

static int full(int file)
{
    const char *flag = getenv("FULL_DISK_FLAG"), *folder = getenv("FULL_DISK_FOLDER");
    char name[64], path[PATH_MAX];
    ssize_t length;
    if (!flag || !folder || access(flag, F_OK) != 0)
        return 0;
    snprintf(name, sizeof name, "/proc/self/fd/%d", file);
    length = readlink(name, path, sizeof path - 1);
    if (length < 0)
        return 0;
    path[length] = '\0';
    return strncmp(path, folder, strlen(folder)) == 0;
}

#define REAL(type, name) ((type)dlsym(RTLD_NEXT, name))

ssize_t write(int file, const void *content, size_t size)
{
    if (full(file)) { errno = ENOSPC; return -1; }
    return REAL(ssize_t (*)(int, const void *, size_t), "write")(file, content, size);
}

ssize_t pwrite(int file, const void *content, size_t size, off_t at)
{
    if (full(file)) { errno = ENOSPC; return -1; }
    return REAL(ssize_t (*)(int, const void *, size_t, off_t), "pwrite")(file, content, size, at);
}

ssize_t pwrite64(int file, const void *content, size_t size, off64_t at)
{
    if (full(file)) { errno = ENOSPC; return -1; }
    return REAL(ssize_t (*)(int, const void *, size_t, off64_t), "pwrite64")(file, content, size, at);
}
