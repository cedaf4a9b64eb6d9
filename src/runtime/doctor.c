// SPDX-License-Identifier: MIT
// One check a line. Each failure carries the line that mends it.
#include "membrane/doctor.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/alloc.h"
#include "net/spawn.h"
#include "runtime/handle.h"
#include "runtime/result.h"

typedef enum { STATE_OK, STATE_WARN, STATE_FAIL } check_state;

typedef struct report {
    mb_jw w;
    bool has_failure;
    int answering; // providers that answered
} report;

static void put(report *r, const char *name, check_state state, const char *detail, const char *fix) {
    static const char *const states[] = {"ok", "warn", "fail"};
    mb_jw_object(&r->w);
    mb_jw_kstr(&r->w, "name", name);
    mb_jw_kstr(&r->w, "state", states[state]);
    mb_jw_kstr(&r->w, "detail", detail ? detail : "");
    if (state != STATE_OK) mb_jw_kstr_if(&r->w, "fix", fix);
    mb_jw_end_object(&r->w);
    r->has_failure |= state == STATE_FAIL;
}

static void check_library(report *r) { put(r, "library", STATE_OK, membrane_build_info(), NULL); }

static void check_config(report *r, const mb_config *config) {
    char detail[512];
    size_t read = 0, configured = 0;
    for (size_t i = 0; i < config->file_count; i++) read += strcmp(config->files[i].state, "read") == 0;
    for (size_t i = 0; i < config->provider_count; i++) configured += !config->providers[i].implicit;
    snprintf(detail, sizeof detail, "%zu files read, %zu providers, %zu logical models", read, configured,
             config->model_count);
    put(r, "configuration", STATE_OK, detail, NULL);
    for (size_t i = 0; i < config->file_count; i++)
        if (strcmp(config->files[i].state, "not trusted") == 0)
            put(r, "project configuration", STATE_WARN, config->files[i].path, "membrane config trust");
    if (config->warnings.len)
        put(r, "configuration warnings", STATE_WARN, mb_buf_text(&config->warnings), "membrane config show");
}

static void check_keys(report *r, const mb_config *config) {
    for (size_t i = 0; i < config->provider_count; i++) {
        const mb_provider *p = &config->providers[i];
        char name[MB_LIMIT_NAME + 16], fix[512];
        if (p->implicit || !p->key_missing) continue;
        const char *ref = p->key_refs && p->key_refs[0] ? p->key_refs[0] : "api_key";
        snprintf(name, sizeof name, "key of %s", p->name);
        if (strncmp(ref, "env:", 4) == 0)
            snprintf(fix, sizeof fix, "export %s=…", ref + 4);
        else
            snprintf(fix, sizeof fix, "set providers.%s.api_key", p->name);
        put(r, name, STATE_FAIL, "it is not set", fix);
    }
}

// Keys that are sealed were opened with the configuration, or there would be no handle; what else is amiss is said
// before it is needed.
static void check_ring(report *r, const membrane_t *m, const mb_config *config) {
    membrane_keys_options o;
    membrane_result *status = NULL;
    char detail[512];
    membrane_keys_options_init(&o, sizeof o);
    o.passphrase = m->options.passphrase;
    if (config->use_environment) o.flags = MEMBRANE_KEYS_ENVIRONMENT;
    if (membrane_keys_status(&o, &status, NULL) != 0) return; // no home, so no ring
    const char *state = membrane_result_str(status, "state");
    if (!state) {
        put(r, "key ring", STATE_WARN, "out of memory", NULL);
    } else if (strcmp(state, "broken") == 0) {
        put(r, "key ring", STATE_FAIL, membrane_result_str(status, "message"), membrane_result_str(status, "hint"));
    } else if (strcmp(state, "locked") == 0) {
        put(r, "key ring", STATE_WARN, "a passphrase is needed, and none is there", "set MEMBRANE_PASSPHRASE");
    } else if (strcmp(state, "ok") == 0) {
        snprintf(detail, sizeof detail, "%lld keys, sealed with a %s",
                 (long long)membrane_result_int(status, "keys", 0),
                 strcmp(membrane_result_str(status, "master"), "file") == 0 ? "key file" : "passphrase");
        put(r, "key ring", STATE_OK, detail, NULL);
    } else {
        put(r, "key ring", STATE_OK, "none (membrane keys set NAME makes one)", NULL);
    }
    membrane_result_free(status);
}

static void check_certificates(report *r, const mb_config *config) {
    static const char *const usual[] = {"/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt",
                                        "/etc/ssl/cert.pem"};
    for (size_t i = 0; i < config->provider_count; i++) {
        const mb_provider *p = &config->providers[i];
        if (p->implicit || !p->ca_file || access(p->ca_file, R_OK) == 0) continue;
        put(r, "certificates", STATE_FAIL, p->ca_file, "point ca_file or SSL_CERT_FILE to a readable file");
        return;
    }
    for (size_t i = 0; i < MB_COUNT(usual); i++) {
        if (access(usual[i], R_OK) != 0) continue;
        put(r, "certificates", STATE_OK, usual[i], NULL);
        return;
    }
    put(r, "certificates", STATE_WARN, "no bundle at the usual places: https:// may fail",
        "apt-get install ca-certificates");
}

