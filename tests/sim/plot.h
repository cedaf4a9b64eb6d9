// SPDX-License-Identifier: MIT
// The table as a picture: plain SVG, bars beside bars.
#ifndef TESTS_SIM_PLOT_H
#define TESTS_SIM_PLOT_H

#include "sim.h"

typedef struct sim_row {
    const char *name;
    int64_t asked, p50_ms, p99_ms;
    double success, unpaid, usd_per_1000, overspent_usd, fairness, attempts;
} sim_row;

bool sim_plot(const char *path, const sim_row *rows, int count, uint64_t seed, int hours); // false: cannot be written

#endif
