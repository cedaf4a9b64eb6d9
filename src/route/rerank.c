// SPDX-License-Identifier: MIT
#include "route/rerank.h"

#include <math.h>
#include <stdlib.h>

#include "base/alloc.h"

int mb_rerank_write(const mb_ask *ask, mb_wire *wire, membrane_error **err) {
    const char *top_n = ask->quirks->top_n_key;
    int status = mb_write_target(ask, wire, "POST", ask->quirks->rerank_path, false, "reranking", err);
    if (status != 0) return status;
    mb_jw w = mb_jw_to(&wire->body);
    mb_jw_object(&w);
    if (ask->model && !mb_write_has_extra(ask, "model")) mb_jw_kstr(&w, "model", ask->model);
    mb_write_copy(&w, ask, "query", "query");
    mb_write_copy(&w, ask, "documents", "documents");
    mb_write_copy(&w, ask, "top_n", top_n ? top_n : "top_n");
    mb_write_extra(&w, ask, NULL);
    mb_jw_end_object(&w);
    return mb_write_done(wire, err);
}

static int better_first(const void *a, const void *b) {
    const mb_rank *x = a, *y = b;
    if (x->score != y->score) return x->score > y->score ? -1 : 1;
    return x->index < y->index ? -1 : x->index > y->index;
}

static bool take_rank(const mb_json *item, int64_t documents, mb_rank *to) {
    const mb_json *score = mb_json_get(item, "relevance_score");
    if (!score) score = mb_json_get(item, "score");
    to->index = mb_json_int(mb_json_get(item, "index"), -1);
    to->score = mb_json_double(score, NAN);
    return isfinite(to->score) && to->index >= 0 && to->index < documents;
}

int mb_rerank_read(mb_decode *d, const mb_json *root) {
    mb_turn *turn = d->turn;
    const mb_json *documents = mb_json_get(d->ask->request, "documents");
    const mb_json *list = mb_json_get(root, "results") ? mb_json_get(root, "results") : mb_json_get(root, "data");
    if (mb_json_is(root, MB_JSON_ARRAY)) list = root;
    if (!mb_json_is(list, MB_JSON_ARRAY)) return MEMBRANE_ERESPONSE;
    turn->ranks = mb_calloc(list->count + 1, sizeof *turn->ranks);
    if (!turn->ranks) return MEMBRANE_ENOMEM;
    for (uint32_t i = 0; i < list->count; i++)
        if (!take_rank(&list->children[i], documents ? documents->count : 0, &turn->ranks[i]))
            return MEMBRANE_ERESPONSE;
    turn->rank_count = list->count;
    qsort(turn->ranks, turn->rank_count, sizeof *turn->ranks, better_first);
    return 0;
}
