// SPDX-License-Identifier: MIT
// Local targets are asked at an interval whether they are there: one that was stopped is passed over before a call
// waits for it, and used again when it is back. Engines that can be stopped and started are engine.py's.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "fault.h"

enum { INTERVAL_MS = 1000, PATIENCE_MS = 12000 * FAULT_SLOW, IDLE_INTERVALS = 10 };

// ---- engines and handles -------------------------------------------------------------------------------------------

static const char *engine(const char *name, const char *command) {
    char path[256];
    snprintf(path, sizeof path, "/__engine?%s=%s", name, command);
    return fault_get(path);
}

static long figure(const char *text, const char *name) {
    const char *at = strstr(text, name);
    return at ? strtol(at + strlen(name), NULL, 10) : 0;
}

static long port_of(const char *name) { return figure(engine(name, ""), "\"port\": "); }
static long asked(const char *name, const char *path) {
    char key[64];
    snprintf(key, sizeof key, "\"%s\": ", path);
    return figure(engine(name, ""), key);
}
static long healths(const char *name) { return asked(name, "/health"); }

static void rest(void) { nanosleep(&(struct timespec){0, 5000000}, NULL); }

// Until it is true; false when nobody would wait that long.
#define WAIT_FOR(condition, ...)                                                                                       \
    do {                                                                                                               \
        const int64_t until = fault_now_ms() + PATIENCE_MS;                                                            \
        while (!(condition) && fault_now_ms() < until) rest();                                                         \
        CHECK(condition, __VA_ARGS__);                                                                                 \
    } while (0)

// Providers a and b are engines; targets is what stands in the model m.
static char *config_of(const char *targets, int interval_ms) {
    static char text[2048];
    snprintf(text, sizeof text,
             "  a: {kind: llamacpp, base_url: \"http://127.0.0.1:%ld/v1\"}\n"
             "  b: {kind: ollama, base_url: \"http://127.0.0.1:%ld\"}\n"
             "models:\n  m: {targets: [%s], retries: 0}\n"
             "  w: {targets: [{target: a/good}, {target: b/good}, {target: \"b/good#2\"}], warm: true}\n"
             "  alone: {targets: [{target: a/good}], fallbacks: {context_overflow: [o/good]}}\n"
             "probes: {interval: %d}\n",
             port_of("a"), port_of("b"), targets, interval_ms);
    return text;
}

static membrane_t *open_with(const char *targets) { return fault_open(config_of(targets, INTERVAL_MS)); }

static const char PAIR[] = "{target: a/good}, {target: o/good}";

static const char *attempts(membrane_t *m, const char *model) {
    membrane_call_options o = fault_options();
    return fault_call(m, model, true, &o)->attempts;
}

static void close_in_time(membrane_t *m) {
    const int64_t began = fault_now_ms();
    CHECK(membrane_close(m, 2000) == 0, "it did not close");
    CHECK(fault_now_ms() - began < 300 * FAULT_SLOW, "it took %lld ms to close", (long long)(fault_now_ms() - began));
}

// ---- the running log -----------------------------------------------------------------------------------------------

static char heard[65536];
static size_t heard_len;

static void listen_in(membrane_t *m) {
    heard_len = 0;
    membrane_log_read(m, "info", heard, sizeof heard, &heard_len, NULL, 0); // nothing is kept before somebody reads
    heard[heard_len = 0] = '\0';
}

// A record of it that holds text, each once; how long it took to come.
static int64_t told(membrane_t *m, const char *text) {
    const int64_t began = fault_now_ms();
    char *at;
    while (!(at = strstr(heard, text)) && fault_now_ms() < began + PATIENCE_MS) {
        size_t len = 0;
        membrane_log_read(m, "info", heard + heard_len, sizeof heard - 1 - heard_len, &len, NULL, 100);
        heard[heard_len += len] = '\0';
    }
    CHECK(at, "nobody said \"%s\"", text);
    if (at) *at = '~';
    return fault_now_ms() - began;
}

#define GOES(m_, model_, attempts_)                                                                                    \
    do {                                                                                                               \
        const char *got = attempts(m_, model_);                                                                        \
        CHECK(strcmp(got, attempts_) == 0, "%s: %s", model_, got);                                                     \
    } while (0)

// ---- away and back -------------------------------------------------------------------------------------------------

