// SPDX-License-Identifier: MIT
#include "runtime/answer.h"

#include <string.h>

#include "base/schema.h"

// {"type":"json_schema","json_schema":{"schema":{…}}} or {"type":"json_object"}.
int mb_answer_check(membrane_call *call, membrane_error **err) {
    const mb_json *format = mb_json_get(call->request, "response_format");
    const char *type = mb_json_get_str(format, "type");
    const mb_turn *turn = mb_call_turn(call);
    if (!type || strcmp(type, "text") == 0 || turn->call_count || turn->finish == MB_FINISH_CONTENT_FILTER) return 0;
    mb_arena arena = {0};
    mb_buf why = MB_BUF(4096);
    const mb_json *value = NULL;
    membrane_error *cause = NULL;
    int code = mb_json_parse(&arena, mb_buf_text(&turn->text), turn->text.len, &value, &cause);
    if (code == MEMBRANE_ENOMEM)
        code = mb_error_no_memory(err);
    else if (code)
        code = mb_error_set(err, MEMBRANE_ESCHEMA, "the answer is no JSON%s: %s",
                            turn->finish == MB_FINISH_LENGTH ? " (it was cut at its maximum length)" : "",
                            membrane_error_message(cause));
    else if (strcmp(type, "json_schema") == 0)
        code = mb_schema_check(mb_json_path(format, "json_schema.schema"), value, &why);
    else if (value->type != MB_JSON_OBJECT)
        code = mb_error_set(err, MEMBRANE_ESCHEMA, "the answer is %s, not an object", mb_json_type_name(value));
    if (code == MEMBRANE_ESCHEMA && why.len)
        mb_error_set(err, code, "the answer does not fit the schema: %s", mb_buf_text(&why));
    else if (code == MEMBRANE_EINVAL) // a schema that cannot be used says yes to nothing
        code = mb_error_set(err, MEMBRANE_ESCHEMA, "the answer cannot be checked: the schema: %s", mb_buf_text(&why));
    else if (code == MEMBRANE_ESCHEMA && err && !*err)
        mb_error_set(err, code, "the answer does not fit the schema");
    else if (code == MEMBRANE_ENOMEM && err && !*err)
        mb_error_no_memory(err);
    membrane_error_free(cause);
    mb_buf_free(&why);
    mb_arena_free(&arena);
    return code;
}
