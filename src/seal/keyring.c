// SPDX-License-Identifier: MIT
// One master key, three keys made of it: for the values, for the MAC, and one that is stored as the check by which a
// wrong master key is told from a damaged file.
#include "seal/keyring.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <sodium.h>
#include <stdio.h>
#include <sys/file.h>
#include <time.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/file.h"

enum { KEY = 32, NONCE = 24, TAG = 16, WAIT_MS = 10000, ID_VALUE = 1, ID_MAC = 2, ID_CHECK = 3 };

static const char CONTEXT[crypto_kdf_CONTEXTBYTES] = {'m', 'e', 'm', 'b', 'r', 'k', 'e', 'y'};
static const char MASTER_HEAD[] = "membrane-master-key 1\n";

struct mb_keyring {
    mb_arena arena;
    char path[PATH_MAX], master_path[PATH_MAX];
    mb_buf text;
    mb_keyring_rows rows;
    unsigned char value_key[KEY], mac_key[KEY]; // once it is open
};

_Static_assert(crypto_aead_xchacha20poly1305_ietf_KEYBYTES == KEY && crypto_kdf_KEYBYTES == KEY &&
                   crypto_aead_xchacha20poly1305_ietf_NPUBBYTES == NONCE &&
                   crypto_aead_xchacha20poly1305_ietf_ABYTES == TAG && MB_KEYRING_EXTRA == NONCE + TAG &&
                   crypto_pwhash_argon2id_SALTBYTES == MB_KEYRING_SALT,
               "sizes of libsodium");

// Best effort: without the right to lock memory it is merely overwritten.
void mb_keep_in_memory(void *bytes, size_t len) {
    int ignored = sodium_mlock(bytes, len);
    (void)ignored;
}

void mb_forget_kept(void *bytes, size_t len) {
    if (!bytes) return;
    int ignored = sodium_munlock(bytes, len); // overwrites first
    (void)ignored;
    sodium_memzero(bytes, len);
}

static int say(membrane_error **err, int code, const char *hint, const char *format, const char *path) {
    char text[PATH_MAX + 128];
    snprintf(text, sizeof text, format, path);
    mb_error_set(err, code, "%s", text);
    if (err) mb_error_hint(*err, "%s", hint);
    return code;
}

const mb_keyring_rows *mb_keyring_contents(const mb_keyring *ring) { return &ring->rows; }
const char *mb_keyring_path(const mb_keyring *ring) { return ring->path; }

void mb_keyring_free(mb_keyring *ring) {
    if (!ring) return;
    mb_arena_free(&ring->arena);
    mb_buf_free(&ring->text);
    mb_forget_kept(ring, sizeof *ring);
    mb_free(ring);
}

static int new_ring(const mb_keyring_where *where, mb_keyring **ret, membrane_error **err) {
    if (sodium_init() < 0) return mb_error_set(err, MEMBRANE_EINTERNAL, "libsodium does not start");
    mb_keyring *ring = mb_calloc(1, sizeof *ring);
    if (!ring) return mb_error_no_memory(err);
    mb_keep_in_memory(ring, sizeof *ring);
    ring->text = MB_BUF(MB_KEYRING_FILE);
    int a = snprintf(ring->path, sizeof ring->path, "%s/keys", where->folder);
    int b = snprintf(ring->master_path, sizeof ring->master_path, "%s/master.key", where->folder);
    if (a < (int)sizeof ring->path && b < (int)sizeof ring->master_path) {
        *ret = ring;
        return 0;
    }
    mb_keyring_free(ring);
    return mb_error_set(err, MEMBRANE_EIO, "%.64s… is too long for a path", where->folder);
}

// ---- the master key ------------------------------------------------------------------------------------------------

static int parse_master(const mb_buf *text, const char *path, unsigned char master[KEY], membrane_error **err) {
    const char *stopped = NULL, *at = mb_buf_text(text);
    size_t head = sizeof MASTER_HEAD - 1, len = 0;
    bool good = text->len > head && memcmp(at, MASTER_HEAD, head) == 0 &&
                sodium_base642bin(master, KEY, at + head, text->len - head, "\n", &len, &stopped,
                                  sodium_base64_VARIANT_URLSAFE_NO_PADDING) == 0 &&
                len == KEY && stopped == at + text->len;
    return good ? 0
                : say(err, MEMBRANE_ECONFIG,
                      "put back a copy of it, or remove it and the key ring and set the keys anew",
                      "%s is no master key", path);
}

