// SPDX-License-Identifier: MIT
// A connection's descriptor stays registered with epoll when libcurl is done with it for the moment (it is warm), and
// is dropped when it wakes for nothing or is closed: so a call over a warm connection costs no epoll_ctl at all. Those
// that libcurl opens for itself (its resolver's) are closed without a word to us, and dropped as soon as it says so.
#include "net/http.h"

#include <curl/curl.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/limits.h"
#include "net/guard.h"

enum { POOL_MAX = 64, MAX_CONNECTIONS = 4096, STREAMS_PER_CONNECTION = 100, MAX_HEADERS = 2000 };

// One a descriptor: who it belongs to, what libcurl wants of it, what epoll knows.
typedef struct socket_slot {
    struct lane *lane;
    uint32_t wanted, known;
    bool is_ours;   // opened and closed by the functions here
    bool is_silent; // nothing may come now: its last answer is whole, and it is no HTTP/2, whose servers speak unasked
} socket_slot;

typedef struct lane {
    struct mb_http *http;
    CURLM *multi;
    mb_timer timer;
    bool due; // libcurl asked to be run at once
} lane;

struct mb_http {
    mb_io *io;
    lane lanes[MB_LANES];
    socket_slot *sockets;
    size_t socket_cap;
    mb_transfer *pool; // idle ones, linked by next
    int pooled;
    mb_transfer *active;
};

struct mb_transfer {
    mb_http *http;
    lane *lane;
    CURL *easy;
    mb_transfer *next, *prev; // in the pool or in the active list
    mb_http_request request;
    size_t header_bytes, header_count;
    int status;
    uint64_t profile; // of what its handle was told last
    bool has_header;  // a whole header block of a final answer
    bool is_http2, is_paused;
    const char *refused; // what its header says that none may say, NULL: nothing
    char length[24];     // its Content-Length, "" without
    int failure;         // what a callback of ours ended it with
    char error_text[CURL_ERROR_SIZE];
};

struct mb_headers {
    struct curl_slist list;
};

// ---- global --------------------------------------------------------------------------------------------------------

static pthread_once_t global_once = PTHREAD_ONCE_INIT;
static CURLcode global_status;

static bool h2c_cannot_reuse;

static void global_init(void) {
    unsigned version = curl_version_info(CURLVERSION_NOW)->version_num;
    global_status = curl_global_init(CURL_GLOBAL_DEFAULT);
    h2c_cannot_reuse = version >= 0x075800 && version < 0x080000; // curl/curl#10634
}

int mb_http_global_init(membrane_error **err) {
    pthread_once(&global_once, global_init);
    if (global_status == CURLE_OK) return 0;
    return mb_error_set(err, MEMBRANE_EINTERNAL, "libcurl does not start: %s", curl_easy_strerror(global_status));
}

const char *mb_http_version_text(void) { return curl_version_info(CURLVERSION_NOW)->version; }

mb_headers *mb_headers_add(mb_headers *headers, const char *line) {
    return (mb_headers *)curl_slist_append((struct curl_slist *)headers, line);
}

mb_headers *mb_headers_append(mb_headers *headers, const char *line) {
    mb_headers *longer = mb_headers_add(headers, line);
    if (!longer) mb_headers_free(headers);
    return longer;
}

mb_headers *mb_headers_copy(const mb_headers *headers) {
    mb_headers *copy = NULL;
    for (const struct curl_slist *line = (const struct curl_slist *)headers; line; line = line->next) {
        copy = mb_headers_append(copy, line->data);
        if (!copy) return NULL;
    }
    return copy;
}

// The lines hold keys.
void mb_headers_free(mb_headers *headers) {
    for (struct curl_slist *line = (struct curl_slist *)headers; line; line = line->next)
        explicit_bzero(line->data, strlen(line->data));
    curl_slist_free_all((struct curl_slist *)headers);
}

// ---- descriptors ---------------------------------------------------------------------------------------------------

// The table grows where a failure can be told, when a socket is opened, and a little ahead for libcurl's own
// descriptors: on_socket may not fail, since libcurl gives the whole multi up then.
enum { SLOTS_AT_ONCE = 128, SLOTS_AHEAD = 32 };

