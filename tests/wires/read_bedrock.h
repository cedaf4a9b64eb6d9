// SPDX-License-Identifier: MIT
// What the readers of Bedrock's two wires share.
#ifndef TESTS_WIRES_READ_BEDROCK_H
#define TESTS_WIRES_READ_BEDROCK_H

#include "base/buf.h"
#include "read.h"

// Members of the extra_body that is written at the end.
typedef struct bedrock_extra {
    mb_buf text;
} bedrock_extra;

bedrock_extra bedrock_extra_begin(void);
void bedrock_extra_put(bedrock_extra *e, const mb_json *member);
void bedrock_extra_rest(bedrock_extra *e, const mb_json *table, const char *const *taken);
void bedrock_extra_end(bedrock_extra *e, mb_jw *out);

// The model and whether a stream is asked for, out of "/model/NAME/converse-stream".
void bedrock_path(const read_ask *ask, const char *stream);

typedef struct bedrock_names { // of a table of parameters
    const char *max_tokens, *top_p, *stop;
} bedrock_names;

extern const bedrock_names BEDROCK_CONVERSE;

void bedrock_sampling(const mb_json *table, const bedrock_names *names, mb_jw *out, bedrock_extra *extra);
bool bedrock_body(const read_ask *ask, const mb_json *body, const bedrock_names *names, mb_jw *out,
                  bedrock_extra *extra);

#endif
