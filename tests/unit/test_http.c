// SPDX-License-Identifier: MIT
// The two lanes over a real socket: a server on loopback answers and counts, the loop runs as in the library.
#include "unit.h"

#include <arpa/inet.h>
#include <dlfcn.h>
#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/buf.h"
#include "net/http.h"

// ---- a server ------------------------------------------------------------------------------------------------------

typedef struct server {
    int fd, port;
    atomic_int connections, requests;
    pthread_t thread;
} server;

static bool answer_one(server *s, int fd) {
    char bytes[4096], answer[128];
    size_t len = 0;
    while (len < sizeof bytes - 1) {
        ssize_t n = recv(fd, bytes + len, sizeof bytes - 1 - len, 0);
        if (n <= 0) return false;
        len += (size_t)n;
        bytes[len] = '\0';
        if (strstr(bytes, "\r\n\r\n")) break; // requests here have no body
    }
    atomic_fetch_add(&s->requests, 1);
    int promised = strstr(bytes, "/half") ? 10 : 5;
    int size = snprintf(answer, sizeof answer, "HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\nhello", promised);
    return send(fd, answer, (size_t)size, MSG_NOSIGNAL) == size;
}

static void *serve(void *user) {
    server *s = user;
    for (int fd; (fd = accept(s->fd, NULL, NULL)) >= 0; close(fd)) {
        atomic_fetch_add(&s->connections, 1);
        while (answer_one(s, fd)) {}
    }
    return NULL;
}

static void open_server(server *s) {
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof at;
    memset(s, 0, sizeof *s);
    s->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    ck_assert_int_eq(bind(s->fd, (struct sockaddr *)&at, len), 0);
    ck_assert_int_eq(listen(s->fd, 16), 0);
    getsockname(s->fd, (struct sockaddr *)&at, &len);
    s->port = ntohs(at.sin_port);
    pthread_create(&s->thread, NULL, serve, s);
}

static void close_server(server *s) {
    shutdown(s->fd, SHUT_RDWR);
    pthread_join(s->thread, NULL);
    close(s->fd);
}

// ---- a name server -------------------------------------------------------------------------------------------------

// Every name is this machine's, and takes its time: libcurl's resolver finds this function before the C library's.
int getaddrinfo(const char *name, const char *service, const struct addrinfo *hints, struct addrinfo **ret) {
    int (*real)(const char *, const char *, const struct addrinfo *, struct addrinfo **);
    *(void **)&real = dlsym(RTLD_NEXT, "getaddrinfo");
    nanosleep(&(struct timespec){0, 100000000}, NULL);
    (void)name;
    return real("127.0.0.1", service, hints, ret);
}

// ---- one request ---------------------------------------------------------------------------------------------------

typedef struct outcome {
    int code, status;
    char body[64], detail[256];
} outcome;

typedef struct question {
    mb_task task;
    mb_http *http;
    mb_http_request request;
    mb_transfer *transfer;
    outcome got;
    sem_t came;
    bool pauses; // at the first piece
    int verdict; // on the next one
    mb_task resume;
} question;

static mb_io *io;
static mb_http *http;

static void resume(mb_task *task) {
    mb_http_resume(((question *)(void *)((char *)task - offsetof(question, resume)))->transfer);
}

static int on_data(void *user, const char *bytes, size_t len) {
    question *q = user;
    if (q->pauses) {
        q->pauses = false;
        q->resume.run = resume;
        mb_io_post(io, &q->resume);
        return MB_HTTP_PAUSE;
    }
    if (q->verdict) return q->verdict;
    strncat(q->got.body, bytes, len < 32 ? len : 32);
    return 0;
}

static void on_done(void *user, const mb_http_done *done) {
    question *q = user;
    q->got.code = done->code;
    q->got.status = mb_http_status(q->transfer);
    if (done->detail) snprintf(q->got.detail, sizeof q->got.detail, "%s", done->detail);
    sem_post(&q->came);
}

static void send_it(mb_task *task) {
    question *q = (question *)(void *)task;
    q->got.code = mb_http_send(q->http, &q->request, &q->transfer, NULL);
    if (q->got.code) sem_post(&q->came);
}