static socket_slot *slot_of(mb_http *http, int fd) {
    if (fd < 0) return NULL;
    if ((size_t)fd >= http->socket_cap) {
        size_t cap = http->socket_cap ? http->socket_cap : 64;
        while (cap <= (size_t)fd) cap *= 2;
        socket_slot *sockets = mb_realloc(http->sockets, cap * sizeof *sockets);
        if (!sockets) return NULL;
        memset(sockets + http->socket_cap, 0, (cap - http->socket_cap) * sizeof *sockets);
        http->sockets = sockets;
        http->socket_cap = cap;
    }
    return &http->sockets[fd];
}

// What a transfer leaves behind that libcurl wants to hear nothing of any more: not if it only pauses.
static bool leaves_silence(CURL *easy) {
    char *user = NULL;
    curl_easy_getinfo(easy, CURLINFO_PRIVATE, &user);
    const mb_transfer *t = (const mb_transfer *)(void *)user;
    return t && !t->is_http2 && !t->is_paused;
}

static int on_socket(CURL *easy, curl_socket_t fd, int what, void *user, void *socket_user) {
    lane *l = user;
    socket_slot *slot = slot_of(l->http, fd);
    (void)socket_user;
    if (!slot) return -1;
    slot->is_silent = what == CURL_POLL_REMOVE && leaves_silence(easy);
    slot->lane = l;
    slot->wanted = what == CURL_POLL_IN      ? EPOLLIN
                   : what == CURL_POLL_OUT   ? EPOLLOUT
                   : what == CURL_POLL_INOUT ? EPOLLIN | EPOLLOUT
                                             : 0;
    if (slot->wanted == 0 && !slot->is_ours) {
        mb_io_unwatch(l->http->io, fd);
        *slot = (socket_slot){0};
    }
    if (slot->wanted == 0 || slot->wanted == slot->known) return 0;
    if (mb_io_watch(l->http->io, fd, slot->wanted, slot->known != 0) != 0) return -1;
    slot->known = slot->wanted;
    return 0;
}

// Closing takes the descriptor out of epoll by itself.
static int on_close_socket(void *user, curl_socket_t fd) {
    mb_http *http = user;
    if ((size_t)fd < http->socket_cap) http->sockets[fd] = (socket_slot){0};
    return close(fd);
}

static curl_socket_t on_open_socket(void *user, curlsocktype purpose, struct curl_sockaddr *address) {
    mb_transfer *t = user;
    (void)purpose;
    if (t->request.lane == MB_LANE_FETCH && !mb_guard_is_public(&address->addr)) {
        t->failure = MEMBRANE_EDENIED;
        return CURL_SOCKET_BAD;
    }
    int fd = socket(address->family, address->socktype | SOCK_CLOEXEC, address->protocol);
    if (fd < 0) return fd;
    if (slot_of(t->http, fd + SLOTS_AHEAD)) {
        t->http->sockets[fd] = (socket_slot){.is_ours = true};
        return fd;
    }
    t->failure = MEMBRANE_ENOMEM;
    close(fd);
    return CURL_SOCKET_BAD;
}

static int on_timer(CURLM *multi, long timeout_ms, void *user) {
    lane *l = user;
    (void)multi;
    l->due = timeout_ms == 0;
    if (timeout_ms > 0)
        mb_io_timer_set(l->http->io, &l->timer, mb_io_now(l->http->io) + timeout_ms);
    else
        mb_io_timer_clear(l->http->io, &l->timer);
    return 0;
}

static void timer_fired(mb_timer *timer) { ((lane *)((char *)timer - offsetof(lane, timer)))->due = true; }

// ---- the answer ----------------------------------------------------------------------------------------------------

// The value of a header line "name: value", trimmed; NULL if it is another line.
static const char *value_of(const char *line, size_t len, const char *name, size_t name_len, size_t *ret_len) {
    if (len <= name_len || line[name_len] != ':' || strncasecmp(line, name, name_len) != 0) return NULL;
    const char *at = line + name_len + 1, *end = line + len;
    while (at < end && (*at == ' ' || *at == '\t')) at++;
    while (end > at && strchr(" \t\r\n", end[-1])) end--;
    *ret_len = (size_t)(end - at);
    return at;
}

static bool is_one_of(const char *text, size_t len, const char *a, const char *b) {
    return (len == strlen(a) && strncasecmp(text, a, len) == 0) || (len == strlen(b) && strncasecmp(text, b, len) == 0);
}