static void a_stopped_one_is_passed_over_and_used_again_when_it_is_back(void) {
    membrane_t *m = open_with(PAIR);
    listen_in(m);
    GOES(m, "m", "a:ok");
    const long before = healths("a");
    WAIT_FOR(healths("a") > before, "nobody asks");
    for (int round = 0; round < 2; round++) {
        engine("a", "stop");
        const int64_t down_ms = told(m, "a: does not answer probes");
        CHECK(down_ms <= 12 * INTERVAL_MS / 10 + 500 * FAULT_SLOW, "it took %lld ms", (long long)down_ms);
        for (int i = 0; i < 20; i++) GOES(m, "m", "o:ok");
        engine("a", "start");
        const int64_t up_ms = told(m, "a: answers again");
        CHECK(up_ms <= 12 * INTERVAL_MS / 10 + 500 * FAULT_SLOW, "it took %lld ms", (long long)up_ms);
        printf("# seen to be away after %lld ms, to be back after %lld ms\n", (long long)down_ms, (long long)up_ms);
        GOES(m, "m", "a:ok");
    }
    close_in_time(m);
}

static void a_call_that_finds_nobody_has_it_asked_at_once(void) {
    membrane_t *m = fault_open(config_of(PAIR, 60000));
    listen_in(m);
    GOES(m, "m", "a:ok");
    engine("a", "stop");
    GOES(m, "m", "a:connect o:ok");
    CHECK(told(m, "a: does not answer probes") < 500 * FAULT_SLOW, "it waited for its time");
    GOES(m, "m", "o:ok");
    engine("a", "start");
    close_in_time(m);
}

static void an_open_breaker_lets_in_who_is_back(void) {
    membrane_t *m = open_with(PAIR);
    listen_in(m);
    engine("a", "stop");
    for (int i = 0; i < 5; i++) attempts(m, "alone");
    GOES(m, "m", "o:ok");
    told(m, "a: does not answer probes");
    engine("a", "start");
    const int64_t back_ms = told(m, "a: answers again");
    CHECK(back_ms < 3000 * FAULT_SLOW, "no sooner than the breaker's own time: %lld ms", (long long)back_ms);
    GOES(m, "m", "a:ok");
    close_in_time(m);
}

static void where_all_are_away_one_is_asked_all_the_same(void) {
    membrane_t *m = open_with("{target: a/good}, {target: b/good}");
    listen_in(m);
    GOES(m, "m", "a:ok");
    engine("a", "stop");
    engine("b", "stop");
    told(m, "a: does not answer probes");
    told(m, "b: does not answer probes");
    GOES(m, "m", "a:connect b:connect");
    engine("a", "start");
    GOES(m, "m", "a:ok");
    engine("b", "start");
    close_in_time(m);
}

static void one_that_loads_comes_last(void) {
    membrane_t *m = open_with(PAIR);
    listen_in(m);
    GOES(m, "m", "a:ok");
    engine("a", "load");
    told(m, "a: is loading its model");
    GOES(m, "m", "o:ok");
    engine("a", "well");
    told(m, "a: answers again");
    GOES(m, "m", "a:ok");
    close_in_time(m);
}

static void one_that_says_nothing_is_passed_over_after_the_second_silence(void) {
    membrane_t *m = open_with(PAIR);
    listen_in(m);
    GOES(m, "m", "a:ok");
    engine("a", "hang");
    const long before = healths("a");
    told(m, "a: does not answer probes");
    CHECK(healths("a") - before >= 2, "one silence was enough");
    GOES(m, "m", "o:ok");
    engine("a", "well");
    told(m, "a: answers again");
    GOES(m, "m", "a:ok");
    close_in_time(m);
}

static void a_model_that_was_removed_is_passed_over(void) {
    membrane_t *m = open_with("{target: b/good}, {target: o/good}");
    const long before = asked("b", "/api/tags");
    GOES(m, "m", "b:ok");
    WAIT_FOR(asked("b", "/api/tags") > before, "nobody asks");
    GOES(m, "m", "b:ok");
    engine("b", "models:other");
    WAIT_FOR(strcmp(attempts(m, "m"), "o:ok") == 0, "the model that is not there is asked for");
    engine("b", "models:good:latest");
    WAIT_FOR(strcmp(attempts(m, "m"), "b:ok") == 0, "it is there again");
    close_in_time(m);
    engine("b", "models:good");
}