static void check_log(report *r, membrane_t *m, const mb_config *config) {
    membrane_error *error = NULL;
    if (!config->log_path) {
        put(r, "call log", STATE_OK, "in memory (log.path keeps it)", NULL);
    } else if (mb_calls_open(m->calls, &error) == 0) {
        put(r, "call log", STATE_OK, config->log_path, NULL);
    } else {
        put(r, "call log", STATE_FAIL, membrane_error_message(error), "set log.path to a file that can be written");
    }
    membrane_error_free(error);
}

static void check_helper(report *r) {
    const char *helper = mb_spawn_helper();
    put(r, "spawn helper", helper ? STATE_OK : STATE_WARN,
        helper ? helper : "not found: child processes cannot be started",
        "install libexec/membrane/spawn, or set MEMBRANE_SPAWN_HELPER");
}

static void check_provider(report *r, const membrane_result *list, size_t i) {
    char path[64], name[MB_LIMIT_NAME + 16], detail[1024];
    snprintf(path, sizeof path, "items.%zu.probe.state", i);
    const char *state = membrane_result_str(list, path);
    if (!state) return;
    snprintf(path, sizeof path, "items.%zu.name", i);
    snprintf(name, sizeof name, "provider %s", membrane_result_str(list, path));
    snprintf(path, sizeof path, "items.%zu.base_url", i);
    const char *url = membrane_result_str(list, path);
    if (strcmp(state, "ok") == 0) {
        snprintf(path, sizeof path, "items.%zu.probe.models", i);
        snprintf(detail, sizeof detail, "%s, %lld models", url ? url : "",
                 (long long)membrane_result_int(list, path, 0));
        put(r, name, STATE_OK, detail, NULL);
        r->answering++;
        return;
    }
    snprintf(path, sizeof path, "items.%zu.probe.message", i);
    const char *message = membrane_result_str(list, path);
    snprintf(path, sizeof path, "items.%zu.probe.kind", i);
    const char *kind = membrane_result_str(list, path);
    // An engine nobody configured that is not there is no fault.
    snprintf(path, sizeof path, "items.%zu.base_url", i);
    put(r, name, STATE_WARN, message ? message : state,
        kind && strcmp(kind, "auth") == 0 ? "check the key: membrane config show"
                                          : "start the engine, or correct base_url");
}

static void check_providers(report *r, membrane_t *m, const mb_config *config, int64_t timeout_ms) {
    membrane_result *list = NULL;
    membrane_error *error = NULL;
    if (membrane_provider_list(m, 1, timeout_ms, &list, &error) != 0) {
        put(r, "providers", STATE_FAIL, membrane_error_message(error), NULL);
    } else {
        for (size_t i = 0;; i++) {
            char path[64];
            snprintf(path, sizeof path, "items.%zu.name", i);
            const char *name = membrane_result_str(list, path);
            if (!name) break;
            const mb_provider *p = mb_config_provider(config, name, strlen(name));
            snprintf(path, sizeof path, "items.%zu.probe.state", i);
            const char *state = membrane_result_str(list, path);
            if (p && p->implicit && state && strcmp(state, "ok") != 0 && p->key_count == 0) continue;
            check_provider(r, list, i);
        }
    }
    if (r->answering == 0)
        put(r, "models", STATE_WARN, "no engine answers and no key is set: only builtin/extractive is there",
            "ollama serve, or export OPENAI_API_KEY=…");
    membrane_error_free(error);
    membrane_result_free(list);
}

int membrane_doctor(membrane_t *m, int64_t timeout_ms, membrane_result **ret_result, membrane_error **err) {
    mb_buf out = MB_BUF(4 << 20);
    if (!m || !ret_result) return mb_error_set(err, MEMBRANE_EINVAL, "membrane_doctor: an argument is NULL");
    if (mb_handle_is_forked(m)) return mb_error_set(err, MEMBRANE_EFORKED, "the handle belongs to the parent process");
    mb_config *config = mb_handle_config(m);
    report r = {.w = mb_jw_to(&out)};
    mb_jw_object(&r.w);
    mb_jw_key(&r.w, "items");
    mb_jw_array(&r.w);
    check_library(&r);
    check_config(&r, config);
    check_keys(&r, config);
    check_ring(&r, m, config);
    check_certificates(&r, config);
    check_log(&r, m, config);
    check_helper(&r);
    check_providers(&r, m, config, timeout_ms);
    mb_jw_end_array(&r.w);
    mb_jw_kbool(&r.w, "ok", !r.has_failure);
    mb_jw_end_object(&r.w);
    mb_config_unref(config);
    return mb_result_from(&out, ret_result, err);
}
