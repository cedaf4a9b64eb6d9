// SPDX-License-Identifier: MIT
// Which process is this? A page that the kernel wipes in a child holds the number of the process that wrote it, so that
// the question costs one load and no handler is left behind.
#ifndef MB_RUNTIME_FORK_H
#define MB_RUNTIME_FORK_H

long mb_fork_generation(void); // the same number as long as it is the same process; never 0

#endif
