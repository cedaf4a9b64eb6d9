// SPDX-License-Identifier: MIT
#include "base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

static int read_all(int fd, const char *path, mb_buf *out, membrane_error **err) {
    char chunk[16384];
    ssize_t n = 1;
    struct stat st;
    if (fstat(fd, &st) != 0 || !S_ISREG(st.st_mode))
        return mb_error_set(err, MEMBRANE_EIO, "cannot read %s: it is no regular file", path);
    while (n > 0 && mb_buf_ok(out)) {
        n = read(fd, chunk, sizeof chunk);
        if (n < 0 && errno == EINTR)
            n = 1;
        else if (n < 0)
            return mb_error_set(err, MEMBRANE_EIO, "cannot read %s: %s", path, strerror(errno));
        else
            mb_buf_put(out, chunk, (size_t)n);
    }
    if (out->failed == MEMBRANE_EINVAL)
        return mb_error_set(err, MEMBRANE_EIO, "%s is larger than the %zu bytes allowed here", path, out->max);
    return mb_buf_ok(out) ? 0 : mb_error_no_memory(err);
}

int mb_file_read(const char *path, mb_buf *out, membrane_error **err) {
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0) return mb_error_set(err, MEMBRANE_EIO, "cannot read %s: %s", path, strerror(errno));
    int code = read_all(fd, path, out, err);
    close(fd);
    return code;
}
