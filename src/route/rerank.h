// SPDX-License-Identifier: MIT
// Reranking, which all servers that have it do in nearly the same words.
#ifndef MB_ROUTE_RERANK_H
#define MB_ROUTE_RERANK_H

#include "route/write.h"

// {"model", "query", "documents", "top_n"}; the last one under the row's top_n_key.
int mb_rerank_write(const mb_ask *ask, mb_wire *wire, membrane_error **err);
// [{"index", "relevance_score" or "score"}], at the top, under "results" or under "data": into turn->ranks, best first.
// 0, MEMBRANE_ENOMEM, MEMBRANE_ERESPONSE (also for a place that no document of the request has).
int mb_rerank_read(mb_decode *d, const mb_json *root);

#endif
