// SPDX-License-Identifier: MIT
// Groups, limits, hedges, cuts and sessions over a real socket, through the public API. What needs a long time or
// chance is tests/sim's.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "fault.h"

static membrane_t *m;

static void opened(const char *models) {
    char text[4096];
    snprintf(text, sizeof text,
             "  two: {kind: openai-compatible, base_url: \"http://127.0.0.1:%d/v1\", api_keys: [sk-PLANTED-first-key, "
             "sk-PLANTED-second-key]}\n"
             "  v: {kind: vllm, base_url: \"http://127.0.0.1:%d/v1\"}\n"
             "  p: {kind: llamacpp, base_url: \"http://127.0.0.1:%d/v1\"}\n"
             "  one: {kind: openai-compatible, base_url: \"http://127.0.0.1:%d/v1\", limits: {parallel: 1}}\n"
             "  few: {kind: openai-compatible, base_url: \"http://127.0.0.1:%d/v1\", limits: {rpm: 2}}\n"
             "  hop: {kind: openai-compatible, base_url: \"http://127.0.0.1:%d/v1\", tells_hops: true}\n"
             "%s",
             fault_at.port, fault_at.port, fault_at.port, fault_at.port, fault_at.port, fault_at.port, models);
    m = fault_open(text);
}

static void closed(void) { CHECK(membrane_close(m, 2000) == 0, "the I/O thread was still busy"); }

static membrane_call_options patient(void) {
    membrane_call_options o = fault_options();
    o.deadline_ms = o.first_token_timeout_ms = 10000;
    o.idle_timeout_ms = 2000;
    return o;
}

static bool is(const fault_outcome *got, int code, const char *attempts, const char *text) {
    bool fits = got->code == code && strcmp(got->attempts, attempts) == 0 && (!text || strcmp(got->text, text) == 0);
    if (!fits)
        printf("# %s, attempts \"%s\", text \"%s\"\n# %s\n", membrane_status_kind(got->code), got->attempts, got->text,
               got->message);
    return fits;
}

// The reason of the first attempt.
static bool because(const fault_outcome *got, const char *reason) { return strstr(got->json, reason) != NULL; }

// ---- hedges --------------------------------------------------------------------------------------------------------

static void a_hedge_is_won_by_the_second(void) {
    opened("models:\n  h: {targets: [o/silent#hedge, l/good#hedge], hedge: 60ms}\n");
    membrane_call_options o = patient();
    for (int stream = 0; stream < 2; stream++) {
        fault_outcome *got = fault_call(m, "h", stream, &o);
        CHECK(is(got, 0, "o:cancelled l:ok", stream ? "Hello from here." : NULL), "stream %d", stream);
        CHECK(because(got, "\"reason\":\"hedge\""), "%s", got->json);
        CHECK(because(got, "\"target\":{\"provider\":\"l\""), "%s", got->json);
        CHECK(got->ms >= 50 && got->ms < 1500 * FAULT_SLOW, "%lld ms", (long long)got->ms);
    }
    closed();
}

static void a_hedge_that_loses_is_cancelled(void) {
    opened("models:\n  h: {targets: [o/late--300#loses, l/silent#loses], hedge: 60ms}\n");
    membrane_call_options o = patient();
    for (int stream = 0; stream < 2; stream++) {
        fault_outcome *got = fault_call(m, "h", stream, &o);
        CHECK(is(got, 0, "o:ok l:cancelled", stream ? "Hello from here." : NULL), "stream %d", stream);
    }
    CHECK(fault_log_of("silent#loses").requests == 2, "%ld requests", fault_log_of("silent#loses").requests);
    closed();
}

static void no_hedge_where_the_first_is_quick_or_there_is_no_other(void) {
    opened(
        "models:\n  quick: {targets: [o/good, l/good#never], hedge: 2s}\n  alone: {targets: [o/late--200], hedge: 50ms}\n");
    membrane_call_options o = patient();
    CHECK(is(fault_call(m, "quick", true, &o), 0, "o:ok", "Hello from here."), "quick");
    CHECK(is(fault_call(m, "alone", true, &o), 0, "o:ok", "Hello from here."), "alone");
    CHECK(fault_log_of("good#never").requests <= 0, "the second was asked");
    closed();
}