// ---- no more than needed -------------------------------------------------------------------------------------------

static void who_has_no_alternative_is_not_asked(void) {
    membrane_t *m = open_with("{target: b/good}, {target: o/good}");
    const long before = healths("a");
    GOES(m, "alone", "a:ok");
    GOES(m, "a/good", "a:ok");
    GOES(m, "m", "b:ok");
    const long others = asked("b", "/api/version");
    WAIT_FOR(asked("b", "/api/version") >= others + 3, "nobody asks the other one"); // a clock of three intervals
    CHECK(healths("a") == before, "a was asked %ld times", healths("a") - before);
    close_in_time(m);
}

static void an_interval_of_nothing_asks_nobody(void) {
    membrane_t *m = fault_open(config_of(PAIR, 0)), *clock = open_with("{target: b/good}, {target: o/good}");
    const long before = healths("a"), others = asked("b", "/api/version");
    GOES(m, "m", "a:ok");
    GOES(clock, "m", "b:ok");
    WAIT_FOR(asked("b", "/api/version") >= others + 2, "nobody asks the other one");
    CHECK(healths("a") == before, "a was asked");
    close_in_time(m);
    close_in_time(clock);
}

// The times at which its health was asked last; how many.
static int times_of(const char *name, long *ret, int cap) {
    const char *at = strstr(engine(name, ""), "\"health_ms\": [");
    int count = 0;
    at = at ? at + strlen("\"health_ms\": [") : "";
    for (char *end; *at && *at != ']'; at = end + (*end == ','), at += *at == ' ') {
        const long ms = strtol(at, &end, 10);
        if (end == at) break;
        if (count == cap) memmove(ret, ret + 1, (size_t)(--count) * sizeof *ret);
        ret[count++] = ms;
    }
    return count;
}

static void check_jitter(const long *times, int count) {
    long least = 1L << 30, most = 0;
    for (int i = 1; i < count; i++) {
        const long gap = times[i] - times[i - 1];
        if (gap < least) least = gap;
        if (gap > most) most = gap;
    }
    printf("# %d probes, %ld to %ld ms apart\n", count, least, most);
    CHECK(least >= 8 * INTERVAL_MS / 10 - 20 && most <= 12 * INTERVAL_MS / 10 + 300 * FAULT_SLOW, "%ld to %ld ms apart",
          least, most);
    CHECK(most - least > 10, "they come like a clock");
}

static void they_stop_when_nobody_calls_and_begin_again(void) {
    membrane_t *m = open_with(PAIR);
    long times[IDLE_INTERVALS + 8], before = healths("a"), now;
    GOES(m, "m", "a:ok");
    const int64_t used_ms = fault_now_ms();
    WAIT_FOR(healths("a") > before + 2, "nobody asks");
    int64_t quiet_ms = fault_now_ms();
    for (now = healths("a"); fault_now_ms() - quiet_ms < 3 * INTERVAL_MS && fault_now_ms() - used_ms < 30000; rest())
        if (healths("a") != now) now = healths("a"), quiet_ms = fault_now_ms();
    CHECK(now - before <= IDLE_INTERVALS * 10 / 8 + 2, "asked %ld times", now - before);
    CHECK(quiet_ms - used_ms <= (IDLE_INTERVALS + 2) * INTERVAL_MS * FAULT_SLOW, "the last one came after %lld ms",
          (long long)(quiet_ms - used_ms));
    const int count = times_of("a", times, (int)(now - before));
    check_jitter(times, count);
    GOES(m, "m", "a:ok");
    WAIT_FOR(healths("a") > now, "they did not begin again");
    close_in_time(m);
}

// ---- the ends ------------------------------------------------------------------------------------------------------

static void it_closes_while_a_probe_waits(void) {
    membrane_t *m = open_with(PAIR);
    GOES(m, "m", "a:ok");
    engine("a", "hang");
    const long before = healths("a");
    WAIT_FOR(healths("a") > before, "nobody asks");
    close_in_time(m);
    engine("a", "well");
}

static membrane_t *open_warm(void) { return fault_open(config_of(PAIR, 0)); }