static int read_master(const mb_keyring *ring, unsigned char master[KEY], membrane_error **err) {
    mb_buf text = MB_BUF(256); // in one piece, so that growing leaves no copy behind
    int code = 0;
    if (access(ring->master_path, F_OK) != 0 && errno == ENOENT)
        return say(err, MEMBRANE_EAUTH, "put back a copy of it, or remove the key ring and set the keys anew",
                   "the key ring was sealed with %s, which is not there", ring->master_path);
    code = mb_file_read_private(ring->master_path, &text, err);
    if (code == 0) code = parse_master(&text, ring->master_path, master, err);
    if (text.data) sodium_memzero(text.data, text.len);
    mb_buf_free(&text);
    return code;
}

// Under the lock of the writers.
static int make_master(const mb_keyring *ring, unsigned char master[KEY], membrane_error **err) {
    char text[128];
    if (access(ring->master_path, F_OK) == 0) return read_master(ring, master, err);
    randombytes_buf(master, KEY);
    size_t len = sizeof MASTER_HEAD - 1;
    memcpy(text, MASTER_HEAD, len);
    sodium_bin2base64(text + len, sizeof text - len, master, KEY, sodium_base64_VARIANT_URLSAFE_NO_PADDING);
    strcat(text, "\n");
    int code = mb_file_replace(ring->master_path, text, strlen(text), err);
    sodium_memzero(text, sizeof text);
    return code;
}

static bool has_passphrase(const mb_keyring_where *where) { return where->passphrase && where->passphrase[0]; }

static int derive_master(const mb_keyring *ring, const mb_keyring_where *where, unsigned char master[KEY],
                         membrane_error **err) {
    const mb_keyring_rows *r = &ring->rows;
    if (!has_passphrase(where))
        return say(err, MEMBRANE_EAUTH, "set MEMBRANE_PASSPHRASE, or type it at a terminal",
                   "the key ring %s needs its passphrase", ring->path);
    // Fails only where so much memory is not to be had.
    int failed = crypto_pwhash_argon2id(master, KEY, where->passphrase, strlen(where->passphrase), r->salt, r->ops,
                                        (size_t)r->memory, crypto_pwhash_argon2id_ALG_ARGON2ID13);
    return failed ? mb_error_no_memory(err) : 0;
}

// The keys and the check that belong to a master key.
static void take_keys(mb_keyring *ring, const unsigned char master[KEY], unsigned char check[MB_KEYRING_CHECK]) {
    crypto_kdf_derive_from_key(ring->value_key, KEY, ID_VALUE, CONTEXT, master);
    crypto_kdf_derive_from_key(ring->mac_key, KEY, ID_MAC, CONTEXT, master);
    crypto_kdf_derive_from_key(check, MB_KEYRING_CHECK, ID_CHECK, CONTEXT, master);
}

static void put_mac(const mb_keyring *ring, const char *text, size_t len, unsigned char mac[MB_KEYRING_MAC]) {
    crypto_generichash(mac, MB_KEYRING_MAC, (const unsigned char *)text, len, ring->mac_key, KEY);
}

static int unlock(mb_keyring *ring, const mb_keyring_where *where, membrane_error **err) {
    unsigned char master[KEY], check[MB_KEYRING_CHECK], mac[MB_KEYRING_MAC];
    const mb_keyring_rows *r = &ring->rows;
    int code = r->by_passphrase ? derive_master(ring, where, master, err) : read_master(ring, master, err);
    if (code == 0) take_keys(ring, master, check);
    sodium_memzero(master, sizeof master);
    if (code) return code;
    if (sodium_memcmp(check, r->check, sizeof check) != 0)
        return r->by_passphrase ? say(err, MEMBRANE_EAUTH, "try again; if it is right, put back a copy of the file",
                                      "the passphrase does not open the key ring %s", ring->path)
                                : say(err, MEMBRANE_EAUTH, "put back the master.key that belongs to it",
                                      "the key ring was sealed with another key than %s", ring->master_path);
    put_mac(ring, mb_buf_text(&ring->text), r->sealed_len, mac);
    if (sodium_memcmp(mac, r->mac, sizeof mac) != 0)
        return say(err, MEMBRANE_ECONFIG, "put back a copy of the file, or remove it and set the keys anew",
                   "%s: the key ring was changed by something else than membrane", ring->path);
    return 0;
}

// ---- reading -------------------------------------------------------------------------------------------------------

static int load(mb_keyring *ring, membrane_error **err) {
    if (access(ring->path, F_OK) != 0 && (errno == ENOENT || errno == ENOTDIR))
        return say(err, MEMBRANE_ENOTFOUND, "membrane keys set NAME", "there is no key ring at %s", ring->path);
    int code = mb_file_read_private(ring->path, &ring->text, err);
    return code
               ? code
               : mb_keyring_parse(&ring->arena, ring->path, mb_buf_text(&ring->text), ring->text.len, &ring->rows, err);
}

