// SPDX-License-Identifier: MIT
// Real child processes: what they say, how they end, and that nothing of them is left, however they try.
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "net/spawn.h"
#include "unit.h"

typedef struct said {
    mb_buf out, err;
    bool cut;
    mb_exit exit;
} said;

static mb_spawn_options shell(const char *script) {
    static const char *argv[4];
    argv[0] = "sh";
    argv[1] = "-c";
    argv[2] = script;
    return (mb_spawn_options){.argv = argv};
}

static said run_with(mb_spawn_options o, const char *input, size_t len) {
    said s = {.out = MB_BUF(1 << 20), .err = MB_BUF(1 << 20)};
    membrane_error *err = NULL;
    int status = mb_spawn_run(&o, input, len, &s.out, &s.err, &s.cut, &s.exit, &err);
    ck_assert_msg(status == 0, "%s", membrane_error_message(err));
    return s;
}

static void done(said *s) {
    mb_buf_free(&s->out);
    mb_buf_free(&s->err);
}

static bool is_alive(pid_t pid) { // a zombie is dead
    char path[64], text[256] = "";
    snprintf(path, sizeof path, "/proc/%d/stat", (int)pid);
    FILE *f = fopen(path, "r");
    if (!f) return false;
    size_t n = fread(text, 1, sizeof text - 1, f);
    fclose(f);
    const char *name_end = n ? strrchr(text, ')') : NULL;
    return name_end && name_end[2] != 'Z' && name_end[2] != 'X';
}

static bool dies_soon(pid_t pid) {
    int64_t until = mb_now_ms() + 10000;
    while (is_alive(pid) && mb_now_ms() < until) sched_yield();
    return !is_alive(pid);
}

static int open_descriptors(void) {
    int n = 0;
    DIR *d = opendir("/proc/self/fd");
    while (readdir(d)) n++;
    closedir(d);
    return n;
}

// The first line that the child says, as a number.
static pid_t read_pid(mb_child *child) {
    char text[32] = "";
    size_t n = 0;
    int64_t until = mb_now_ms() + 10000;
    while (!strchr(text, '\n') && n < sizeof text - 1 && mb_now_ms() < until) {
        ssize_t got = read(mb_child_stdout(child), text + n, 1);
        if (got > 0) n += (size_t)got;
    }
    ck_assert_msg(strchr(text, '\n') != NULL, "the child said nothing");
    return atoi(text);
}

static mb_child *start(mb_spawn_options o) {
    mb_child *child = NULL;
    membrane_error *err = NULL;
    int status = mb_spawn(&o, &child, &err);
    ck_assert_msg(status == 0, "%s", membrane_error_message(err));
    return child;
}

START_TEST(input_goes_in_and_both_outputs_come_out) {
    said s = run_with(shell("cat; echo wrong >&2; exit 7"), "hello", 5);
    ck_assert_str_eq(mb_buf_text(&s.out), "hello");
    ck_assert_str_eq(mb_buf_text(&s.err), "wrong\n");
    ck_assert_int_eq(s.exit.code, 7);
    ck_assert(!s.exit.signal && !s.exit.timed_out && !s.exit.unknown && !s.cut);
    done(&s);
}
END_TEST

START_TEST(large_input_and_output_do_not_block_each_other) {
    size_t len = 700000;
    char *input = malloc(len);
    memset(input, 'x', len);
    said s = run_with(shell("cat"), input, len);
    ck_assert_uint_eq(s.out.len, len);
    ck_assert_int_eq(memcmp(s.out.data, input, len), 0);
    free(input);
    done(&s);
}
END_TEST

START_TEST(output_past_the_maximum_is_dropped_and_said) {
    mb_spawn_options o = shell("head -c 3000000 /dev/zero; echo end >&2");
    said s = {.out = MB_BUF(1000), .err = MB_BUF(1000)};
    ck_assert_int_eq(mb_spawn_run(&o, NULL, 0, &s.out, &s.err, &s.cut, &s.exit, NULL), 0);
    ck_assert_uint_eq(s.out.len, 1000);
    ck_assert_str_eq(mb_buf_text(&s.err), "end\n");
    ck_assert(s.cut && s.exit.code == 0);
    done(&s);
}
END_TEST

