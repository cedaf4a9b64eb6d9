// SPDX-License-Identifier: MIT
#include "plot.h"

#include <stdio.h>

enum { NAME_W = 150, PANEL_W = 190, GAP = 30, ROW_H = 24, TOP = 64, BAR_H = 14 };

typedef struct panel {
    const char *title, *format;
    double (*value)(const sim_row *row);
} panel;

static double failed(const sim_row *r) { return 100 * (1 - r->success - r->unpaid); }
static double slowest(const sim_row *r) { return (double)r->p99_ms / 1000; }
static double dollars(const sim_row *r) { return r->usd_per_1000; }

static const panel PANELS[] = {{"calls that failed (%)", "%.1f", failed},
                               {"99 of 100 within (s)", "%.1f", slowest},
                               {"cost of 1,000 answers ($)", "%.2f", dollars}};
enum { PANELS_COUNT = sizeof PANELS / sizeof *PANELS };

static void put_panel(FILE *f, const panel *p, int x, const sim_row *rows, int count) {
    double most = 0;
    for (int i = 0; i < count; i++)
        if (p->value(&rows[i]) > most) most = p->value(&rows[i]);
    fprintf(f, "<text x=\"%d\" y=\"%d\" font-weight=\"bold\">%s</text>\n", x, TOP - 12, p->title);
    for (int i = 0; i < count; i++) {
        double value = p->value(&rows[i]), width = most > 0 ? value / most * (PANEL_W - 45) : 0;
        const char *colour = i < MB_POLICY_COUNT ? "#2b6cb0" : "#b7791f";
        fprintf(f, "<rect x=\"%d\" y=\"%d\" width=\"%.1f\" height=\"%d\" fill=\"%s\"/>", x, TOP + i * ROW_H,
                width < 1 ? 1 : width, BAR_H, colour);
        fprintf(f, "<text x=\"%.1f\" y=\"%d\">", x + width + 5, TOP + i * ROW_H + 11);
        fprintf(f, p->format, value);
        fprintf(f, "</text>\n");
    }
}

bool sim_plot(const char *path, const sim_row *rows, int count, uint64_t seed, int hours) {
    const int width = NAME_W + PANELS_COUNT * (PANEL_W + GAP), height = TOP + count * ROW_H + 10;
    FILE *f = fopen(path, "w");
    if (!f) return false;
    fprintf(
        f,
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"%d\" height=\"%d\" font-family=\"sans-serif\" font-size=\"12\">\n",
        width, height);
    fprintf(f, "<rect width=\"100%%\" height=\"100%%\" fill=\"#ffffff\"/>\n");
    fprintf(
        f,
        "<text x=\"8\" y=\"20\" font-size=\"14\">Policies beside naive callers: %d simulated hours, %lld calls each, seed %llu</text>\n",
        hours, (long long)rows[0].asked, (unsigned long long)seed);
    for (int i = 0; i < count; i++)
        fprintf(f, "<text x=\"8\" y=\"%d\">%s</text>\n", TOP + i * ROW_H + 11, rows[i].name);
    for (int i = 0; i < PANELS_COUNT; i++) put_panel(f, &PANELS[i], NAME_W + i * (PANEL_W + GAP), rows, count);
    fprintf(f, "</svg>\n");
    return fclose(f) == 0;
}