static void when_both_of_a_hedge_fail_the_call_does(void) {
    opened("models:\n  h: {targets: [o/late-status--150-500, l/status--502-html#both], hedge: 50ms, retries: 0}\n");
    membrane_call_options o = patient();
    fault_outcome *got = fault_call(m, "h", true, &o);
    CHECK(got->code == MEMBRANE_ESERVER || got->code == MEMBRANE_EGATEWAY, "%s", got->message);
    CHECK(got->terminal_events == 1, "%d", got->terminal_events);
    closed();
}

static void a_call_with_a_hedge_can_be_cancelled(void) {
    opened("models:\n  h: {targets: [o/silent#c1, l/silent#c2], hedge: 20ms}\n");
    membrane_call_options o = patient();
    for (int i = 0; i < 5; i++) {
        const membrane_event *event;
        fault_outcome got;
        membrane_call *call = fault_start(m, "h", true, &o);
        while (membrane_call_next(call, 200, &event, NULL) == 0) continue;
        membrane_call_cancel(call);
        fault_finish(call, &got);
        CHECK(is(&got, MEMBRANE_ECANCELLED, "o:cancelled l:cancelled", NULL), "%d", i);
    }
    closed();
}

// ---- answers that break off ----------------------------------------------------------------------------------------

// Takes the first piece before the stream breaks, so that it was handed out.
static void taken_piece_by_piece(const char *model, const membrane_call_options *o, fault_outcome *ret) {
    membrane_call *call = fault_start(m, model, true, o);
    fault_finish(call, ret);
}

static void an_answer_begins_again_where_that_is_wanted(void) {
    opened("models:\n  again: {targets: [o/stall-cut--300, l/good#again], on_cut: restart, retries: 0}\n"
           "  plain: {targets: [o/stall-cut--300, l/good#plain], retries: 0}\n");
    membrane_call_options o = patient();
    fault_outcome got;
    taken_piece_by_piece("again", &o, &got);
    CHECK(is(&got, 0, "o:stream_truncated l:ok", "Hello from here."), "again");
    CHECK(got.resets == 1, "%d resets", got.resets);
    taken_piece_by_piece("plain", &o, &got);
    CHECK(is(&got, MEMBRANE_ETRUNCATED, "o:stream_truncated", "Hello from "), "plain");
    CHECK(got.resets == 0, "%d resets", got.resets);
    o.flags |= MEMBRANE_CALL_RESTART;
    taken_piece_by_piece("plain", &o, &got);
    CHECK(is(&got, 0, "o:stream_truncated l:ok", "Hello from here."), "by the call's own wish");
    closed();
}

static void an_answer_goes_on_where_it_broke_off(void) {
    opened("models:\n  on: {targets: [o/stall-cut--300, o/good#passed, v/goes-on], on_cut: continue, retries: 0}\n"
           "  local: {targets: [o/stall-cut--300, p/goes-on#local], on_cut: continue, retries: 0}\n"
           "  cannot: {targets: [o/stall-cut--300, o/good#passed], on_cut: continue, retries: 0}\n");
    membrane_call_options o = patient();
    fault_outcome got;
    taken_piece_by_piece("on", &o, &got);
    CHECK(is(&got, 0, "o:stream_truncated v:ok", "Hello from and goes on."), "on");
    CHECK(strstr(got.json, "\"text\":\"Hello from and goes on.\""), "%s", got.json);
    fault_log log = fault_log_of("goes-on");
    CHECK(strstr(log.last, "\\\"role\\\":\\\"assistant\\\",\\\"content\\\":\\\"Hello from\\\""), "%s", log.last);
    CHECK(strstr(log.last, "\\\"continue_final_message\\\":true"), "%s", log.last);
    taken_piece_by_piece("local", &o, &got);
    CHECK(is(&got, 0, "o:stream_truncated p:ok", "Hello from and goes on."), "local");
    taken_piece_by_piece("cannot", &o, &got);
    CHECK(is(&got, MEMBRANE_ETRUNCATED, "o:stream_truncated", "Hello from "), "cannot");
    CHECK(fault_log_of("good#passed").requests <= 0, "a target that cannot go on was asked");
    closed();
}