static int open_ring(const mb_keyring_where *where, bool is_unlocked, mb_keyring **ret, membrane_error **err) {
    mb_keyring *ring;
    int code = new_ring(where, &ring, err);
    if (code) return code;
    code = load(ring, err);
    if (code == 0 && is_unlocked) code = unlock(ring, where, err);
    if (code)
        mb_keyring_free(ring);
    else
        *ret = ring;
    return code;
}

int mb_keyring_look(const mb_keyring_where *where, mb_keyring **ret, membrane_error **err) {
    return open_ring(where, false, ret, err);
}

int mb_keyring_open(const mb_keyring_where *where, mb_keyring **ret, membrane_error **err) {
    return open_ring(where, true, ret, err);
}

// Where the name stands or would stand.
static size_t find(const mb_keyring_rows *rows, const char *name, bool *ret_found) {
    size_t i = 0;
    while (i < rows->count && strcmp(rows->rows[i].name, name) < 0) i++;
    *ret_found = i < rows->count && strcmp(rows->rows[i].name, name) == 0;
    return i;
}

static size_t bound_data(const mb_keyring_row *row, char text[MB_KEYRING_NAME + 32]) {
    return (size_t)snprintf(text, MB_KEYRING_NAME + 32, "%s %" PRId64, row->name, row->changed_ms);
}

static int no_such_key(const mb_keyring *ring, const char *name, membrane_error **err) {
    int code =
        mb_error_set(err, MEMBRANE_ENOTFOUND, "the key ring %s has no key \"%.*s\"", ring->path, MB_KEYRING_NAME, name);
    if (err) mb_error_hint(*err, "membrane keys set %s", mb_keyring_is_name(name) ? name : "NAME");
    return code;
}

int mb_keyring_get(const mb_keyring *ring, const char *name, mb_arena *arena, const char **ret, size_t *ret_len,
                   membrane_error **err) {
    bool is_there;
    char bound[MB_KEYRING_NAME + 32];
    unsigned long long len;
    const mb_keyring_row *row = &ring->rows.rows[find(&ring->rows, name, &is_there)];
    if (!is_there) return no_such_key(ring, name, err);
    unsigned char *value = mb_arena_alloc(arena, row->box_len - MB_KEYRING_EXTRA + 1);
    if (!value) return mb_error_no_memory(err);
    if (crypto_aead_xchacha20poly1305_ietf_decrypt(value, &len, NULL, row->box + NONCE, row->box_len - NONCE,
                                                   (const unsigned char *)bound, bound_data(row, bound), row->box,
                                                   ring->value_key) != 0)
        return say(err, MEMBRANE_ECONFIG, "set the key anew", "%s: a value of the key ring is damaged", ring->path);
    value[len] = '\0';
    *ret = (const char *)value;
    if (ret_len) *ret_len = (size_t)len;
    return 0;
}

// ---- writing -------------------------------------------------------------------------------------------------------

static int take_turn(const mb_keyring_where *where, int *ret_fd, membrane_error **err) {
    char path[PATH_MAX];
    int len = snprintf(path, sizeof path, "%s/keys.lock", where->folder), failed = 0;
    if (len >= (int)sizeof path) return mb_error_set(err, MEMBRANE_EIO, "%.64s… is too long for a path", where->folder);
    int code = mb_file_make_folders(path, err);
    if (code) return code;
    int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    int64_t until = mb_now_ms() + WAIT_MS;
    while (fd >= 0 && flock(fd, LOCK_EX | LOCK_NB) != 0) {
        failed = errno;
        if ((failed != EWOULDBLOCK && failed != EINTR) || mb_now_ms() > until) {
            close(fd);
            return failed == EWOULDBLOCK
                       ? say(err, MEMBRANE_ECONFLICT, "end it, then try again", "another program keeps %s locked", path)
                       : mb_error_set(err, MEMBRANE_EIO, "cannot lock %s: %s", path, strerror(failed));
        }
        nanosleep(&(struct timespec){.tv_nsec = 5000000}, NULL);
    }
    if (fd < 0) return mb_error_set(err, MEMBRANE_EIO, "cannot write %s: %s", path, strerror(errno));
    *ret_fd = fd; // closing it ends the turn
    return 0;
}

static int make_ring(mb_keyring *ring, const mb_keyring_where *where, membrane_error **err) {
    unsigned char master[KEY];
    mb_keyring_rows *r = &ring->rows;
    r->by_passphrase = has_passphrase(where);
    if (r->by_passphrase) {
        r->ops = where->ops ? where->ops : crypto_pwhash_argon2id_OPSLIMIT_INTERACTIVE;
        r->memory = where->memory ? where->memory : crypto_pwhash_argon2id_MEMLIMIT_INTERACTIVE;
        randombytes_buf(r->salt, sizeof r->salt);
    }
    r->rows = mb_arena_alloc(&ring->arena, sizeof *r->rows);
    if (!r->rows) return mb_error_no_memory(err);
    int code = r->by_passphrase ? derive_master(ring, where, master, err) : make_master(ring, master, err);
    if (code == 0) take_keys(ring, master, r->check);
    sodium_memzero(master, sizeof master);
    return code;
}

