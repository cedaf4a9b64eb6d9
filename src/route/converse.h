// SPDX-License-Identifier: MIT
// What the files of Amazon Bedrock's wires share. converse.c decodes the Converse API, converse_write.c writes its
// requests, converse_server.c what is said about models and tokens; invoke.c and invoke_write.c are InvokeModel, whose
// bodies are each model's own. Amazon's Nova speaks nearly the same there, so its bodies go the way of Converse.
#ifndef MB_ROUTE_CONVERSE_H
#define MB_ROUTE_CONVERSE_H

#include "route/write.h"

// ---- decoding ------------------------------------------------------------------------------------------------------

// One event of a stream by its name ("contentBlockDelta"), with what it holds. 0, 1 at the end, or negative.
int mb_converse_event(mb_decode *d, const char *name, const mb_json *v);
// A chunk of text, told from its text by repeat.h; f is learned or matched without the padding "p" that each event has.
// 1: it was one, and *ret_status says how it went.
int mb_converse_repeated(mb_decode *d, const mb_frame *f, int *ret_status);
void mb_converse_learn(mb_decode *d, const mb_frame *f, size_t text_before);
// A whole answer: {"output", "stopReason", "usage"}.
int mb_converse_body(mb_decode *d, const mb_json *root);
int mb_converse_end(mb_decode *d);
// An exception in the stream: its name stands behind "error:" in the frame's event. Always an error's code.
int mb_converse_exception(mb_decode *d, const mb_frame *f);
// Lists of models, one model, counted tokens.
int mb_converse_server_body(mb_decode *d, const char *text, size_t len);

// ---- writing -------------------------------------------------------------------------------------------------------

// Which company's model a name means, for what each has its own words for.
typedef enum {
    MB_MODEL_OTHER,   // a name that says nothing: an inference profile, an imported model
    MB_MODEL_CLAUDE,  //
    MB_MODEL_NOVA,    //
    MB_MODEL_OPENAI,  // gpt-oss
    MB_MODEL_COHERE,  //
    MB_MODEL_TITAN,   //
    MB_MODEL_WITHOUT, // of a company whose models neither cache prompts nor can be asked to think
} mb_model_family;

mb_model_family mb_model_family_of(const char *model);

int mb_converse_write(const mb_ask *ask, mb_wire *wire, membrane_error **err);
// The body's members for a Nova model behind InvokeModel.
int mb_converse_put_nova(mb_jw *w, const mb_ask *ask, membrane_error **err);
// What may be asked of a server: its models, one model, its health. The lists live on another host than inference does.
int mb_converse_server_write(const mb_ask *ask, mb_wire *wire, membrane_error **err);
// One member of a request that is a table: our members, then those of extra_body's table of that name, which win.
// begin answers whether the whole member is extra_body's (it is no table there).
bool mb_converse_begin_table(mb_jw *w, const mb_ask *ask, const char *key, const mb_json **ret_extra);
void mb_converse_end_table(mb_jw *w, const mb_json *extra);

#endif