static outcome put(question *q, mb_lane lane, const char *url, const char *proxy) {
    q->task.run = send_it;
    q->http = http;
    q->request = (mb_http_request){.lane = lane,
                                   .method = "GET",
                                   .url = url,
                                   .connect_timeout_ms = 5000,
                                   .proxy = proxy,
                                   .data = on_data,
                                   .done = on_done,
                                   .user = q};
    sem_init(&q->came, 0, 0);
    mb_io_post(io, &q->task);
    while (sem_wait(&q->came) != 0) ck_assert_int_eq(errno, EINTR);
    sem_destroy(&q->came);
    return q->got;
}

static outcome ask(mb_lane lane, const char *url, const char *proxy) { return put(&(question){0}, lane, url, proxy); }

static void set_up(void) {
    ck_assert_int_eq(mb_io_new(&io, NULL), 0);
    ck_assert_int_eq(mb_http_new(io, &http, NULL), 0);
    ck_assert_int_eq(mb_io_start(io, NULL), 0);
}

static void tear_down(void) {
    mb_io_stop(io);
    ck_assert(mb_io_join(io, -1));
    mb_http_free(http);
    mb_io_free(io);
}

static const char *at(const server *s, const char *host) {
    static char url[128];
    snprintf(url, sizeof url, "http://%s:%d/", host, s->port);
    return url;
}

START_TEST(the_operator_may_ask_whom_he_likes_over_a_warm_connection) {
    server s;
    open_server(&s);
    for (int i = 0; i < 5; i++) {
        outcome o = ask(MB_LANE_OPERATOR, at(&s, "127.0.0.1"), NULL);
        ck_assert_int_eq(o.code, 0);
        ck_assert_int_eq(o.status, 200);
        ck_assert_str_eq(o.body, "hello");
    }
    ck_assert_int_eq(atomic_load(&s.connections), 1);
    ck_assert_int_eq(atomic_load(&s.requests), 5);
    tear_down(); // the server waits for the end of the connection
    close_server(&s);
    set_up();
}
END_TEST

START_TEST(names_are_looked_up_and_their_connections_watched) {
    static const char *const names[] = {"one.test", "two.test", "three.test"};
    server s;
    open_server(&s);
    for (size_t i = 0; i < MB_COUNT(names); i++) {
        outcome o = ask(MB_LANE_OPERATOR, at(&s, names[i]), NULL);
        ck_assert_msg(o.code == 0 && o.status == 200, "%s: %d, %s", names[i], o.code, o.detail);
        tear_down(); // the server speaks to one at a time
        set_up();
    }
    for (size_t i = 0; i < MB_COUNT(names); i++) {
        outcome o = ask(MB_LANE_FETCH, at(&s, names[i]), NULL);
        ck_assert_msg(o.code == MEMBRANE_EDENIED, "%s: %d, %s", names[i], o.code, o.detail);
    }
    ck_assert_int_eq(atomic_load(&s.requests), (int)MB_COUNT(names));
    close_server(&s);
}
END_TEST

START_TEST(a_fetch_of_this_machine_is_denied_although_the_operator_has_a_warm_connection_to_it) {
    server s;
    open_server(&s);
    ck_assert_int_eq(ask(MB_LANE_OPERATOR, at(&s, "127.0.0.1"), NULL).code, 0);
    static const char *const hosts[] = {"127.0.0.1", "localhost",          "127.1",  "2130706433", "0x7f.1",
                                        "[::1]",     "[::ffff:127.0.0.1]", "0.0.0.0"};
    for (size_t i = 0; i < MB_COUNT(hosts); i++) {
        outcome o = ask(MB_LANE_FETCH, at(&s, hosts[i]), NULL);
        ck_assert_msg(o.code == MEMBRANE_EDENIED, "%s: %d, %s", hosts[i], o.code, o.detail);
        ck_assert_str_eq(o.detail, "the address is not a public one");
    }
    ck_assert_int_eq(ask(MB_LANE_OPERATOR, at(&s, "127.0.0.1"), NULL).code, 0);
    ck_assert_int_eq(atomic_load(&s.connections), 1);
    ck_assert_int_eq(atomic_load(&s.requests), 2);
    tear_down();
    close_server(&s);
    set_up();
}
END_TEST

START_TEST(a_fetch_of_a_private_network_is_denied_before_a_socket_is_opened) {
    static const char *const urls[] = {
        "http://10.0.0.1/",   "http://192.168.1.1/", "http://172.16.0.1/", "http://169.254.169.254/latest/meta-data",
        "http://100.64.0.1/", "https://10.0.0.1/",   "http://[fd00::1]/",  "http://[fe80::1]/"};
    for (size_t i = 0; i < MB_COUNT(urls); i++) {
        outcome o = ask(MB_LANE_FETCH, urls[i], NULL);
        ck_assert_msg(o.code == MEMBRANE_EDENIED, "%s: %d, %s", urls[i], o.code, o.detail);
    }
}
END_TEST

