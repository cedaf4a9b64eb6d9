// SPDX-License-Identifier: MIT
// The public function over the metrics, and what is gathered when somebody looks.
#include "membrane/metrics.h"

#include "base/clock.h"
#include "runtime/gauges.h"
#include "runtime/handle.h"

static void gather_keys(mb_metrics_writer *w, const mb_config *config) {
    for (size_t i = 0; i < config->provider_count; i++) {
        const mb_provider *p = &config->providers[i];
        if (!p->implicit) mb_metrics_gauge(w, MB_GAUGE_KEYS, &(const char *){p->name}, (int64_t)p->key_count);
    }
}

static void gather(void *user, mb_metrics_writer *w) {
    membrane_t *m = user;
    mb_config *config = mb_handle_config(m);
    gather_keys(w, config);
    mb_config_unref(config);
    pthread_mutex_lock(&m->board_lock);
    mb_gauges_of_board(w, m->board, mb_now_ms());
    pthread_mutex_unlock(&m->board_lock);
    if (mb_money_has_rules(m->money)) mb_gauges_of_money(w, m->money, mb_wall_ms());
}

mb_metrics *mb_metrics_of(membrane_t *m) {
    mb_metrics *metrics = mb_metrics_new();
    if (metrics) mb_metrics_collect(metrics, gather, m);
    return metrics;
}

int membrane_metrics(membrane_t *m, char **ret_text, membrane_error **err) {
    mb_buf out = MB_BUF(MB_LIMIT_RESPONSE);
    if (!m || !ret_text) return mb_error_set(err, MEMBRANE_EINVAL, "membrane_metrics: an argument is NULL");
    if (mb_handle_is_forked(m)) return mb_error_set(err, MEMBRANE_EFORKED, "the handle belongs to the parent process");
    char *text = mb_metrics_text(m->metrics, &out) == 0 ? mb_buf_take(&out, NULL) : NULL;
    mb_buf_free(&out);
    if (!text) return mb_error_no_memory(err);
    *ret_text = text;
    return 0;
}