// Whoever is to go on and does not even begin is like any other target that fails.
static void what_is_mended_may_need_several_others(void) {
    opened("models:\n"
           "  on: {targets: [o/stall-cut--200, v/status--429-json, v/status--503-json, p/goes-on#late], "
           "on_cut: continue, retries: 0}\n"
           "  again: {targets: [o/stall-cut--200, l/status--404-json, v/status--429-json, l/good], on_cut: restart, "
           "retries: 0}\n");
    membrane_call_options o = patient();
    fault_outcome got;
    taken_piece_by_piece("on", &o, &got);
    CHECK(is(&got, 0, "o:stream_truncated v:rate_limit v:overloaded p:ok", "Hello from and goes on."), "on");
    CHECK(strstr(got.json, "\"text\":\"Hello from and goes on.\""), "%s", got.json);
    taken_piece_by_piece("again", &o, &got);
    CHECK(is(&got, 0, "o:stream_truncated l:model_not_found v:rate_limit l:ok", "Hello from here."), "again");
    CHECK(got.resets == 1, "%d resets", got.resets);
    closed();
}

// What the caller was given piece by piece is what the result says.
static void an_answer_that_breaks_off_twice_is_put_together(void) {
    opened("models:\n  on: {targets: [o/stall-cut--200, v/goes-on-twice--200, p/goes-on#twice], on_cut: continue, "
           "retries: 0}\n");
    membrane_call_options o = patient();
    fault_outcome got;
    taken_piece_by_piece("on", &o, &got);
    CHECK(is(&got, 0, "o:stream_truncated v:stream_truncated p:ok", "Hello from and and goes on."), "on");
    CHECK(strstr(got.json, "\"text\":\"Hello from and and goes on.\""), "%s", got.json);
    closed();
}

static void a_stream_that_crawls_is_given_up(void) {
    opened(
        "models:\n  crawl: {targets: [o/slow--900, l/good#crawl], min_tokens_per_s: 100, on_cut: restart, retries: 0}\n");
    membrane_call_options o = patient();
    fault_outcome got;
    o.deadline_ms = 30000;
    taken_piece_by_piece("crawl", &o, &got);
    CHECK(is(&got, 0, "o:stream_too_slow l:ok", "Hello from here."), "crawl");
    closed();
}

// ---- windows -------------------------------------------------------------------------------------------------------

// The first one's window is in no table: it is smaller than the prompt that it refused, which is 2 tokens.
static void a_prompt_that_is_too_long_goes_where_it_is_known_to_fit(void) {
    char prices[] = "/tmp/membrane-prices-XXXXXX.json", models[1024];
    static const char rows[] = "{\"lists\":[{\"providers\":[\"ollama\"],\"models\":["
                               "{\"model\":\"good#narrow\",\"window\":1},{\"model\":\"good#wide\",\"window\":8}]}]}";
    int fd = mkstemps(prices, 5);
    CHECK(fd >= 0 && write(fd, rows, sizeof rows - 1) == (ssize_t)sizeof rows - 1, "%s", prices);
    snprintf(models, sizeof models,
             "prices: %s\nmodels:\n  w: {targets: [o/error-code--400-context_length_exceeded, o/good#unknown, "
             "l/good#narrow, l/good#wide]}\n",
             prices);
    opened(models);
    membrane_call_options o = patient();
    for (int stream = 0; stream < 2; stream++)
        CHECK(is(fault_call(m, "w", stream, &o), 0, "o:context_overflow l:ok", NULL), "stream %d", stream);
    CHECK(fault_log_of("good#wide").requests == 2, "%ld requests", fault_log_of("good#wide").requests);
    closed();
    close(fd);
    unlink(prices);
}

// ---- limits of our own ---------------------------------------------------------------------------------------------

static void no_more_than_may_be_there_are_there(void) {
    enum { CALLS = 12 };
    membrane_call *calls[CALLS];
    opened("models:\n  p: {targets: [one/late--40], max_wait: 20s}\n");
    membrane_call_options o = patient();
    o.deadline_ms = 20000;
    for (int i = 0; i < CALLS; i++) calls[i] = fault_start(m, "p", i % 2, &o);
    for (int i = 0; i < CALLS; i++) {
        fault_outcome got;
        fault_finish(calls[i], &got);
        CHECK(is(&got, 0, "one:ok", NULL), "%d", i);
    }
    fault_log log = fault_log_of("late--40");
    CHECK(log.requests == CALLS && log.peak == 1, "%ld requests, %ld at a time", log.requests, log.peak);
    closed();
}

