// SPDX-License-Identifier: MIT
//     sim check SEED COUNT [HOURS]           so many worlds, one after another, each with everything checked
//     sim table SEED HOURS [--json] [--svg FILE]
//                                            the policies beside naive callers, over the same worlds
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "plot.h"

int sim_bucket_of(int64_t ms) {
    int at = ms < 1 ? 0 : (int)(log((double)ms) / log(1.03));
    return at < SIM_BUCKETS ? at : SIM_BUCKETS - 1;
}

int64_t sim_percentile(const sim_stats *stats, double part) {
    int64_t total = 0, seen = 0;
    for (int i = 0; i < SIM_BUCKETS; i++) total += stats->latency[i];
    for (int i = 0; i < SIM_BUCKETS; i++)
        if ((double)(seen += stats->latency[i]) >= part * (double)total) return (int64_t)pow(1.03, i + 0.5);
    return 0;
}

// What each session would get of so many answers if nobody got more than another one who asked for more.
static double fair_level(const sim_stats *stats, double answers) {
    double low = 0, high = answers;
    for (int i = 0; i < 60; i++) {
        double level = (low + high) / 2, sum = 0;
        for (int n = 0; n < SIM_SESSIONS; n++) sum += fmin(level, (double)stats->asked[n]);
        *(sum > answers ? &high : &low) = level;
    }
    return high;
}

double sim_fairness(const sim_stats *stats) {
    double sum = 0, squares = 0, answers = 0;
    int count = 0;
    for (int i = 0; i < SIM_SESSIONS; i++) answers += (double)stats->answered[i];
    const double level = fair_level(stats, answers);
    for (int i = 0; i < SIM_SESSIONS; i++) {
        if (!stats->asked[i] || level <= 0) continue;
        double part = (double)stats->answered[i] / fmin(level, (double)stats->asked[i]);
        sum += part;
        squares += part * part;
        count++;
    }
    return squares > 0 ? sum * sum / (count * squares) : 1;
}

static double seconds(void) { return (double)mb_now_us() / 1e6; }

static int check(uint64_t seed, long count, double hours) {
    sim_stats all = {0};
    const double start = seconds();
    for (long i = 0; i < count; i++) {
        sim_scenario scenario;
        sim_stats stats = {0};
        sim_scenario_draw(&scenario, seed + (uint64_t)i, hours);
        sim_run(&scenario, (int)scenario.policy, true, &stats);
        all.simulated_ms += stats.simulated_ms;
        all.attempts += stats.attempts;
        all.retries += stats.retries;
        all.hedges += stats.hedges;
        all.queued += stats.queued;
        all.decisions += stats.decisions;
        for (int n = 0; n < SIM_SESSIONS; n++) all.asked[0] += stats.asked[n], all.answered[0] += stats.answered[n];
    }
    const double took = seconds() - start, simulated = (double)all.simulated_ms / SIM_HOUR;
    printf("ok: %ld worlds, %.0f simulated hours in %.1f s (%.0f a minute)\n", count, simulated, took,
           simulated / took * 60);
    printf("  %lld calls, %lld answered, %lld attempts, %lld retries, %lld hedges, %lld waited, %lld decisions\n",
           (long long)all.asked[0], (long long)all.answered[0], (long long)all.attempts, (long long)all.retries,
           (long long)all.hedges, (long long)all.queued, (long long)all.decisions);
    return 0;
}

static const char *way_name(int way) {
    return way == SIM_ROUND_ROBIN   ? "round robin, naive"
           : way == SIM_FIXED_ORDER ? "fixed order, naive"
                                    : mb_policy_name((mb_policy)way);
}