START_TEST(a_piece_that_was_held_back_may_end_the_transfer) {
    server s;
    open_server(&s);
    outcome o = put(&(question){.pauses = true}, MB_LANE_OPERATOR, at(&s, "127.0.0.1"), NULL);
    ck_assert_int_eq(o.code, 0);
    ck_assert_str_eq(o.body, "hello");
    // More is promised than comes: nobody but us will ever end it.
    char url[160];
    snprintf(url, sizeof url, "%shalf", at(&s, "127.0.0.1"));
    o = put(&(question){.pauses = true, .verdict = MEMBRANE_EMALFORMED}, MB_LANE_OPERATOR, url, NULL);
    ck_assert_int_eq(o.code, MEMBRANE_EMALFORMED);
    ck_assert_str_eq(o.body, "");
    tear_down();
    close_server(&s);
    set_up();
}
END_TEST

START_TEST(only_http_and_https_are_spoken) {
    static const char *const urls[] = {"file:///etc/passwd", "ftp://127.0.0.1/",  "gopher://127.0.0.1/",
                                       "dict://127.0.0.1/",  "scp://127.0.0.1/x", "smtp://127.0.0.1/"};
    for (int lane = 0; lane < MB_LANES; lane++) {
        for (size_t i = 0; i < MB_COUNT(urls); i++) {
            outcome o = ask((mb_lane)lane, urls[i], NULL);
            ck_assert_msg(o.code != 0 && !o.body[0], "%s: %d, %s", urls[i], o.code, o.body);
        }
    }
}
END_TEST

START_TEST(a_url_is_shown_without_user_and_password) {
    static const struct {
        const char *text, *shown;
    } rows[] = {
        {"http://host/path", "http://host/path"},
        {"http://host/v1/@cf/model", "http://host/v1/@cf/model"},
        {"http://user:secret@host:80/path", "http://***@host:80/path"},
        {"http://user@host/a@b", "http://***@host/a@b"},
        {"https://a@b:secret@host/", "https://***@host/"},
        {"user:secret@host", "***@host"},
        {"http://user:sec/ret@host/", "http://***@host/"},
        {"http://user:sec ret@host", "http://***@host"},
        {"ftp://user:secret@host", "ftp://***@host"},
        {"@", "***@"},
        {":secret@host/x@y/https://z", "***@host/x@y/https://z"},
        {"host/4://user:secret@host", "host/4://***@host"},
        {"user@host/4://user:secret@host", "***@host"},
        {"", ""},
    };
    for (size_t i = 0; i < MB_COUNT(rows); i++) {
        char out[128];
        ck_assert_str_eq(mb_url_shown(rows[i].text, out, sizeof out), rows[i].shown);
    }
}
END_TEST

static int make_and_free(void *unused) {
    mb_io *own_io = NULL;
    mb_http *own = NULL;
    int code = mb_io_new(&own_io, NULL);
    if (code == 0) code = mb_http_new(own_io, &own, NULL);
    if (own) mb_http_free(own);
    mb_io_free(own_io);
    return code;
}

START_TEST(without_memory_there_is_none_and_no_leak) { unit_every_allocation_fails(make_and_free, NULL); }
END_TEST

static void tests(TCase *tc) {
    tcase_add_checked_fixture(tc, set_up, tear_down);
    tcase_add_test(tc, the_operator_may_ask_whom_he_likes_over_a_warm_connection);
    tcase_add_test(tc, names_are_looked_up_and_their_connections_watched);
    tcase_add_test(tc, a_fetch_of_this_machine_is_denied_although_the_operator_has_a_warm_connection_to_it);
    tcase_add_test(tc, a_fetch_of_a_private_network_is_denied_before_a_socket_is_opened);
    tcase_add_test(tc, a_piece_that_was_held_back_may_end_the_transfer);
    tcase_add_test(tc, only_http_and_https_are_spoken);
    tcase_add_test(tc, a_url_is_shown_without_user_and_password);
    tcase_add_test(tc, without_memory_there_is_none_and_no_leak);
}
UNIT_MAIN("http", tests)