// Two models of one engine: the second one's turn comes when the first is there.
static void an_engine_loads_one_model_at_a_time(void) {
    membrane_t *m = open_warm();
    const long before = asked("b", "/api/embed");
    listen_in(m);
    GOES(m, "w", "a:ok");
    told(m, "b/good was loaded");
    told(m, "b/good#2 was loaded");
    CHECK(asked("b", "/api/embed") == before + 2, "%ld loads", asked("b", "/api/embed") - before);
    GOES(m, "w", "a:ok");
    CHECK(asked("b", "/api/embed") == before + 2, "loaded again");
    close_in_time(m);
}

static void it_closes_while_a_model_loads(void) {
    membrane_t *m = open_warm();
    const long before = asked("b", "/api/embed");
    engine("b", "hang");
    GOES(m, "w", "a:ok");
    WAIT_FOR(asked("b", "/api/embed") > before, "nothing is loaded");
    close_in_time(m);
    CHECK(asked("b", "/api/embed") == before + 1, "both were loaded at once");
    engine("b", "well");
}

static void a_forked_child_lets_go_of_it(void) {
    membrane_t *m = open_with(PAIR);
    int status = -1;
    GOES(m, "m", "a:ok");
    engine("a", "hang");
    const long before = healths("a");
    WAIT_FOR(healths("a") > before, "nobody asks");
    fflush(stdout);
    const pid_t child = fork();
    if (child == 0) _exit(membrane_close(m, 100) == 0 ? 0 : 1);
    waitpid(child, &status, 0);
    CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 0, "the child ended as %d", status);
    engine("a", "well");
    GOES(m, "m", "a:ok");
    close_in_time(m);
}

static char path[] = "/tmp/membrane-probes-XXXXXX";

static void write_config(const char *targets) {
    FILE *f = fopen(path, "w");
    CHECK(f, "cannot write %s", path);
    if (!f) return;
    fprintf(f, "version: 1\nproviders:\n  o: {kind: openai-compatible, base_url: \"http://127.0.0.1:%d/v1\"}\n%s",
            fault_at.port, config_of(targets, INTERVAL_MS));
    fclose(f);
}

static void a_reload_ends_what_it_leaves_out(void) {
    membrane_options o;
    membrane_t *m = NULL;
    membrane_options_init(&o, sizeof o);
    o.config_path = path;
    write_config(PAIR);
    CHECK(membrane_open(&o, &m, NULL) == 0, "it does not open");
    GOES(m, "m", "a:ok");
    long before = healths("a");
    WAIT_FOR(healths("a") > before, "nobody asks");
    write_config("{target: b/good}, {target: o/good}");
    CHECK(membrane_config_reload(m, NULL) == 0, "the reload failed");
    GOES(m, "m", "b:ok");
    before = healths("a");
    const long others = asked("b", "/api/version");
    WAIT_FOR(asked("b", "/api/version") >= others + 3, "nobody asks the new one");
    CHECK(healths("a") == before, "the old one is still asked");
    close_in_time(m);
}

int main(void) {
    static const fault_test TESTS[] = {
        {"a stopped one is passed over, and used again when it is back",
         a_stopped_one_is_passed_over_and_used_again_when_it_is_back},
        {"a call that finds nobody has it asked at once", a_call_that_finds_nobody_has_it_asked_at_once},
        {"an open breaker lets in who is back", an_open_breaker_lets_in_who_is_back},
        {"where all are away one is asked all the same", where_all_are_away_one_is_asked_all_the_same},
        {"one that loads comes last", one_that_loads_comes_last},
        {"one that says nothing is passed over after the second silence",
         one_that_says_nothing_is_passed_over_after_the_second_silence},
        {"a model that was removed is passed over", a_model_that_was_removed_is_passed_over},
        {"who has no alternative is not asked", who_has_no_alternative_is_not_asked},
        {"an interval of nothing asks nobody", an_interval_of_nothing_asks_nobody},
        {"they stop when nobody calls, and begin again", they_stop_when_nobody_calls_and_begin_again},
        {"it closes while a probe waits", it_closes_while_a_probe_waits},
        {"an engine loads one model at a time", an_engine_loads_one_model_at_a_time},
        {"it closes while a model loads", it_closes_while_a_model_loads},
        {"a forked child lets go of it", a_forked_child_lets_go_of_it},
        {"a reload ends what it leaves out", a_reload_ends_what_it_leaves_out},
    };
    const int fd = mkstemp(path);
    if (fd < 0) return 1;
    close(fd);
    const int code = fault_run(TESTS, COUNT(TESTS));
    unlink(path);
    return code;
}