static sim_row run_way(int way, uint64_t seed, int hours) {
    sim_stats stats = {0};
    int64_t asked = 0, answered = 0;
    double fairness = 0;
    for (int hour = 0; hour < hours; hour++) { // a world an hour
        sim_scenario scenario;
        sim_stats one = {0};
        sim_scenario_everyday(&scenario, seed * 1000 + (uint64_t)hour, 1);
        sim_run(&scenario, way, false, &one);
        fairness += sim_fairness(&one) / hours;
        for (int i = 0; i < SIM_SESSIONS; i++) asked += one.asked[i], answered += one.answered[i];
        for (int i = 0; i < SIM_BUCKETS; i++) stats.latency[i] += one.latency[i];
        stats.unpaid += one.unpaid;
        stats.cost += one.cost;
        stats.overspent += one.overspent;
        stats.attempts += one.attempts;
    }
    const double calls = answered ? (double)answered : 1;
    return (sim_row){.name = way_name(way),
                     .asked = asked,
                     .success = asked ? (double)answered / (double)asked : 0,
                     .unpaid = asked ? (double)stats.unpaid / (double)asked : 0,
                     .p50_ms = sim_percentile(&stats, 0.5),
                     .p99_ms = sim_percentile(&stats, 0.99),
                     .usd_per_1000 = (double)stats.cost / 1e6 / calls * 1000,
                     .overspent_usd = (double)stats.overspent / 1e6,
                     .fairness = fairness,
                     .attempts = asked ? (double)stats.attempts / (double)asked : 0};
}

static void print_json(const sim_row *rows, uint64_t seed, int hours) {
    printf("{\"seed\":%llu,\"hours\":%d,\"rows\":[", (unsigned long long)seed, hours);
    for (int i = 0; i < SIM_WAYS; i++)
        printf(
            "%s\n {\"way\":\"%s\",\"calls\":%lld,\"success\":%.5f,\"unpaid\":%.5f,\"p50_ms\":%lld,\"p99_ms\":%lld,\"usd_per_1000\":%.4f,"
            "\"overspent_usd\":%.4f,\"fairness\":%.4f,\"attempts\":%.3f}",
            i ? "," : "", rows[i].name, (long long)rows[i].asked, rows[i].success, rows[i].unpaid,
            (long long)rows[i].p50_ms, (long long)rows[i].p99_ms, rows[i].usd_per_1000, rows[i].overspent_usd,
            rows[i].fairness, rows[i].attempts);
    printf("\n]}\n");
}

static void print_table(const sim_row *rows, uint64_t seed, int hours) {
    printf("seed %llu, %d simulated hours, %lld calls each\n\n", (unsigned long long)seed, hours,
           (long long)rows[0].asked);
    printf("%-20s %9s %9s %9s %9s %11s %11s %9s %9s\n", "policy", "answered", "no money", "p50 (ms)", "p99 (ms)",
           "$ / 1,000", "overspent $", "fairness", "attempts");
    for (int i = 0; i < SIM_WAYS; i++)
        printf("%-20s %8.2f%% %8.2f%% %9lld %9lld %11.3f %11.3f %9.3f %9.2f\n", rows[i].name, 100 * rows[i].success,
               100 * rows[i].unpaid, (long long)rows[i].p50_ms, (long long)rows[i].p99_ms, rows[i].usd_per_1000,
               rows[i].overspent_usd, rows[i].fairness, rows[i].attempts);
}

static int table(uint64_t seed, int hours, bool as_json, const char *svg) {
    sim_row rows[SIM_WAYS];
    for (int way = 0; way < SIM_WAYS; way++) rows[way] = run_way(way, seed, hours);
    (as_json ? print_json : print_table)(rows, seed, hours);
    return svg && !sim_plot(svg, rows, SIM_WAYS, seed, hours);
}

int main(int argc, char **argv) {
    bool as_json = false;
    const char *svg = NULL;
    for (int i = 4; i < argc; i++) {
        if (strcmp(argv[i], "--json") == 0) as_json = true;
        if (strcmp(argv[i], "--svg") == 0 && i + 1 < argc) svg = argv[++i];
    }
    if (argc >= 4 && strcmp(argv[1], "check") == 0)
        return check(strtoull(argv[2], NULL, 10), strtol(argv[3], NULL, 10), argc > 4 ? strtod(argv[4], NULL) : 1);
    if (argc >= 4 && strcmp(argv[1], "table") == 0)
        return table(strtoull(argv[2], NULL, 10), (int)strtol(argv[3], NULL, 10), as_json, svg);
    fprintf(stderr, "sim check SEED COUNT [HOURS]\nsim table SEED HOURS [--json] [--svg FILE]\n");
    return 2;
}