static void who_may_not_wait_is_told_when(void) {
    opened("models:\n  r: {targets: [few/good#rpm]}\n  f: {targets: [few/good#rpm, l/good#rest]}\n");
    membrane_call_options o = patient();
    for (int i = 0; i < 2; i++) CHECK(is(fault_call(m, "r", false, &o), 0, "few:ok", NULL), "%d", i);
    fault_outcome *got = fault_call(m, "r", false, &o);
    CHECK(is(got, MEMBRANE_ERATE, "", NULL), "the third");
    CHECK(strstr(got->message, "\"retry_after_ms\":2") || strstr(got->message, "\"retry_after_ms\":3"), "%s",
          got->message);
    CHECK(is(fault_call(m, "f", false, &o), 0, "l:ok", NULL), "the next target");
    CHECK(fault_log_of("good#rpm").requests == 2, "%ld", fault_log_of("good#rpm").requests);
    closed();
}

static void sessions_take_turns(void) {
    enum { MANY = 10 };
    membrane_call *calls[MANY], *other;
    fault_outcome got, late;
    opened("models:\n  p: {targets: [one/late--60], max_wait: 20s}\n");
    membrane_call_options o = patient();
    o.deadline_ms = 20000;
    o.session = "greedy";
    for (int i = 0; i < MANY; i++) calls[i] = fault_start(m, "p", false, &o);
    o.session = "modest";
    other = fault_start(m, "p", false, &o);
    int64_t start = fault_now_ms();
    fault_finish(other, &got);
    int64_t modest = fault_now_ms() - start;
    for (int i = 0; i < MANY; i++) fault_finish(calls[i], &late);
    int64_t all = fault_now_ms() - start;
    CHECK(is(&got, 0, "one:ok", NULL), "modest");
    CHECK(modest < all / 2, "the modest session waited %lld of %lld ms", (long long)modest, (long long)all);
    closed();
}

static void who_waits_can_be_cancelled_and_has_a_deadline(void) {
    fault_outcome got, first;
    opened("models:\n  p: {targets: [one/late--600], max_wait: 20s}\n");
    membrane_call_options o = patient();
    membrane_call *busy = fault_start(m, "p", false, &o);
    membrane_call *cancelled = fault_start(m, "p", false, &o);
    o.deadline_ms = 100;
    membrane_call *hurried = fault_start(m, "p", false, &o);
    membrane_call_cancel(cancelled);
    fault_finish(cancelled, &got);
    CHECK(is(&got, MEMBRANE_ECANCELLED, "", NULL), "cancelled");
    fault_finish(hurried, &got);
    CHECK(is(&got, MEMBRANE_ETIMEOUT, "", NULL), "hurried");
    fault_finish(busy, &first);
    CHECK(is(&first, 0, "one:ok", NULL), "the one that was there");
    o = patient();
    CHECK(is(fault_call(m, "p", false, &o), 0, "one:ok", NULL), "the place is free again");
    closed();
}

// ---- breakers, keys, sessions --------------------------------------------------------------------------------------

static void a_target_that_keeps_failing_is_passed_over(void) {
    opened("models:\n  b: {targets: [o/status--500-json#breaker, l/good], retries: 0}\n");
    membrane_call_options o = patient();
    o.retries = MEMBRANE_UNSET;
    for (int i = 0; i < 5; i++) CHECK(is(fault_call(m, "b", false, &o), 0, "o:server l:ok", NULL), "%d", i);
    fault_outcome *got = fault_call(m, "b", false, &o);
    CHECK(is(got, 0, "l:ok", NULL) && because(got, "the first that is free"), "after five");
    CHECK(is(fault_call(m, "o/status--500-json#breaker", false, &o), MEMBRANE_ESERVER, "o:server o:server o:server",
             NULL),
          "a target that is the only one is asked all the same");
    closed();
}