static int open_or_make(const mb_keyring_where *where, mb_keyring **ret, membrane_error **err) {
    mb_keyring *ring;
    int code = new_ring(where, &ring, err);
    if (code) return code;
    code = load(ring, err);
    if (code == MEMBRANE_ENOTFOUND) {
        if (err) membrane_error_free(*err), *err = NULL;
        code = make_ring(ring, where, err);
    } else if (code == 0 && !ring->rows.by_passphrase && has_passphrase(where)) {
        // Whoever gives a passphrase must not believe that it guards what a file opens.
        code = say(err, MEMBRANE_EINVAL, "unset MEMBRANE_PASSPHRASE; or remove the key ring and set the keys anew",
                   "the key ring %s is sealed with master.key, not with a passphrase", ring->path);
    } else if (code == 0) {
        code = unlock(ring, where, err);
    }
    if (code)
        mb_keyring_free(ring);
    else
        *ret = ring;
    return code;
}

static int write_ring(mb_keyring *ring, membrane_error **err) {
    mb_buf out = MB_BUF(MB_KEYRING_FILE);
    mb_keyring_put(&ring->rows, &out);
    put_mac(ring, mb_buf_text(&out), out.len, ring->rows.mac);
    mb_keyring_put_end(ring->rows.mac, &out);
    int code = out.failed == MEMBRANE_EINVAL
                   ? say(err, MEMBRANE_EINVAL, "remove keys that nobody needs", "the key ring %s is full", ring->path)
               : out.failed ? mb_error_no_memory(err)
                            : mb_file_replace(ring->path, mb_buf_text(&out), out.len, err);
    mb_buf_free(&out);
    return code;
}

static int put_row(mb_keyring *ring, const char *name, const char *value, size_t len, int64_t now_ms,
                   membrane_error **err) {
    mb_keyring_rows *r = &ring->rows;
    char bound[MB_KEYRING_NAME + 32];
    bool is_there;
    unsigned char *box = mb_arena_alloc(&ring->arena, len + MB_KEYRING_EXTRA);
    if (!box) return mb_error_no_memory(err);
    size_t at = find(r, name, &is_there);
    mb_keyring_row row = {name, now_ms, box, len + MB_KEYRING_EXTRA};
    randombytes_buf(box, NONCE);
    crypto_aead_xchacha20poly1305_ietf_encrypt(box + NONCE, NULL, (const unsigned char *)value, len,
                                               (const unsigned char *)bound, bound_data(&row, bound), NULL, box,
                                               ring->value_key);
    if (!is_there) memmove(&r->rows[at + 1], &r->rows[at], (r->count++ - at) * sizeof *r->rows);
    r->rows[at] = row;
    return 0;
}

int mb_keyring_set(const mb_keyring_where *where, const char *name, const char *value, size_t len, int64_t now_ms,
                   membrane_error **err) {
    mb_keyring *ring = NULL;
    int turn;
    if (!mb_keyring_is_name(name))
        return say(err, MEMBRANE_EINVAL, "1 to 128 letters, digits, \"_\", \"-\", \".\", not beginning with a dot",
                   "\"%.200s\" is no name for a key", name);
    if (len == 0 || len > MB_KEYRING_VALUE)
        return mb_error_set(err, MEMBRANE_EINVAL, len ? "the value is longer than %d bytes" : "the value is empty",
                            MB_KEYRING_VALUE);
    int code = take_turn(where, &turn, err);
    if (code) return code;
    code = open_or_make(where, &ring, err);
    if (code == 0) code = put_row(ring, name, value, len, now_ms < 0 ? 0 : now_ms, err);
    if (code == 0) code = write_ring(ring, err);
    mb_keyring_free(ring);
    close(turn);
    return code;
}

int mb_keyring_remove(const mb_keyring_where *where, const char *name, membrane_error **err) {
    mb_keyring *ring = NULL;
    bool is_there = false;
    int turn;
    int code = take_turn(where, &turn, err);
    if (code) return code;
    code = mb_keyring_open(where, &ring, err);
    if (code == 0) {
        mb_keyring_rows *r = &ring->rows;
        size_t at = find(r, name, &is_there);
        if (is_there) memmove(&r->rows[at], &r->rows[at + 1], (--r->count - at) * sizeof *r->rows);
        code = is_there ? write_ring(ring, err) : no_such_key(ring, name, err);
    }
    mb_keyring_free(ring);
    close(turn);
    return code;
}