START_TEST(a_child_that_does_not_read_is_no_signal_for_us) {
    size_t len = 1 << 20;
    char *input = calloc(1, len);
    said s = run_with(shell("exec 0<&-; exit 3"), input, len);
    ck_assert_int_eq(s.exit.code, 3);
    free(input);
    done(&s);
}
END_TEST

START_TEST(a_death_by_a_signal_is_told) {
    said s = run_with(shell("kill -SEGV $$"), NULL, 0);
    ck_assert_int_eq(s.exit.code, -1);
    ck_assert_int_eq(s.exit.signal, SIGSEGV);
    done(&s);
}
END_TEST

START_TEST(what_cannot_be_started_is_told_with_its_name) {
    static const struct {
        const char *argv[2], *cwd, *words;
        int code;
    } CASES[] = {{{"no-such-program-anywhere"}, NULL, "no-such-program-anywhere", MEMBRANE_ENOTFOUND},
                 {{"/etc/passwd"}, NULL, "/etc/passwd", MEMBRANE_EIO},
                 {{"true"}, "/no/such/folder", "/no/such/folder", MEMBRANE_ENOTFOUND},
                 {{NULL}, NULL, "no program", MEMBRANE_EINVAL}};
    for (size_t i = 0; i < sizeof CASES / sizeof *CASES; i++) {
        mb_child *child = NULL;
        membrane_error *err = NULL;
        mb_spawn_options o = {.argv = CASES[i].argv, .cwd = CASES[i].cwd};
        ck_assert_int_eq(mb_spawn(&o, &child, &err), CASES[i].code);
        ck_assert_msg(strstr(membrane_error_message(err), CASES[i].words) != NULL, "%s", membrane_error_message(err));
        ck_assert_ptr_null(child);
        membrane_error_free(err);
    }
}
END_TEST

START_TEST(the_environment_is_minimal_unless_given) {
    setenv("MB_TEST_SECRET", "hush", 1);
    mb_spawn_options o = shell("env");
    said s = run_with(o, NULL, 0);
    ck_assert_ptr_null(strstr(mb_buf_text(&s.out), "hush"));
    ck_assert_ptr_nonnull(strstr(mb_buf_text(&s.out), "PATH="));
    done(&s);
    o.envp = (const char *const[]){"ONE=1", "PATH=/usr/bin:/bin", NULL};
    o.cwd = "/usr";
    s = run_with(o, NULL, 0);
    ck_assert_ptr_nonnull(strstr(mb_buf_text(&s.out), "ONE=1\n"));
    ck_assert_ptr_null(strstr(mb_buf_text(&s.out), "HOME="));
    ck_assert_ptr_nonnull(strstr(mb_buf_text(&s.out), "PWD=/usr\n"));
    done(&s);
    unsetenv("MB_TEST_SECRET");
}
END_TEST

START_TEST(no_descriptor_of_ours_reaches_the_child_and_none_is_lost) {
    int loose = open("/dev/null", O_RDONLY); // somebody forgot O_CLOEXEC
    loose = fcntl(loose, F_DUPFD, 50);
    said s = run_with(shell("ls /proc/self/fd"), NULL, 0);
    done(&s);
    int before = open_descriptors();
    for (int i = 0; i < 20; i++) {
        s = run_with(shell("ls /proc/self/fd"), NULL, 0);
        ck_assert_str_eq(mb_buf_text(&s.out), "0\n1\n2\n3\n"); // 3 is the listing itself
        done(&s);
    }
    ck_assert_int_eq(open_descriptors(), before);
    close(loose);
}
END_TEST

START_TEST(no_zombie_is_left) {
    said s = run_with(shell("sleep 100 & setsid sleep 100 & exit 0"), NULL, 0);
    done(&s);
    mb_child *child = start(shell("sleep 100"));
    mb_child_free(child);
    ck_assert_int_eq(waitpid(-1, NULL, WNOHANG), -1);
    ck_assert_int_eq(errno, ECHILD);
}
END_TEST

