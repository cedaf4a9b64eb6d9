// SPDX-License-Identifier: MIT
// A fast server for the benchmarks: one thread, epoll, HTTP/1.1 keep-alive, answers that were made before the first
// request came. It answers POST /v1/chat/completions: whole; with "stream":true 64 chunks at once; for the model "busy"
// 429; for the model "slow" one chunk each 20 ms, 64 of them. Prints its port.
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/timerfd.h>
#include <unistd.h>

enum { ROOM = 16384, CHUNKS = 64, TICK_MS = 20, CONNECTIONS = 4096 };

typedef struct connection {
    int fd, slow_left;
    size_t len;
    char data[ROOM];
} connection;

static connection *connections[65536];
static int slow_fds[CONNECTIONS], slow_count;
static char whole[2048], stream[65536], slow_head[256], slow_chunk[512], slow_end[512];
static size_t whole_len, stream_len, slow_head_len, slow_chunk_len, slow_end_len;

static size_t put_chunk(char *out, const char *data) {
    return (size_t)sprintf(out, "%zx\r\n%s\r\n", strlen(data), data);
}

static void event_text(char *out, const char *delta, const char *finish) {
    sprintf(
        out,
        "data: {\"id\":\"chatcmpl-BGHy7qLpK2Zx9RfWm3vTn5eUa1YcD\",\"object\":\"chat.completion.chunk\",\"created\":1735689600,"
        "\"model\":\"gpt-4o-mini-2024-07-18\",\"system_fingerprint\":\"fp_0aa8d3e20b\",\"choices\":[{\"index\":0,\"delta\":{%s},"
        "\"logprobs\":null,\"finish_reason\":%s}]}\n\n",
        delta, finish);
}

static void make_answers(void) {
    char body[1024], event[1024], usage[512];
    sprintf(
        body,
        "{\"id\":\"chatcmpl-BGHy7qLpK2Zx9RfWm3vTn5eUa1YcD\",\"object\":\"chat.completion\",\"created\":1735689600,"
        "\"model\":\"gpt-4o-mini-2024-07-18\",\"choices\":[{\"index\":0,\"message\":{\"role\":\"assistant\",\"content\":"
        "\"The sky is blue because air scatters short waves of light more than long ones.\",\"refusal\":null},\"logprobs\":null,"
        "\"finish_reason\":\"stop\"}],\"usage\":{\"prompt_tokens\":14,\"completion_tokens\":18,\"total_tokens\":32,"
        "\"prompt_tokens_details\":{\"cached_tokens\":0,\"audio_tokens\":0},\"completion_tokens_details\":{\"reasoning_tokens\":0}},"
        "\"system_fingerprint\":\"fp_0aa8d3e20b\"}");
    whole_len = (size_t)sprintf(
        whole,
        "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nx-request-id: req_1\r\nContent-Length: %zu\r\n\r\n%s",
        strlen(body), body);
    const char *head = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n";
    strcpy(stream, head);
    stream_len = strlen(stream);
    for (int i = 0; i < CHUNKS; i++) {
        event_text(event, i ? "\"content\":\" word\"" : "\"role\":\"assistant\",\"content\":\"\"",
                   i == CHUNKS - 1 ? "\"stop\"" : "null");
        stream_len += put_chunk(stream + stream_len, event);
    }
    sprintf(
        usage,
        "data: {\"id\":\"c\",\"object\":\"chat.completion.chunk\",\"choices\":[],\"usage\":{\"prompt_tokens\":14,\"completion_tokens\":63,\"total_tokens\":77}}\n\ndata: [DONE]\n\n");
    stream_len += put_chunk(stream + stream_len, usage);
    stream_len += (size_t)sprintf(stream + stream_len, "0\r\n\r\n");
    slow_head_len = (size_t)sprintf(slow_head, "%s", head);
    event_text(event, "\"content\":\" word\"", "null");
    slow_chunk_len = put_chunk(slow_chunk, event);
    event_text(event, "", "\"stop\"");
    slow_end_len = put_chunk(slow_end, event);
    slow_end_len += put_chunk(slow_end + slow_end_len, "data: [DONE]\n\n");
    slow_end_len += (size_t)sprintf(slow_end + slow_end_len, "0\r\n\r\n");
}

static void drop(connection *c) {
    for (int i = 0; i < slow_count; i++)
        if (slow_fds[i] == c->fd) slow_fds[i--] = slow_fds[--slow_count];
    connections[c->fd] = NULL;
    close(c->fd);
    free(c);
}

