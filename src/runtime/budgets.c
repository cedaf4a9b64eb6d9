// SPDX-License-Identifier: MIT
// The public functions over budgets.
#include "base/clock.h"
#include "membrane/budget.h"
#include "runtime/handle.h"
#include "runtime/money.h"
#include "runtime/result.h"

static int refuse(const membrane_t *m, bool is_whole, const char *name, membrane_error **err) {
    if (!m || !is_whole) return mb_error_set(err, MEMBRANE_EINVAL, "%s: an argument is NULL", name);
    if (mb_handle_is_forked(m)) return mb_error_set(err, MEMBRANE_EFORKED, "the handle belongs to the parent process");
    return 0;
}

int membrane_budget_list(membrane_t *m, membrane_result **ret_result, membrane_error **err) {
    mb_buf out = MB_BUF(MB_LIMIT_RESPONSE);
    int code = refuse(m, ret_result != NULL, "membrane_budget_list", err);
    if (code) return code;
    code = mb_money_list(m->money, mb_wall_ms(), &out, err);
    if (code == 0) return mb_result_from(&out, ret_result, err);
    mb_buf_free(&out);
    return code;
}

int membrane_budget_set(membrane_t *m, const char *scope, const char *match, const char *period, int64_t usd_micros,
                        membrane_error **err) {
    int code = refuse(m, scope && period, "membrane_budget_set", err);
    return code ? code : mb_money_set(m->money, scope, match, period, usd_micros, err);
}

int membrane_budget_remove(membrane_t *m, const char *scope, const char *match, const char *period,
                           membrane_error **err) {
    int code = refuse(m, scope && period, "membrane_budget_remove", err);
    return code ? code : mb_money_remove(m->money, scope, match, period, err);
}