static void a_bad_key_is_left_alone(void) {
    opened("models:\n  k: {targets: [two/first-key-refused]}\n");
    membrane_call_options o = patient();
    CHECK(is(fault_call(m, "k", false, &o), 0, "two:auth two:ok", NULL), "first");
    for (int i = 0; i < 4; i++) CHECK(is(fault_call(m, "k", false, &o), 0, "two:ok", NULL), "%d", i);
    closed();
}

// Who stood first asked for much, and has gone: those behind wait for no more than they ask for.
static void who_leaves_a_queue_keeps_nobody_waiting(void) {
    static const char MUCH[] = "{\"model\":\"%s\",\"max_tokens\":%d,\"messages\":[{\"role\":\"user\","
                               "\"content\":\"%0*d\"}]}";
    char text[40960];
    membrane_call *calls[3];
    fault_outcome got;
    char config[512];
    snprintf(config, sizeof config,
             "  many: {kind: openai-compatible, base_url: \"http://127.0.0.1:%d/v1\", limits: {tpm: 6000}}\n"
             "models:\n  all: {targets: [many/late--5000]}\n  few: {targets: [many/good#few], max_wait: 20s}\n",
             fault_at.port);
    opened(config);
    membrane_call_options o = patient();
    o.deadline_ms = 20000;
    const struct {
        const char *model;
        int most, bytes;
    } rows[] = {{"all", 1, 23900}, {"few", 1, 12000}, {"few", 1, 4}};
    for (size_t i = 0; i < COUNT(rows); i++) {
        snprintf(text, sizeof text, MUCH, rows[i].model, rows[i].most, rows[i].bytes, 0);
        CHECK(membrane_call_start(m, text, 0, &o, &calls[i], NULL) == 0, "%zu", i);
        usleep(50000);
    }
    membrane_call_free(calls[1]);
    fault_finish(calls[2], &got);
    CHECK(is(&got, 0, "many:ok", NULL) && got.ms < 2500, "%lld ms", (long long)got.ms);
    membrane_call_free(calls[0]);
    closed();
}

static void keys_share_the_calls(void) {
    opened("models:\n  k: {targets: [two/good#keys]}\n");
    membrane_call_options o = patient();
    for (int i = 0; i < 4; i++) CHECK(is(fault_call(m, "k", false, &o), 0, "two:ok", NULL), "%d", i);
    fault_log log = fault_log_of("good#keys");
    const char *first = strstr(log.keys, "first"), *second = strstr(log.keys, "second");
    CHECK(first && second && strstr(first + 1, "first") && strstr(second + 1, "second"), "%s", log.keys);
    closed();
}

static void a_session_stays_where_it_was(void) {
    opened("models:\n  s: {policy: weighted, sticky: true, targets: [o/good, l/good, two/good, v/good]}\n");
    membrane_call_options o = patient();
    char where[512];
    o.session = "abc";
    snprintf(where, sizeof where, "%s", fault_call(m, "s", false, &o)->attempts);
    for (int i = 0; i < 20; i++) {
        fault_outcome *got = fault_call(m, "s", false, &o);
        CHECK(is(got, 0, where, NULL) && because(got, "its session is there"), "%d", i);
    }
    closed();
}

// ---- money ---------------------------------------------------------------------------------------------------------

// A thousand dollars for a million tokens, so that the ten tokens of an answer cost a cent.
static void opened_with_prices(const char *models) {
    static const char PRICES[] = "lists: [{providers: [openai-compatible], date: \"2026-11\", models: [{model: \"*\", "
                                 "max_output: 10, input: 1000, output: 1000}]}]\n";
    char path[] = "/tmp/membrane-prices-XXXXXX", text[2048];
    int fd = mkstemp(path);
    CHECK(fd >= 0 && write(fd, PRICES, sizeof PRICES - 1) > 0, "no file for the prices");
    snprintf(text, sizeof text, "prices: %s\n%s", path, models);
    opened(text);
    close(fd);
    unlink(path);
}

static int64_t budget(const char *path) {
    membrane_result *r = NULL;
    membrane_error *err = NULL;
    int64_t n = -1;
    int code = membrane_budget_list(m, &r, &err);
    CHECK(code == 0, "%s", membrane_error_message(err));
    if (code == 0) n = membrane_result_int(r, path, -1);
    membrane_result_free(r);
    membrane_error_free(err);
    return n;
}