// Two lengths end the answer at two places (RFC 9112, 6.3: it must not be believed). No compression was asked for; of a
// transfer encoding libcurl 7.88 would undo any that it knows.
static void check_line(mb_transfer *t, const char *line, size_t len) {
    size_t n;
    const char *value;
    if ((value = value_of(line, len, "content-length", 14, &n))) {
        bool is_another = t->length[0] && (strlen(t->length) != n || memcmp(t->length, value, n) != 0);
        if (is_another) t->refused = "the answer has two different lengths";
        snprintf(t->length, sizeof t->length, "%.*s", (int)(n < 23 ? n : 23), value);
    } else if ((value = value_of(line, len, "content-encoding", 16, &n))) {
        if (!is_one_of(value, n, "", "identity")) t->refused = "the answer is compressed, which was not asked for";
    } else if ((value = value_of(line, len, "transfer-encoding", 17, &n))) {
        if (!is_one_of(value, n, "chunked", "identity"))
            t->refused = "the answer has a transfer encoding that was not asked for";
    } else if (len > 5 && memcmp(line, "HTTP/", 5) == 0) { // another header: that before was a 1xx
        t->refused = NULL;
        t->length[0] = '\0';
        t->is_http2 = line[5] == '2';
    }
}

static size_t on_header(char *bytes, size_t size, size_t count, void *user) {
    mb_transfer *t = user;
    size_t len = size * count;
    t->failure = 0; // of an address that could not be opened: another one has answered
    const char first = (char)(bytes[0] | 32);
    if (first == 'c' || first == 't' || first == 'h') check_line(t, bytes, len);
    bool is_blank = len <= 2 && (bytes[0] == '\r' || bytes[0] == '\n');
    // Behind a 101 comes what is no HTTP any more.
    if (is_blank && (mb_http_status(t) >= 200 || mb_http_status(t) == 101)) t->has_header = true;
    t->header_bytes += len;
    if (t->header_bytes <= MB_LIMIT_HEADER_BLOCK && ++t->header_count <= MAX_HEADERS) return len;
    t->failure = MEMBRANE_ERESPONSE;
    return 0;
}

int mb_http_status(const mb_transfer *t) {
    long status = 0;
    if (t->status) return t->status;
    curl_easy_getinfo(t->easy, CURLINFO_RESPONSE_CODE, &status);
    return (int)status;
}

static size_t on_body(char *bytes, size_t size, size_t count, void *user) {
    mb_transfer *t = user;
    if (!t->status) t->status = mb_http_status(t);
    if (t->refused) {
        t->failure = MEMBRANE_ERESPONSE;
        return 0;
    }
    int answer = t->request.data(t->request.user, bytes, size * count);
    if (answer == 0) return size * count;
    t->is_paused = answer == MB_HTTP_PAUSE;
    if (t->is_paused) return CURL_WRITEFUNC_PAUSE;
    t->failure = answer;
    return 0;
}

const char *mb_http_header(mb_transfer *t, const char *name) {
    struct curl_header *header;
    if (curl_easy_header(t->easy, name, 0, CURLH_HEADER, -1, &header) != CURLHE_OK) return NULL;
    return header->value;
}

const char *mb_http_refused(const mb_transfer *t) { return t->refused; }

const char *mb_http_content_type(mb_transfer *t) {
    char *type = NULL;
    curl_easy_getinfo(t->easy, CURLINFO_CONTENT_TYPE, &type);
    return type;
}

// ---- transfers -----------------------------------------------------------------------------------------------------

