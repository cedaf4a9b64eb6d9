// SPDX-License-Identifier: MIT
// What was read, as a configuration of ours in YAML. Texts are written plainly where every reader of YAML takes them
// for texts, and in double quotes otherwise.
#include <math.h>
#include <string.h>
#include <strings.h>

#include "base/alloc.h"
#include "base/utf8.h"
#include "runtime/import.h"

// ---- scalars -------------------------------------------------------------------------------------------------------

static bool is_plain(const char *text) {
    static const char *const words[] = {"true", "false", "null", "yes", "no", "on", "off", "y", "n"};
    static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
    static const char inside[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_./:@+-";
    size_t len = strlen(text);
    if (!text[0] || !strchr(letters, text[0]) || strspn(text, inside) != len || text[len - 1] == ':') return false;
    for (size_t i = 0; i < MB_COUNT(words); i++)
        if (strcasecmp(words[i], text) == 0) return false;
    return true;
}

static uint32_t code_point(const char *text, int len) {
    const unsigned char *s = (const unsigned char *)text;
    uint32_t code = len == 1 ? s[0] : s[0] & (0xffu >> (len + 1));
    for (int i = 1; i < len; i++) code = code << 6 | (s[i] & 63u);
    return code;
}

// YAML refuses more than JSON does: DEL, C1, the byte order mark, the last two of the plane.
static bool is_printable(uint32_t c) {
    return (c >= 0x20 && c < 0x7f) ||
           (c >= 0xa0 && c != 0x2028 && c != 0x2029 && c != 0xfeff && (c & 0xfffe) != 0xfffe);
}

static void put_text(mb_buf *out, const char *text) {
    if (is_plain(text)) {
        mb_buf_puts(out, text);
        return;
    }
    mb_buf_putc(out, '"');
    for (size_t left = strlen(text); left;) {
        int len = mb_utf8_next(text, left);
        size_t used = (size_t)(len < 0 ? -len : len);
        uint32_t c = len < 0 ? 0xfffd : code_point(text, len);
        if (c == '"' || c == '\\')
            mb_buf_putf(out, "\\%c", (char)c);
        else if (!is_printable(c))
            mb_buf_putf(out, c > 0xffff ? "\\U%08x" : "\\u%04x", c);
        else if (len < 0)
            mb_buf_puts(out, "\xef\xbf\xbd");
        else
            mb_buf_put(out, text, used);
        text += used;
        left -= used;
    }
    mb_buf_putc(out, '"');
}

static void put_pair(mb_buf *out, const char *indent, const char *key, const char *value) {
    if (!value) return;
    mb_buf_puts(out, indent);
    put_text(out, key);
    mb_buf_puts(out, ": ");
    put_text(out, value);
    mb_buf_putc(out, '\n');
}

// ---- providers -----------------------------------------------------------------------------------------------------

static void put_aws(mb_buf *out, const mb_import_provider *p) {
    if (!p->shared.region && !p->aws[0]) return;
    mb_buf_puts(out, "    aws:\n");
    put_pair(out, "      ", "region", p->shared.region);
    put_pair(out, "      ", "access_key_id", p->aws[0]);
    put_pair(out, "      ", "secret_access_key", p->aws[1]);
    put_pair(out, "      ", "session_token", p->aws[2]);
}

static void put_headers(mb_buf *out, const mb_import_provider *p) {
    if (!p->header_count && !p->shared.organization) return;
    mb_buf_puts(out, "    headers:\n");
    put_pair(out, "      ", "OpenAI-Organization", p->shared.organization);
    for (size_t i = 0; i < p->header_count; i++) put_pair(out, "      ", p->headers[i][0], p->headers[i][1]);
}

// A deployment of Azure has its name and the version in the path; newer ones (/openai/v1) do not.
static void put_azure(mb_buf *out, const mb_import_provider *p) {
    static const char *const paths[][2] = {
        {"chat_path", "chat/completions"}, {"completion_path", "completions"}, {"embed_path", "embeddings"}};
    const char *url = p->shared.base_url, *at = url ? strstr(url, "/openai") : NULL;
    if (!p->shared.api_version || (at && strstr(at, "/v1"))) return;
    // As much of the path as the address does not have already.
    const char *start = !at ? "/openai/deployments/{model}" : strstr(at, "/deployments/") ? "" : "/deployments/{model}";
    mb_buf_puts(out, "    quirks:\n");
    for (size_t i = 0; i < MB_COUNT(paths); i++)
        mb_buf_putf(out, "      %s: \"%s/%s?api-version=%s\"\n", paths[i][0], start, paths[i][1],
                    p->shared.api_version);
}

static void put_times(mb_buf *out, const mb_import_shared *s) {
    if (s->total_ms || s->stream_ms) mb_buf_puts(out, "    timeouts:\n");
    if (s->stream_ms)
        mb_buf_putf(out, "      first_token: %lld\n      idle: %lld\n", (long long)s->stream_ms,
                    (long long)s->stream_ms);
    if (s->total_ms) mb_buf_putf(out, "      total: %lld\n", (long long)s->total_ms);
}

static void put_provider(mb_buf *out, const mb_import_provider *p) {
    mb_buf_puts(out, "  ");
    put_text(out, p->name);
    mb_buf_puts(out, ":\n");
    put_pair(out, "    ", "kind", p->shared.kind);
    put_pair(out, "    ", "base_url", p->shared.base_url);
    put_pair(out, "    ", "api_key", p->key);
    put_aws(out, p);
    put_headers(out, p);
    put_azure(out, p);
    put_times(out, &p->shared);
}

// ---- models --------------------------------------------------------------------------------------------------------

static void put_target_text(mb_import *im, mb_buf *out, const mb_import_target *t) {
    const char *text = mb_arena_printf(&im->arena, "%s/%s", t->provider->name, t->model);
    if (text)
        put_text(out, text);
    else
        im->failed = true;
}

static bool has_limits(const mb_import_target *t) { return t->limits.rpm || t->limits.tpm || t->limits.parallel; }

static void put_limits(mb_buf *out, const char *indent, const mb_limits *limits) {
    const struct {
        const char *key;
        int64_t value;
    } rows[] = {{"rpm", limits->rpm}, {"tpm", limits->tpm}, {"parallel", limits->parallel}};
    const char *before = "{";
    mb_buf_putf(out, "%slimits: ", indent);
    for (size_t i = 0; i < MB_COUNT(rows); i++) {
        if (!rows[i].value) continue;
        mb_buf_putf(out, "%s%s: %lld", before, rows[i].key, (long long)rows[i].value);
        before = ", ";
    }
    mb_buf_puts(out, "}\n");
}

static void put_weight(mb_buf *out, double weight) {
    mb_jw w = mb_jw_to(out);
    mb_buf_puts(out, "        weight: ");
    if (weight == floor(weight))
        mb_jw_int(&w, (int64_t)weight);
    else
        mb_jw_double(&w, weight);
    mb_buf_putc(out, '\n');
}

static void put_targets(mb_import *im, mb_buf *out, const mb_import_model *m) {
    if (m->first_count > 1) mb_buf_putf(out, "    policy: %s\n", mb_policy_name(im->policy));
    mb_buf_puts(out, "    targets:\n");
    for (size_t i = 0; i < m->first_count && mb_buf_ok(out); i++) {
        mb_buf_puts(out, "      - target: ");
        put_target_text(im, out, &m->targets[i]);
        mb_buf_putc(out, '\n');
        if (m->has_weights) put_weight(out, m->targets[i].weight);
        if (has_limits(&m->targets[i])) put_limits(out, "        ", &m->targets[i].limits);
    }
}

static bool is_among(const mb_import_target *t, const mb_import_target *list, size_t count) {
    for (size_t i = 0; i < count; i++)
        if (list[i].provider == t->provider && strcmp(list[i].model, t->model) == 0) return true;
    return false;
}

// Fallbacks are targets here, models there: each model's targets in its place, none twice.
static size_t collect(mb_import *im, const mb_import_model *m, const mb_import_list *names, mb_import_target *ret) {
    size_t count = 0;
    for (size_t i = 0; i < names->count; i++) {
        const mb_import_model *other = mb_import_model_of(im, names->names[i]);
        for (size_t t = 0; other && t < other->count && count < MB_IMPORT_TARGETS; t++) {
            const mb_import_target *target = &other->targets[t];
            if (is_among(target, m->targets, m->count) || is_among(target, ret, count)) continue;
            ret[count++] = *target;
        }
    }
    return count;
}

// Limits of targets that stand in no other place are said here.
static void put_fallback(mb_import *im, mb_buf *out, const mb_import_target *t, bool says_limits) {
    says_limits = says_limits && has_limits(t);
    mb_buf_puts(out, says_limits ? "        - target: " : "        - ");
    put_target_text(im, out, t);
    mb_buf_putc(out, '\n');
    if (says_limits) put_limits(out, "          ", &t->limits);
}

static void put_fallbacks(mb_import *im, mb_buf *out, const mb_import_model *m) {
    static const char *const groups[MB_IMPORT_FALLBACKS] = {"error", "context_overflow", "content_policy"};
    bool has_any = false;
    for (int g = 0; g < MB_IMPORT_FALLBACKS && mb_buf_ok(out); g++) {
        mb_import_target targets[MB_IMPORT_TARGETS];
        size_t later = g == 0 ? m->count - m->first_count : 0, count = collect(im, m, &m->falls[g], targets);
        if (!count && !later) continue;
        if (!has_any) mb_buf_puts(out, "    fallbacks:\n");
        has_any = true;
        mb_buf_putf(out, "      %s:\n", groups[g]);
        for (size_t i = 0; i < later; i++) put_fallback(im, out, &m->targets[m->first_count + i], true);
        for (size_t i = 0; i < count; i++) put_fallback(im, out, &targets[i], false);
    }
}

static void put_aliases(mb_buf *out, const mb_import_model *m) {
    if (m->aliases) mb_buf_puts(out, "    aliases:\n");
    for (const mb_import_model *a = m->aliases; a; a = a->next) {
        mb_buf_puts(out, "      - ");
        put_text(out, a->name);
        mb_buf_putc(out, '\n');
    }
}

static void put_model(mb_import *im, mb_buf *out, const mb_import_model *m) {
    const mb_import_model *of = m->same_as ? m->same_as : m;
    int64_t retries = of->retries >= 0 ? of->retries : im->retries;
    if (m->same_as && mb_import_is_alias(m->name)) return; // it stands there
    mb_buf_puts(out, "  ");
    put_text(out, m->name);
    mb_buf_puts(out, ":\n");
    put_aliases(out, m);
    put_targets(im, out, of);
    put_fallbacks(im, out, of);
    if (retries >= 0) mb_buf_putf(out, "    retries: %lld\n", (long long)retries);
    if (im->stick_ms && of->count > 1) mb_buf_putf(out, "    sticky: %lld\n", (long long)im->stick_ms);
}

void mb_import_write(mb_import *im, mb_buf *out) {
    mb_buf_puts(out, "version: 1\n");
    if (im->provider_count) mb_buf_puts(out, "providers:\n");
    for (size_t i = 0; i < im->provider_count; i++) put_provider(out, im->providers[i]);
    if (im->model_count) mb_buf_puts(out, "models:\n");
    for (size_t i = 0; i < im->model_count && mb_buf_ok(out); i++) put_model(im, out, im->models[i]);
}