static void a_budget_is_spent_and_not_overspent(void) {
    int paid = 0, free_ones = 0;
    opened_with_prices("budgets: [{scope: all, period: total, usd_micros: 300000}]\n"
                       "models:\n  g: {targets: [o/good#paid, l/good#free]}\n  only: {targets: [o/good#paid]}\n");
    membrane_call_options o = patient();
    for (int i = 0; i < 30; i++) {
        fault_outcome *got = fault_call(m, "g", i % 2, &o);
        CHECK(got->code == 0, "%s", got->message);
        if (strcmp(got->attempts, "o:ok") == 0) {
            CHECK(because(got, "\"cost_usd_micros\":10000,"), "%s", got->json);
            CHECK(free_ones == 0, "paid for again, after there was too little left");
            paid++;
        } else {
            CHECK(is(got, 0, "l:ok", NULL) && because(got, "\"cost_usd_micros\":0,"), "%d", i);
            free_ones++;
        }
    }
    CHECK(paid >= 10 && paid <= 29 && free_ones > 0, "%d paid, %d free", paid, free_ones);
    fault_outcome *refused = fault_call(m, "only", false, &o);
    CHECK(is(refused, MEMBRANE_EBUDGET, "", NULL), "only");
    CHECK(fault_log_of("good#paid").requests == paid, "%ld requests", fault_log_of("good#paid").requests);
    CHECK(budget("items.0.settled") == 10000 * paid, "settled %lld", (long long)budget("items.0.settled"));
    CHECK(budget("items.0.unknown") == 0, "unknown %lld", (long long)budget("items.0.unknown"));
    closed();
}

static void a_budget_that_is_nearly_spent_is_told(void) {
    char lines[16384] = "";
    size_t len = 0;
    opened_with_prices("budgets: [{scope: session, match: told, period: total, usd_micros: 1000000, alerts: [0.02]}]\n"
                       "models:\n  only: {targets: [o/good#told]}\n");
    membrane_call_options o = patient();
    membrane_log_read(m, "warn", lines, sizeof lines, &len, NULL, 0); // from now on they are kept
    o.session = "told";
    for (int i = 0; i < 4; i++) CHECK(is(fault_call(m, "only", false, &o), 0, "o:ok", NULL), "%d", i);
    int code = membrane_log_read(m, "warn", lines, sizeof lines - 1, &len, NULL, 5000);
    lines[code ? 0 : len] = '\0';
    CHECK(strstr(lines, "told") && strstr(lines, "$1"), "%s: \"%s\"", membrane_status_kind(code), lines);
    closed();
}

static void what_nobody_knows_the_cost_of_counts(void) {
    opened_with_prices(
        "budgets: [{scope: all, period: total, usd_micros: 9000000}]\nmodels:\n"
        "  cut: {targets: [o/cut-close], retries: 0}\n  no: {targets: [o/status--500-json], retries: 0}\n");
    membrane_call_options o = patient();
    CHECK(is(fault_call(m, "no", true, &o), MEMBRANE_ESERVER, "o:server", NULL), "refused");
    CHECK(budget("items.0.unknown") <= 0 && budget("items.0.settled") <= 0, "a refusal was counted");
    CHECK(is(fault_call(m, "cut", true, &o), MEMBRANE_ETRUNCATED, "o:stream_truncated", NULL), "cut");
    CHECK(budget("items.0.unknown") > 10000, "unknown %lld", (long long)budget("items.0.unknown"));
    closed();
}

static void what_a_lost_hedge_may_have_cost_is_not_forgotten(void) {
    membrane_result *sums = NULL;
    opened_with_prices("models:\n  h: {targets: [o/silent#priced, l/good#wins], hedge: 40ms}\n");
    membrane_call_options o = patient();
    fault_outcome *got = fault_call(m, "h", true, &o);
    CHECK(is(got, 0, "o:cancelled l:ok", NULL) && because(got, "\"cost_unknown_attempts\":1"), "%s", got->json);
    CHECK(membrane_usage_sum(m, "day", 0, &sums, NULL) == 0, "usage");
    CHECK(membrane_result_int(sums, "items.0.cost_unknown", -1) == 1, "%s", membrane_result_json(sums, NULL));
    membrane_result_free(sums);
    closed();
}