static bool set_constant_options(mb_transfer *t) {
    CURL *e = t->easy;
    int bad = 0;
    bad |= curl_easy_setopt(e, CURLOPT_NOSIGNAL, 1L);
    bad |= curl_easy_setopt(e, CURLOPT_PRIVATE, t);
    bad |= curl_easy_setopt(e, CURLOPT_ERRORBUFFER, t->error_text);
    bad |= curl_easy_setopt(e, CURLOPT_WRITEFUNCTION, on_body);
    bad |= curl_easy_setopt(e, CURLOPT_WRITEDATA, t);
    bad |= curl_easy_setopt(e, CURLOPT_HEADERFUNCTION, on_header);
    bad |= curl_easy_setopt(e, CURLOPT_HEADERDATA, t);
    bad |= curl_easy_setopt(e, CURLOPT_OPENSOCKETFUNCTION, on_open_socket);
    bad |= curl_easy_setopt(e, CURLOPT_OPENSOCKETDATA, t);
    bad |= curl_easy_setopt(e, CURLOPT_CLOSESOCKETFUNCTION, on_close_socket);
    bad |= curl_easy_setopt(e, CURLOPT_CLOSESOCKETDATA, t->http);
    bad |= curl_easy_setopt(e, CURLOPT_FOLLOWLOCATION, 0L);
    bad |= curl_easy_setopt(e, CURLOPT_PROTOCOLS_STR, "http,https");
    bad |= curl_easy_setopt(e, CURLOPT_TCP_NODELAY, 1L);
    bad |= curl_easy_setopt(e, CURLOPT_NETRC, (long)CURL_NETRC_IGNORED);
    bad |= curl_easy_setopt(e, CURLOPT_HTTP09_ALLOWED, 0L);
    bad |= curl_easy_setopt(e, CURLOPT_SUPPRESS_CONNECT_HEADERS, 1L);
    return bad == 0;
}

static mb_transfer *take_transfer(mb_http *http) {
    mb_transfer *t = http->pool;
    if (t) {
        http->pool = t->next;
        http->pooled--;
        return t;
    }
    t = mb_calloc(1, sizeof *t);
    if (!t) return NULL;
    t->http = http;
    t->easy = curl_easy_init();
    if (t->easy && set_constant_options(t)) return t;
    if (t->easy) curl_easy_cleanup(t->easy);
    mb_free(t);
    return NULL;
}

// A transfer of the fetch lane is never used again: nothing of one host may reach another.
static void put_back(mb_transfer *t, bool reuse) {
    mb_http *http = t->http;
    if (reuse && t->request.lane == MB_LANE_OPERATOR && http->pooled < POOL_MAX) {
        t->next = http->pool;
        http->pool = t;
        http->pooled++;
        return;
    }
    curl_easy_cleanup(t->easy);
    mb_free(t);
}

static void link_active(mb_transfer *t) {
    t->prev = NULL;
    t->next = t->http->active;
    if (t->next) t->next->prev = t;
    t->http->active = t;
}

static void unlink_active(mb_transfer *t) {
    if (t->prev)
        t->prev->next = t->next;
    else
        t->http->active = t->next;
    if (t->next) t->next->prev = t->prev;
    t->next = t->prev = NULL;
}

// How to reach the server, who asks: libcurl copies each text, so what a handle has already is not said again.
static bool set_profile_options(mb_transfer *t, const mb_http_request *r) {
    CURL *e = t->easy;
    if (r->profile && r->profile == t->profile) return true;
    int bad = curl_easy_setopt(e, CURLOPT_USERNAME, r->login);
    bad |= curl_easy_setopt(e, CURLOPT_PASSWORD, r->password);
    bad |= curl_easy_setopt(e, CURLOPT_PROXY, r->proxy ? r->proxy : "");
    bad |= curl_easy_setopt(e, CURLOPT_NOPROXY, r->no_proxy ? r->no_proxy : "");
    bad |= curl_easy_setopt(e, CURLOPT_CAINFO, r->ca_file);
    // Without TLS nothing tells before the first answer whether a connection can be shared, and libcurl would let every
    // other transfer to that host wait for it: so HTTP/1.1, unless h2c was asked for.
    bool can_share = r->http_version == 2 || (r->http_version == 0 && strncasecmp(r->url, "https:", 6) == 0);
    bad |= curl_easy_setopt(e, CURLOPT_HTTP_VERSION,
                            !can_share             ? (long)CURL_HTTP_VERSION_1_1
                            : r->http_version == 2 ? (long)CURL_HTTP_VERSION_2_PRIOR_KNOWLEDGE
                                                   : (long)CURL_HTTP_VERSION_2TLS);
    long alone = r->http_version == 2 && h2c_cannot_reuse;
    bad |= curl_easy_setopt(e, CURLOPT_FRESH_CONNECT, alone);
    bad |= curl_easy_setopt(e, CURLOPT_FORBID_REUSE, alone);
    bad |= curl_easy_setopt(e, CURLOPT_PIPEWAIT, alone ? 0L : 1L);
    t->profile = bad ? 0 : r->profile;
    return bad == 0;
}