static bool send_all(connection *c, const char *data, size_t len) {
    while (len) {
        ssize_t n = send(c->fd, data, len, MSG_NOSIGNAL);
        if (n < 0 && (errno == EAGAIN || errno == EINTR)) {
            usleep(50);
            continue;
        }
        if (n <= 0) return false;
        data += n;
        len -= (size_t)n;
    }
    return true;
}

static const char BUSY[] = "HTTP/1.1 429 X\r\nContent-Type: application/json\r\nContent-Length: 44\r\n\r\n"
                           "{\"error\":{\"message\":\"Rate limit reached.\"}} ";

static bool answer(connection *c, const char *body) {
    if (strstr(body, "\"slow\"")) {
        if (slow_count == CONNECTIONS) return false;
        c->slow_left = CHUNKS;
        slow_fds[slow_count++] = c->fd;
        return send_all(c, slow_head, slow_head_len);
    }
    if (strstr(body, "\"busy\"")) return send_all(c, BUSY, sizeof BUSY - 1);
    if (strstr(body, "\"stream\":true")) return send_all(c, stream, stream_len);
    return send_all(c, whole, whole_len);
}

static void on_data(connection *c) {
    ssize_t n = recv(c->fd, c->data + c->len, ROOM - 1 - c->len, 0);
    if (n <= 0) {
        if (n == 0 || errno != EAGAIN) drop(c);
        return;
    }
    c->len += (size_t)n;
    c->data[c->len] = '\0';
    for (;;) {
        char *end = strstr(c->data, "\r\n\r\n"), *length = end ? strcasestr(c->data, "content-length:") : NULL;
        if (!end) return;
        size_t body = length && length < end ? strtoul(length + 15, NULL, 10) : 0,
               used = (size_t)(end + 4 - c->data) + body;
        if (c->len < used) return;
        char saved = c->data[used];
        c->data[used] = '\0';
        bool good = answer(c, end + 4);
        c->data[used] = saved;
        if (!good) {
            drop(c);
            return;
        }
        memmove(c->data, c->data + used, c->len - used + 1);
        c->len -= used;
        if (!c->len) return;
    }
}

static void tick(void) {
    for (int i = 0; i < slow_count; i++) {
        connection *c = connections[slow_fds[i]];
        bool last = --c->slow_left == 0;
        bool good = last ? send_all(c, slow_end, slow_end_len) : send_all(c, slow_chunk, slow_chunk_len);
        if (!good)
            drop(c), i--;
        else if (last)
            slow_fds[i--] = slow_fds[--slow_count];
    }
}

static void take_connections(int listener, int loop) {
    int fd, one = 1;
    while ((fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC)) >= 0) {
        connection *c = fd < 65536 ? calloc(1, sizeof *c) : NULL;
        if (!c) {
            close(fd);
            continue;
        }
        c->fd = fd;
        connections[fd] = c;
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
        epoll_ctl(loop, EPOLL_CTL_ADD, fd, &(struct epoll_event){.events = EPOLLIN, .data.fd = fd});
    }
}

int main(void) {
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof address;
    struct rlimit files = {16384, 16384};
    setrlimit(RLIMIT_NOFILE, &files);
    signal(SIGPIPE, SIG_IGN);
    make_answers();
    int listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0), loop = epoll_create1(0);
    if (bind(listener, (struct sockaddr *)&address, sizeof address) || listen(listener, 4096)) return 1;
    getsockname(listener, (struct sockaddr *)&address, &size);
    printf("%d\n", ntohs(address.sin_port));
    fflush(stdout);
    int timer = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK);
    struct itimerspec each = {{0, TICK_MS * 1000000L}, {0, TICK_MS * 1000000L}};
    timerfd_settime(timer, 0, &each, NULL);
    epoll_ctl(loop, EPOLL_CTL_ADD, listener, &(struct epoll_event){.events = EPOLLIN, .data.fd = listener});
    epoll_ctl(loop, EPOLL_CTL_ADD, timer, &(struct epoll_event){.events = EPOLLIN, .data.fd = timer});
    for (;;) {
        struct epoll_event ready[128];
        int n = epoll_wait(loop, ready, 128, -1);
        for (int i = 0; i < n; i++) {
            int fd = ready[i].data.fd;
            if (fd == listener)
                take_connections(listener, loop);
            else if (fd == timer) {
                unsigned long long count;
                if (read(timer, &count, sizeof count) > 0) tick();
            } else if (connections[fd])
                on_data(connections[fd]);
        }
    }
}