static void a_call_costs_no_more_than_it_may(void) {
    opened_with_prices("models:\n  g: {targets: [o/good#dear, l/good#cheap]}\n  only: {targets: [o/good#dear]}\n");
    membrane_call_options o = patient();
    o.max_cost_usd_micros = 20000;
    CHECK(is(fault_call(m, "g", false, &o), 0, "l:ok", NULL), "what costs nothing is asked");
    CHECK(is(fault_call(m, "only", false, &o), MEMBRANE_EBUDGET, "", NULL), "only");
    CHECK(fault_log_of("good#dear").requests <= 0, "it was asked");
    o.max_cost_usd_micros = 1000000;
    CHECK(is(fault_call(m, "only", false, &o), 0, "o:ok", NULL), "enough");
    closed();
}

static void a_hedge_is_paid_from_what_the_call_may_cost(void) {
    opened_with_prices("models:\n  h: {targets: [o/late--300#first, v/good#second], hedge: 50ms}\n"
                       "  p: {targets: [o/late--300#first, two/good#second], hedge: 50ms}\n");
    membrane_call_options o = patient();
    o.max_cost_usd_micros = 100000; // enough for one of them
    CHECK(is(fault_call(m, "p", false, &o), 0, "o:ok", NULL), "two would cost more");
    o.max_cost_usd_micros = 1000000;
    CHECK(is(fault_call(m, "p", false, &o), 0, "o:cancelled two:ok", NULL), "enough for both");
    closed();
}

static void live_calls_are_counted_and_explained(void) {
    char *text = NULL;
    membrane_result *rows = NULL;
    opened("models:\n  e: {targets: [o/status--404-json, l/good]}\n");
    membrane_call_options o = patient();
    CHECK(is(fault_call(m, "e", true, &o), 0, "o:model_not_found l:ok", NULL), "call");
    CHECK(membrane_metrics(m, &text, NULL) == 0 && text, "metrics");
    CHECK(text && strstr(text, "membrane_attempts_total{") && strstr(text, "reason=\"fallback\""), "%s", text);
    CHECK(text && strstr(text, "error_type=\"model_not_found\""), "%s", text);
    membrane_string_free(text);
    CHECK(membrane_log_calls(m, "{\"decision\":true}", &rows, NULL) == 0, "log");
    const char *why = membrane_result_str(rows, "items.0.decision.candidates.0.why");
    const char *verdict = membrane_result_str(rows, "items.0.decision.candidates.1.verdict");
    CHECK(why && strcmp(why, "first target") == 0 && verdict && strcmp(verdict, "possible") == 0, "%s",
          membrane_result_json(rows, NULL));
    membrane_result_free(rows);
    closed();
}

// ---- what a call says itself ---------------------------------------------------------------------------------------

static void a_call_goes_its_own_way(void) {
    opened("hop: lab\nmodels:\n  w: {targets: [o/status--500-json#own, l/good#own, hop/good#hops], retries: 2}\n");
    membrane_call_options o = patient();
    o.retries = MEMBRANE_UNSET;
    o.max_attempts = 1;
    CHECK(is(fault_call(m, "w", false, &o), MEMBRANE_ESERVER, "o:server", NULL), "one attempt");
    o.max_attempts = 0;
    o.provider = "l";
    CHECK(is(fault_call(m, "w", false, &o), 0, "l:ok", NULL), "one provider");
    o.provider = NULL;
    o.via = "o, l";
    CHECK(is(fault_call(m, "w", false, &o), 0, "hop:ok", NULL), "not through a hop");
    fault_log log = fault_log_of("good#hops");
    CHECK(strcmp(log.hops, "o, l, lab") == 0, "\"%s\"", log.hops);
    o.via = NULL;
    o.max_cost_usd_micros = 1000;
    CHECK(is(fault_call(m, "w", false, &o), 0, "l:ok", NULL), "an engine of one's own costs nothing");
    o.provider = "o";
    CHECK(is(fault_call(m, "w", false, &o), MEMBRANE_EBUDGET, "", NULL), "nobody knows what it costs");
    closed();
}