START_TEST(an_exit_is_known_even_if_the_host_ignores_its_children) {
    struct sigaction ignore = {.sa_handler = SIG_IGN}, old;
    sigaction(SIGCHLD, &ignore, &old);
    said s = run_with(shell("exit 5"), NULL, 0);
    sigaction(SIGCHLD, &old, NULL);
    ck_assert_int_eq(s.exit.code, 5);
    done(&s);
}
END_TEST

START_TEST(grandchildren_with_a_session_of_their_own_end_with_the_program) {
    mb_child *child = start(shell("setsid sh -c 'echo $$; (setsid sleep 1000 &) ; sleep 1000' & read end; exit 0"));
    pid_t grandchild = read_pid(child);
    mb_child_close_stdin(child);
    mb_exit e;
    ck_assert_int_eq(mb_child_wait(child, -1, &e), 0);
    ck_assert_int_eq(e.code, 0);
    ck_assert(!is_alive(grandchild)); // already: the report comes last
    mb_child_free(child);
}
END_TEST

START_TEST(a_kill_reaches_everything) {
    mb_child *child = start(shell("trap '' TERM; setsid sh -c 'trap \"\" TERM HUP; echo $$; sleep 1000' & wait"));
    pid_t grandchild = read_pid(child);
    mb_exit e;
    ck_assert_int_eq(mb_child_wait(child, 0, &e), MEMBRANE_EAGAIN);
    mb_child_kill(child);
    ck_assert_int_eq(mb_child_wait(child, 10000, &e), 0);
    ck_assert_int_eq(e.signal, SIGKILL);
    ck_assert(!is_alive(grandchild));
    mb_child_free(child);
}
END_TEST

START_TEST(time_over_is_a_term_then_a_kill) {
    mb_spawn_options o = shell("trap 'echo asked; exit 9' TERM; sleep 100 & wait");
    o.timeout_ms = 300;
    said s = run_with(o, NULL, 0);
    ck_assert_str_eq(mb_buf_text(&s.out), "asked\n");
    ck_assert(s.exit.timed_out && s.exit.code == 9);
    done(&s);
    int64_t begin = mb_now_ms();
    o = shell("trap '' TERM; while :; do sleep 0.05; done");
    o.timeout_ms = 100;
    s = run_with(o, NULL, 0);
    ck_assert(s.exit.timed_out && s.exit.signal == SIGKILL);
    ck_assert_int_ge(mb_now_ms() - begin, 1000);
    done(&s);
}
END_TEST

START_TEST(limits_are_kept) {
    mb_spawn_options o = shell("ulimit -v; ulimit -t; ulimit -c");
    o.memory_bytes = (uint64_t)512 << 20;
    o.cpu_seconds = 3;
    said s = run_with(o, NULL, 0);
    ck_assert_str_eq(mb_buf_text(&s.out), "524288\n3\n0\n");
    done(&s);
    char path[] = "/tmp/mb_spawn_XXXXXX", script[128];
    close(mkstemp(path));
    snprintf(script, sizeof script, "exec head -c 100000 /dev/zero >%s", path);
    o = shell(script);
    o.file_bytes = 4096;
    s = run_with(o, NULL, 0);
    ck_assert_int_eq(s.exit.signal, SIGXFSZ);
    done(&s);
    unlink(path);
    o = shell("while :; do :; done");
    o.cpu_seconds = 1;
    s = run_with(o, NULL, 0);
    ck_assert(s.exit.signal == SIGXCPU || s.exit.signal == SIGKILL);
    done(&s);
}
END_TEST

START_TEST(when_we_are_killed_the_helper_kills_everything) {
    int tell[2];
    ck_assert_int_eq(pipe(tell), 0);
    pid_t parent = fork();
    if (parent == 0) {
        mb_child *child = start(shell("setsid sh -c 'echo $$; sleep 1000' & sleep 1000"));
        pid_t grandchild = read_pid(child);
        if (write(tell[1], &grandchild, sizeof grandchild) != sizeof grandchild) _exit(1);
        for (;;) pause();
    }
    pid_t grandchild = 0;
    close(tell[1]); // a child that fails is an end of the pipe, not a wait
    ck_assert_int_eq(read(tell[0], &grandchild, sizeof grandchild), sizeof grandchild);
    ck_assert(is_alive(grandchild));
    kill(parent, SIGKILL);
    ck_assert_int_eq(waitpid(parent, NULL, 0), parent);
    ck_assert(dies_soon(grandchild));
    close(tell[0]);
}
END_TEST