static bool set_request_options(mb_transfer *t, const mb_http_request *r) {
    CURL *e = t->easy;
    int bad = curl_easy_setopt(e, CURLOPT_URL, r->url);
    if (r->body) {
        bad |= curl_easy_setopt(e, CURLOPT_POST, 1L);
        bad |= curl_easy_setopt(e, CURLOPT_POSTFIELDS, r->body);
        bad |= curl_easy_setopt(e, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)r->body_len);
    } else {
        bad |= curl_easy_setopt(e, CURLOPT_HTTPGET, 1L);
    }
    const bool plain = !r->body || strcmp(r->method, "POST") == 0;
    bad |= curl_easy_setopt(e, CURLOPT_CUSTOMREQUEST, plain ? NULL : r->method);
    bad |= curl_easy_setopt(e, CURLOPT_HTTPHEADER, (struct curl_slist *)r->headers);
    bad |= curl_easy_setopt(e, CURLOPT_CONNECTTIMEOUT_MS, (long)r->connect_timeout_ms);
    return bad == 0 && set_profile_options(t, r);
}

int mb_http_send(mb_http *http, const mb_http_request *request, mb_transfer **ret, membrane_error **err) {
    mb_transfer *t = take_transfer(http);
    if (!t) return mb_error_no_memory(err);
    t->request = *request;
    t->lane = &http->lanes[request->lane];
    t->header_bytes = t->header_count = 0;
    t->status = t->failure = 0;
    t->has_header = t->is_http2 = t->is_paused = false;
    t->refused = NULL;
    t->length[0] = '\0';
    t->error_text[0] = '\0';
    if (!set_request_options(t, request)) {
        put_back(t, false);
        return mb_error_no_memory(err);
    }
    CURLMcode added = curl_multi_add_handle(t->lane->multi, t->easy);
    if (added != CURLM_OK) {
        put_back(t, false);
        if (added == CURLM_OUT_OF_MEMORY) return mb_error_no_memory(err);
        return mb_error_set(err, MEMBRANE_EINTERNAL, "libcurl: %s", curl_multi_strerror(added));
    }
    link_active(t);
    *ret = t;
    return 0;
}

void mb_http_cancel(mb_transfer *t) {
    curl_multi_remove_handle(t->lane->multi, t->easy);
    unlink_active(t);
    put_back(t, false);
}

// ---- how it ended --------------------------------------------------------------------------------------------------

static int code_of(CURLcode result, bool began) {
    switch (result) {
    case CURLE_OK: return began ? 0 : MEMBRANE_ECONNECT; // half a header, then the end: curl takes that for a body
    case CURLE_COULDNT_RESOLVE_HOST:
    case CURLE_COULDNT_RESOLVE_PROXY: return MEMBRANE_EDNS;
    case CURLE_COULDNT_CONNECT: return MEMBRANE_ECONNECT;
    case CURLE_OPERATION_TIMEDOUT: return MEMBRANE_ETIMEOUT;
    case CURLE_OUT_OF_MEMORY: return MEMBRANE_ENOMEM;
    case CURLE_SSL_CONNECT_ERROR:
    case CURLE_PEER_FAILED_VERIFICATION:
    case CURLE_SSL_CACERT_BADFILE:
    case CURLE_SSL_CERTPROBLEM:
    case CURLE_SSL_CIPHER:
    case CURLE_SSL_ENGINE_INITFAILED:
    case CURLE_SSL_ISSUER_ERROR: return MEMBRANE_ETLS;
    case CURLE_URL_MALFORMAT: return MEMBRANE_ECONFIG;
    case CURLE_UNSUPPORTED_PROTOCOL: // HTTP/0.9, that is, anything; other schemes do not come this far
    case CURLE_WEIRD_SERVER_REPLY: return MEMBRANE_ERESPONSE;
    default: return began ? MEMBRANE_ERESPONSE : MEMBRANE_ECONNECT;
    }
}

// libcurl counts for ever how often a handle found its warm connection closed, and gives up at the sixth time: a handle
// is used again only if it made no connection.
static bool has_reused(const mb_transfer *t) {
    long made = 1;
    curl_easy_getinfo(t->easy, CURLINFO_NUM_CONNECTS, &made);
    return made == 0;
}

