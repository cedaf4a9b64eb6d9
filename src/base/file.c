// SPDX-License-Identifier: MIT
#include "base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static int not_private(const char *path, const struct stat *st, membrane_error **err) {
    bool is_ours = st->st_uid == geteuid() || st->st_uid == 0;
    if (is_ours && (st->st_mode & 077) == 0) return 0;
    int code = mb_error_set(err, MEMBRANE_ECONFIG,
                            is_ours ? "%s may be read or changed by others" : "%s belongs to somebody else", path);
    if (err) mb_error_hint(*err, is_ours ? "chmod 600 %s" : "chown it to yourself: %s", path);
    return code;
}

static int read_all(int fd, const char *path, bool is_private, mb_buf *out, membrane_error **err) {
    char chunk[16384];
    ssize_t n = 1;
    struct stat st;
    if (fstat(fd, &st) != 0 || !S_ISREG(st.st_mode))
        return mb_error_set(err, MEMBRANE_EIO, "cannot read %s: it is no regular file", path);
    int code = is_private ? not_private(path, &st, err) : 0;
    if (code) return code;
    while (n > 0 && mb_buf_ok(out)) {
        n = read(fd, chunk, sizeof chunk);
        if (n < 0 && errno == EINTR)
            n = 1;
        else if (n < 0)
            return mb_error_set(err, MEMBRANE_EIO, "cannot read %s: %s", path, strerror(errno));
        else
            mb_buf_put(out, chunk, (size_t)n);
    }
    explicit_bzero(chunk, sizeof chunk); // some files are keys
    if (out->failed == MEMBRANE_EINVAL)
        return mb_error_set(err, MEMBRANE_EIO, "%s is larger than the %zu bytes allowed here", path, out->max);
    return mb_buf_ok(out) ? 0 : mb_error_no_memory(err);
}

static int read_file(const char *path, bool is_private, mb_buf *out, membrane_error **err) {
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0) return mb_error_set(err, MEMBRANE_EIO, "cannot read %s: %s", path, strerror(errno));
    int code = read_all(fd, path, is_private, out, err);
    close(fd);
    return code;
}

int mb_file_read(const char *path, mb_buf *out, membrane_error **err) { return read_file(path, false, out, err); }
int mb_file_read_private(const char *path, mb_buf *out, membrane_error **err) {
    return read_file(path, true, out, err);
}

int mb_file_make_folders(const char *path, membrane_error **err) {
    char part[PATH_MAX];
    for (size_t i = 1; i < sizeof part && path[i]; i++) {
        if (path[i] != '/') continue;
        memcpy(part, path, i);
        part[i] = '\0';
        if (mkdir(part, 0700) != 0 && errno != EEXIST)
            return mb_error_set(err, MEMBRANE_EIO, "cannot make the folder %s: %s", part, strerror(errno));
    }
    return 0;
}

static bool write_all(int fd, const char *data, size_t len) {
    while (len) {
        ssize_t n = write(fd, data, len);
        if (n < 0 && errno == EINTR) continue;
        if (n < 0) return false;
        data += n;
        len -= (size_t)n;
    }
    return fchmod(fd, 0600) == 0 && fsync(fd) == 0;
}

// A name is on the disk once its folder is.
static bool sync_folder(const char *path) {
    char folder[PATH_MAX];
    const char *slash = strrchr(path, '/');
    size_t len = slash ? (size_t)(slash - path) : 0;
    if (len >= sizeof folder) return errno = ENAMETOOLONG, false;
    memcpy(folder, path, len);
    folder[len] = '\0';
    int fd = open(len ? folder : slash ? "/" : ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0) return false;
    // Some file systems cannot do this and have nothing to do.
    bool good = fsync(fd) == 0 || errno == EINVAL || errno == EROFS;
    int kept = errno;
    close(fd);
    errno = kept;
    return good;
}

int mb_file_replace(const char *path, const void *data, size_t len, membrane_error **err) {
    char fresh[PATH_MAX];
    if (snprintf(fresh, sizeof fresh, "%s.new", path) >= (int)sizeof fresh)
        return mb_error_set(err, MEMBRANE_EIO, "%.64s… is too long for a path", path);
    int fd = open(fresh, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0600);
    bool good = fd >= 0 && write_all(fd, data, len);
    int failed = errno;
    if (fd >= 0) close(fd);
    if (good && (rename(fresh, path) != 0 || !sync_folder(path))) good = false, failed = errno;
    if (!good && fd >= 0) unlink(fresh);
    return good ? 0 : mb_error_set(err, MEMBRANE_EIO, "cannot write %s: %s", path, strerror(failed));
}
