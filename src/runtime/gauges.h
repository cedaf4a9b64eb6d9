// SPDX-License-Identifier: MIT
// What is asked for when somebody looks at the metrics: how it stands with targets and keys, and with budgets.
#ifndef MB_RUNTIME_GAUGES_H
#define MB_RUNTIME_GAUGES_H

#include "observe/metrics.h"
#include "route/board.h"
#include "runtime/money.h"

// Under the board's lock. A target that no configuration names is left out while it is idle and well.
void mb_gauges_of_board(mb_metrics_writer *writer, const mb_board *board, int64_t now_ms);
// Any thread; waits for the disk. A file that cannot be read has no budgets to show.
void mb_gauges_of_money(mb_metrics_writer *writer, mb_money *money, int64_t wall_ms);

#endif