// To libcurl a header line of 100 KiB is as bad as no memory. Where something of an answer had come and memory is
// there, it was the line.
static bool is_long_line(const mb_transfer *t, CURLcode result) {
    curl_off_t first_byte_us = 0;
    if (result != CURLE_OUT_OF_MEMORY || t->has_header) return false;
    curl_easy_getinfo(t->easy, CURLINFO_STARTTRANSFER_TIME_T, &first_byte_us);
    void *room = first_byte_us ? mb_malloc(MB_LIMIT_HEADER_BLOCK) : NULL;
    mb_free(room);
    return room != NULL;
}

static const char *words_for(const mb_transfer *t, CURLcode result) {
    return t->failure == MEMBRANE_EDENIED                   ? "the address is not a public one"
           : t->refused && t->failure == MEMBRANE_ERESPONSE ? t->refused
           : t->error_text[0]                               ? t->error_text
           : result == CURLE_OK                             ? "the connection was closed before a whole header had come"
                                                            : curl_easy_strerror(result);
}

static void finish(mb_transfer *t, CURLcode result) {
    mb_http_request request = t->request;
    char detail[CURL_ERROR_SIZE];
    mb_http_done done = {.began = t->has_header};
    bool is_long = !t->failure && is_long_line(t, result);
    t->status = mb_http_status(t);
    done.code = t->failure ? t->failure : is_long ? MEMBRANE_ERESPONSE : code_of(result, done.began);
    if (done.code == MEMBRANE_ETIMEOUT) done.phase = "connect";
    if (done.code) {
        snprintf(detail, sizeof detail, "%s", is_long ? "a line of the header is too long" : words_for(t, result));
        done.detail = detail;
    }
    curl_multi_remove_handle(t->lane->multi, t->easy);
    unlink_active(t);
    request.done(request.user, &done);
    put_back(t, done.code == 0 && has_reused(t));
}

// libcurl hands over at once what it held back. A failure there is told to us alone, and nothing would run that
// transfer again; one that has ended (a bad argument then) is reaped.
void mb_http_resume(mb_transfer *t) {
    t->is_paused = false;
    CURLcode result = curl_easy_pause(t->easy, CURLPAUSE_CONT);
    if (result != CURLE_OK && result != CURLE_BAD_FUNCTION_ARGUMENT) finish(t, result);
}

static void reap(lane *l) {
    CURLMsg *message;
    int left;
    while ((message = curl_multi_info_read(l->multi, &left))) {
        if (message->msg != CURLMSG_DONE) continue;
        char *t = NULL;
        CURLcode result = message->data.result;
        curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, &t);
        finish((mb_transfer *)(void *)t, result);
    }
}

// When libcurl itself runs out of memory between two steps it may forget to watch a socket: what runs there would hang.
static void act(lane *l, int fd, int what) {
    int running;
    mb_http *http = l->http;
    CURLMcode code = curl_multi_socket_action(l->multi, fd, what, &running);
    if (code == CURLM_OK || code == CURLM_BAD_SOCKET) return; // a socket that was closed meanwhile
    for (mb_transfer *t = http->active; t; t = t->next)
        if (t->lane == l) t->failure = code == CURLM_OUT_OF_MEMORY ? MEMBRANE_ENOMEM : MEMBRANE_EINTERNAL;
    for (mb_transfer *t = http->active; t;) {
        bool is_lost = t->lane == l && t->failure != 0;
        if (is_lost) finish(t, CURLE_OUT_OF_MEMORY);
        t = is_lost ? http->active : t->next; // the list may be another one now
    }
}

// ---- the loop's hooks ----------------------------------------------------------------------------------------------

// libcurl says nothing of a descriptor whose transfer pauses in the round in which it took it up warm.
static bool is_of_a_pause(const mb_http *http, int fd) {
    struct sockaddr_storage at;
    socklen_t len = sizeof at;
    long port;
    if (getsockname(fd, (struct sockaddr *)&at, &len) != 0) return false;
    // The port stands at the same place in both families' addresses.
    const long mine = ntohs(((const struct sockaddr_in *)(const void *)&at)->sin_port);
    for (const mb_transfer *t = http->active; t; t = t->next)
        if (t->is_paused && !curl_easy_getinfo(t->easy, CURLINFO_LOCAL_PORT, &port) && port == mine) return true;
    return false;
}