static void a_proxy_that_optimises_is_gone_round(void) {
    opened("hop: lab\noptimizer: {provider: hop}\nmodels:\n  chat: {targets: [l/good#behind]}\n");
    membrane_call_options o = patient();
    // The server knows no model moa-chat: as if the proxy were not the one we take it for.
    CHECK(is(fault_call(m, "moa-chat", true, &o), 0, "hop:model_not_found l:ok", "Hello from here."), "by its alias");
    fault_log log = fault_log_of("moa-chat");
    CHECK(log.requests == 1 && strcmp(log.hops, "lab") == 0, "%ld requests, \"%s\"", log.requests, log.hops);
    o.via = "lab, hop"; // it comes back through us
    CHECK(is(fault_call(m, "moa-chat", true, &o), 0, "l:ok", "Hello from here."), "coming back");
    CHECK(fault_log_of("moa-chat").requests == 1, "round and round");
    closed();
}

int main(void) {
    static const fault_test tests[] = {
        {"a_hedge_is_won_by_the_second", a_hedge_is_won_by_the_second},
        {"a_hedge_that_loses_is_cancelled", a_hedge_that_loses_is_cancelled},
        {"no_hedge_where_the_first_is_quick_or_there_is_no_other",
         no_hedge_where_the_first_is_quick_or_there_is_no_other},
        {"when_both_of_a_hedge_fail_the_call_does", when_both_of_a_hedge_fail_the_call_does},
        {"a_call_with_a_hedge_can_be_cancelled", a_call_with_a_hedge_can_be_cancelled},
        {"an_answer_begins_again_where_that_is_wanted", an_answer_begins_again_where_that_is_wanted},
        {"an_answer_goes_on_where_it_broke_off", an_answer_goes_on_where_it_broke_off},
        {"what_is_mended_may_need_several_others", what_is_mended_may_need_several_others},
        {"an_answer_that_breaks_off_twice_is_put_together", an_answer_that_breaks_off_twice_is_put_together},
        {"a_stream_that_crawls_is_given_up", a_stream_that_crawls_is_given_up},
        {"a_prompt_that_is_too_long_goes_where_it_is_known_to_fit",
         a_prompt_that_is_too_long_goes_where_it_is_known_to_fit},
        {"no_more_than_may_be_there_are_there", no_more_than_may_be_there_are_there},
        {"who_may_not_wait_is_told_when", who_may_not_wait_is_told_when},
        {"sessions_take_turns", sessions_take_turns},
        {"who_waits_can_be_cancelled_and_has_a_deadline", who_waits_can_be_cancelled_and_has_a_deadline},
        {"a_target_that_keeps_failing_is_passed_over", a_target_that_keeps_failing_is_passed_over},
        {"a_bad_key_is_left_alone", a_bad_key_is_left_alone},
        {"who_leaves_a_queue_keeps_nobody_waiting", who_leaves_a_queue_keeps_nobody_waiting},
        {"keys_share_the_calls", keys_share_the_calls},
        {"a_session_stays_where_it_was", a_session_stays_where_it_was},
        {"a_budget_is_spent_and_not_overspent", a_budget_is_spent_and_not_overspent},
        {"a_budget_that_is_nearly_spent_is_told", a_budget_that_is_nearly_spent_is_told},
        {"what_nobody_knows_the_cost_of_counts", what_nobody_knows_the_cost_of_counts},
        {"what_a_lost_hedge_may_have_cost_is_not_forgotten", what_a_lost_hedge_may_have_cost_is_not_forgotten},
        {"a_call_costs_no_more_than_it_may", a_call_costs_no_more_than_it_may},
        {"a_hedge_is_paid_from_what_the_call_may_cost", a_hedge_is_paid_from_what_the_call_may_cost},
        {"live_calls_are_counted_and_explained", live_calls_are_counted_and_explained},
        {"a_proxy_that_optimises_is_gone_round", a_proxy_that_optimises_is_gone_round},
        {"a_call_goes_its_own_way", a_call_goes_its_own_way},
    };
    return fault_run(tests, COUNT(tests));
}