START_TEST(a_helper_that_is_lost_is_an_unknown_exit) {
    mb_child *child = start(shell("echo $PPID; exec sleep 1000"));
    pid_t helper = read_pid(child);
    mb_exit e;
    kill(helper, SIGKILL);
    ck_assert_int_eq(mb_child_wait(child, 10000, &e), 0);
    ck_assert(e.unknown && e.code == -1);
    mb_child_free(child);
}
END_TEST

START_TEST(a_child_that_forks_without_end_is_ended_too) {
    mb_spawn_options o = shell("f() { (setsid sleep 1000 &); }; while :; do f; done");
    o.timeout_ms = 200;
    said s = run_with(o, NULL, 0);
    ck_assert(s.exit.timed_out);
    done(&s);
    ck_assert_int_eq(waitpid(-1, NULL, WNOHANG), -1);
}
END_TEST

START_TEST(a_helper_that_is_not_there_is_an_error_with_a_hint) {
    ck_assert_ptr_nonnull(getenv("MEMBRANE_SPAWN_HELPER"));
    char *real = strdup(getenv("MEMBRANE_SPAWN_HELPER"));
    setenv("MEMBRANE_SPAWN_HELPER", "/no/helper", 1);
    mb_spawn_options o = shell("true");
    mb_child *child = NULL;
    membrane_error *err = NULL;
    ck_assert_ptr_null(mb_spawn_helper());
    ck_assert_int_eq(mb_spawn(&o, &child, &err), MEMBRANE_EIO);
    ck_assert_ptr_nonnull(membrane_error_hint(err));
    membrane_error_free(err);
    setenv("MEMBRANE_SPAWN_HELPER", real, 1);
    free(real);
}
END_TEST

static int run_echo(void *user) {
    (void)user;
    mb_spawn_options o = shell("echo hello");
    said s = {.out = MB_BUF(1000), .err = MB_BUF(1000)};
    membrane_error *err = NULL;
    int status = mb_spawn_run(&o, NULL, 0, &s.out, &s.err, &s.cut, &s.exit, &err);
    if (!status && strcmp(mb_buf_text(&s.out), "hello\n") != 0) status = -100;
    done(&s);
    membrane_error_free(err);
    return status;
}

START_TEST(every_allocation_may_fail) { unit_every_allocation_fails(run_echo, NULL); }
END_TEST

static void tests(TCase *tc) {
    tcase_add_test(tc, input_goes_in_and_both_outputs_come_out);
    tcase_add_test(tc, large_input_and_output_do_not_block_each_other);
    tcase_add_test(tc, output_past_the_maximum_is_dropped_and_said);
    tcase_add_test(tc, a_child_that_does_not_read_is_no_signal_for_us);
    tcase_add_test(tc, a_death_by_a_signal_is_told);
    tcase_add_test(tc, what_cannot_be_started_is_told_with_its_name);
    tcase_add_test(tc, the_environment_is_minimal_unless_given);
    tcase_add_test(tc, no_descriptor_of_ours_reaches_the_child_and_none_is_lost);
    tcase_add_test(tc, no_zombie_is_left);
    tcase_add_test(tc, an_exit_is_known_even_if_the_host_ignores_its_children);
    tcase_add_test(tc, grandchildren_with_a_session_of_their_own_end_with_the_program);
    tcase_add_test(tc, a_kill_reaches_everything);
    tcase_add_test(tc, time_over_is_a_term_then_a_kill);
    tcase_add_test(tc, limits_are_kept);
    tcase_add_test(tc, when_we_are_killed_the_helper_kills_everything);
    tcase_add_test(tc, a_helper_that_is_lost_is_an_unknown_exit);
    tcase_add_test(tc, a_child_that_forks_without_end_is_ended_too);
    tcase_add_test(tc, a_helper_that_is_not_there_is_an_error_with_a_hint);
    tcase_add_test(tc, every_allocation_may_fail);
}

UNIT_MAIN("spawn", tests)