// A warm connection woke though nothing was asked. If it was closed by the other end, libcurl will see that by itself.
// If bytes came, libcurl 7.88 would take them for the answer to the next request: its descriptor becomes one that the
// other end has closed.
static void on_silent(mb_http *http, int fd, socket_slot *slot) {
    char byte;
    int pair[2];
    mb_io_unwatch(http->io, fd);
    if (!slot) return;
    slot->known = 0;
    if (!slot->is_ours || !slot->is_silent || recv(fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT) <= 0) return;
    if (is_of_a_pause(http, fd)) return;
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) != 0) {
        shutdown(fd, SHUT_RDWR);
        return;
    }
    if (dup3(pair[0], fd, O_CLOEXEC) < 0) shutdown(fd, SHUT_RDWR);
    close(pair[0]);
    close(pair[1]);
}

static void on_ready(void *user, int fd, uint32_t events) {
    mb_http *http = user;
    int what = 0;
    socket_slot *slot = (size_t)fd < http->socket_cap ? &http->sockets[fd] : NULL;
    if (!slot || !slot->lane || slot->wanted == 0) {
        on_silent(http, fd, slot);
        return;
    }
    if (events & (EPOLLIN | EPOLLHUP)) what |= CURL_CSELECT_IN;
    if (events & EPOLLOUT) what |= CURL_CSELECT_OUT;
    if (events & EPOLLERR) what |= CURL_CSELECT_ERR;
    act(slot->lane, fd, what);
}

// Tasks may have added transfers, and each finished one may lead to the next: until nothing is left to do.
static void on_settle(void *user) {
    mb_http *http = user;
    for (int i = 0; i < MB_LANES; i++) {
        lane *l = &http->lanes[i];
        if (!l->multi) continue;
        do {
            if (l->due) {
                l->due = false;
                act(l, CURL_SOCKET_TIMEOUT, 0);
            }
            reap(l);
        } while (l->due);
    }
}

// Whoever still waits for an answer is told that none comes.
static void on_end(void *user) {
    mb_http *http = user;
    while (http->active) {
        http->active->failure = MEMBRANE_ECANCELLED;
        finish(http->active, CURLE_ABORTED_BY_CALLBACK);
    }
}

static bool make_lane(mb_http *http, lane *l) {
    l->http = http;
    l->timer.fire = timer_fired;
    l->multi = curl_multi_init();
    return l->multi && !curl_multi_setopt(l->multi, CURLMOPT_SOCKETFUNCTION, on_socket) &&
           !curl_multi_setopt(l->multi, CURLMOPT_SOCKETDATA, l) &&
           !curl_multi_setopt(l->multi, CURLMOPT_TIMERFUNCTION, on_timer) &&
           !curl_multi_setopt(l->multi, CURLMOPT_TIMERDATA, l) &&
           !curl_multi_setopt(l->multi, CURLMOPT_MAXCONNECTS, (long)MAX_CONNECTIONS) &&
           !curl_multi_setopt(l->multi, CURLMOPT_MAX_CONCURRENT_STREAMS, (long)STREAMS_PER_CONNECTION);
}

int mb_http_new(mb_io *io, mb_http **ret, membrane_error **err) {
    int code = mb_http_global_init(err);
    if (code) return code;
    mb_http *http = mb_calloc(1, sizeof *http);
    if (!http) return mb_error_no_memory(err);
    http->io = io;
    for (int i = 0; i < MB_LANES; i++) {
        if (slot_of(http, SLOTS_AT_ONCE - 1) && make_lane(http, &http->lanes[i])) continue;
        mb_http_free(http);
        return mb_error_no_memory(err);
    }
    mb_io_set_hooks(io, &(mb_io_hooks){http, on_ready, on_settle, on_end});
    *ret = http;
    return 0;
}

void mb_http_free(mb_http *http) {
    if (!http) return;
    while (http->active) mb_http_cancel(http->active);
    while (http->pool) {
        mb_transfer *t = http->pool;
        http->pool = t->next;
        curl_easy_cleanup(t->easy);
        mb_free(t);
    }
    for (int i = 0; i < MB_LANES; i++)
        if (http->lanes[i].multi) curl_multi_cleanup(http->lanes[i].multi);
    mb_free(http->sockets);
    mb_free(http);
}

// libcurl would say goodbye on the parent's connections (TLS close notify): its memory is left alone.
void mb_http_abandon(mb_http *http) {
    if (!http) return;
    mb_free(http->sockets);
    mb_free(http);
}

// ---- URLs ----------------------------------------------------------------------------------------------------------

static char *url_part(CURLU *u, CURLUPart part, unsigned flags) {
    char *text = NULL, *copy;
    if (curl_url_get(u, part, &text, flags) != CURLUE_OK) return NULL;
    copy = mb_strdup(text);
    curl_free(text);
    return copy;
}

static int digit_of(char c) {
    return c >= '0' && c <= '9' ? c - '0' : (c | 32) >= 'a' && (c | 32) <= 'f' ? (c | 32) - 'a' + 10 : -1;
}

char *mb_url_decode(mb_arena *arena, const char *text) {
    char *plain = mb_arena_strdup(arena, text), *to = plain;
    for (const char *at = plain; at && *at; to++) {
        bool is_code = at[0] == '%' && digit_of(at[1]) >= 0 && digit_of(at[2]) >= 0;
        *to = is_code ? (char)(digit_of(at[1]) << 4 | digit_of(at[2])) : *at;
        at += is_code ? 3 : 1;
    }
    if (to) *to = '\0';
    return plain;
}

static bool is_url(const char *text) {
    CURLU *u = curl_url();
    bool good = u && curl_url_set(u, CURLUPART_URL, text, CURLU_NON_SUPPORT_SCHEME | CURLU_GUESS_SCHEME) == CURLUE_OK;
    curl_url_cleanup(u);
    return good;
}

const char *mb_url_shown(const char *text, char *out, size_t size) {
    size_t scheme = strspn(text, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789+-.");
    const char *start = strncmp(text + scheme, "://", 3) == 0 ? text + scheme + 3 : text, *at = strrchr(start, '@');
    if (!at) return text;
    // Where a password holds a slash there is no telling where the path begins.
    if (is_url(text)) at = memrchr(start, '@', strcspn(start, "/?#"));
    // A URL inside one that does not begin with a scheme of its own: mistyped, so all in front of its login is hidden.
    const char *inner = start == text || !at ? strstr(start, "://") : NULL;
    if (inner && strchr(inner, '@')) {
        start = at ? start : inner + 3;
        at = strrchr(start, '@');
    }
    if (!at) return text;
    snprintf(out, size, "%.*s***%s", (int)(start - text), text, at);
    return out;
}

int mb_url_parse(const char *text, mb_url *ret, membrane_error **err) {
    char shown[1024];
    int code = 0;
    mb_url url = {0};
    CURLU *u = curl_url();
    if (!u) return mb_error_no_memory(err);
    CURLUcode bad = curl_url_set(u, CURLUPART_URL, text, CURLU_NON_SUPPORT_SCHEME);
    text = mb_url_shown(text, shown, sizeof shown);
    if (bad) {
        if (bad == CURLUE_OUT_OF_MEMORY)
            code = mb_error_no_memory(err);
        else
            code = mb_error_set(err, MEMBRANE_EINVAL, "\"%s\" is no URL: %s", text, curl_url_strerror(bad));
        goto out;
    }
    url.scheme = url_part(u, CURLUPART_SCHEME, 0);
    url.host = url_part(u, CURLUPART_HOST, 0);
    url.port = url_part(u, CURLUPART_PORT, CURLU_DEFAULT_PORT);
    url.path = url_part(u, CURLUPART_PATH, 0);
    url.user = url_part(u, CURLUPART_USER, CURLU_URLDECODE);
    url.password = url_part(u, CURLUPART_PASSWORD, CURLU_URLDECODE);
    if (url.scheme && strcmp(url.scheme, "http") != 0 && strcmp(url.scheme, "https") != 0)
        code = mb_error_set(err, MEMBRANE_EINVAL, "\"%s\": only http and https are spoken", text);
    else if (!url.scheme || !url.host || !url.port || !url.path)
        code = mb_error_no_memory(err);
    if (code)
        mb_url_free(&url);
    else
        *ret = url;
out:
    curl_url_cleanup(u);
    return code;
}

void mb_url_free(mb_url *url) {
    mb_free(url->scheme);
    mb_free(url->host);
    mb_free(url->port);
    mb_free(url->path);
    mb_free(url->user);
    mb_free(url->password);
    *url = (mb_url){0};
}
