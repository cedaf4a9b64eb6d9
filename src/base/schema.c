// SPDX-License-Identifier: MIT
// Applying schemas to values: a schema is an object whose keywords are asked one after another (schema_check.c has the
// table), those that want to know what the others have evaluated last. A step counter bounds the work and a depth
// counter the recursion, whatever the schema and the value are.
#include "base/schema.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "base/pattern.h"
#include "base/schema_parts.h"
#include "base/utf8.h"

enum {
    MAX_STEPS = 30 * 1000 * 1000, // about a second
    MAX_DEPTH = 600,              // schemas inside one another; an answer's own depth is 128
    MAX_SHOWN = 60,               // bytes of a value in a message
};

// ---- bounds and reasons --------------------------------------------------------------------------------------------

bool mb_schema_charge(mb_schema_run *run, size_t steps) {
    if (steps > MAX_STEPS || (run->steps += (long)steps) > MAX_STEPS)
        mb_schema_fault(run, MEMBRANE_EINVAL, "checking takes too many steps");
    return run->fault == 0;
}

int mb_schema_fault(mb_schema_run *run, int code, const char *format, ...) {
    if (run->fault) return run->fault;
    run->fault = code;
    if (!run->why) return code;
    va_list args;
    va_start(args, format);
    mb_buf_reset(run->why);
    mb_buf_puts(run->why, "schema: ");
    mb_buf_vputf(run->why, format, args);
    va_end(args);
    return code;
}

// A JSON pointer, from the outermost step inwards. Frames are at most MAX_DEPTH deep.
static void put_path(mb_buf *out, const mb_schema_frame *f) {
    if (!f) return;
    put_path(out, f->parent);
    if (f->step == MB_STEP_INDEX) mb_buf_putf(out, "/%zu", f->index);
    if (f->step != MB_STEP_KEY && f->step != MB_STEP_NAME) return;
    mb_buf_putc(out, '/');
    for (size_t i = 0; i < f->key_len; i++) {
        if (f->key[i] == '~' || f->key[i] == '/')
            mb_buf_puts(out, f->key[i] == '~' ? "~0" : "~1");
        else
            mb_buf_putc(out, f->key[i]);
    }
}

static void put_value(mb_buf *out, const mb_json *v) {
    mb_buf text = MB_BUF(4096);
    mb_jw w = mb_jw_to(&text);
    if (v->type == MB_JSON_ARRAY || v->type == MB_JSON_OBJECT) {
        mb_buf_putf(out, v->type == MB_JSON_ARRAY ? "an array of %u" : "an object of %u", v->count);
        return;
    }
    if (v->type == MB_JSON_STRING && v->len > MAX_SHOWN) {
        mb_jw_strn(&w, v->str, mb_utf8_prefix(v->str, v->len, MAX_SHOWN));
        mb_buf_puts(&text, "…");
    } else {
        mb_jw_value(&w, v);
    }
    mb_buf_put(out, mb_buf_text(&text), text.len);
    mb_buf_free(&text);
}

bool mb_schema_no(mb_schema_run *run, const mb_schema_frame *f, const mb_json *value, const char *format, ...) {
    va_list args;
    if (!run->why || run->quiet || run->fault || run->why->len) return false;
    put_path(run->why, f);
    if (run->why->len) mb_buf_puts(run->why, ": ");
    va_start(args, format);
    mb_buf_vputf(run->why, format, args);
    va_end(args);
    if (value) mb_buf_puts(run->why, ", is ");
    if (value) put_value(run->why, value);
    return false;
}

// ---- what has been evaluated ---------------------------------------------------------------------------------------

static size_t children(const mb_json *v) {
    return v->type == MB_JSON_ARRAY || v->type == MB_JSON_OBJECT ? v->count : 0;
}

void mb_schema_mark(mb_schema_frame *f, size_t index) {
    if (f->seen) f->seen[index / 8] |= (unsigned char)(1u << index % 8);
}

bool mb_schema_is_marked(const mb_schema_frame *f, size_t index) {
    return f->seen && f->seen[index / 8] >> index % 8 & 1;
}

static bool begin_marks(mb_schema_run *run, mb_schema_frame *f) {
    size_t bytes = (children(f->value) + 7) / 8;
    if (!run->tracks || bytes == 0) return true;
    if (!mb_schema_charge(run, bytes / 64)) return false;
    f->seen = mb_calloc(bytes, 1);
    return f->seen || mb_schema_fault(run, MEMBRANE_ENOMEM, "out of memory") == 0;
}

// What fitted in place counts for the schema around it too.
static void end_marks(mb_schema_frame *f, bool fits) {
    const mb_schema_frame *up = f->parent;
    size_t bytes = (children(f->value) + 7) / 8;
    if (f->seen && fits && f->step == MB_STEP_NONE && up && up->seen)
        for (size_t i = 0; i < bytes; i++) up->seen[i] |= f->seen[i];
    mb_free(f->seen);
}

// ---- one schema ----------------------------------------------------------------------------------------------------

static bool is_for(const mb_schema_keyword *k, bool draft7) {
    return k->draft == MB_IN_BOTH || (k->draft == MB_IN_7) == draft7;
}

static bool every_keyword(mb_schema_run *run, mb_schema_frame *f, bool late) {
    for (const mb_json *m = f->schema->children, *end = m + f->schema->count; m < end; m++) {
        const mb_schema_keyword *k = mb_schema_keyword_of(m->key);
        if (!mb_schema_charge(run, 1)) return false;
        if (!k || !k->check || k->is_late != late || !is_for(k, f->resource->draft7)) continue;
        if (!mb_schema_has_shape(run, k, m) || !k->check(run, f, m)) return false;
    }
    return true;
}

static bool keywords(mb_schema_run *run, mb_schema_frame *f) {
    const mb_json *ref = f->resource->draft7 ? mb_json_get(f->schema, "$ref") : NULL;
    if (ref) return mb_schema_keyword_of("$ref")->check(run, f, ref); // draft 7: what stands beside it does not count
    if (!every_keyword(run, f, false)) return false;
    return !run->tracks || every_keyword(run, f, true);
}

static bool fits(mb_schema_run *run, mb_schema_frame *f) {
    const mb_json *schema = f->schema;
    if (!mb_schema_charge(run, 1)) return false;
    if (mb_json_is(schema, MB_JSON_BOOL))
        return schema->boolean || mb_schema_no(run, f, f->value, "nothing is allowed here");
    if (!mb_json_is(schema, MB_JSON_OBJECT))
        return mb_schema_fault(run, MEMBRANE_EINVAL, "a schema must be an object or a boolean, is %s",
                               mb_json_type_name(schema)) == 0;
    if (run->depth == MAX_DEPTH)
        return mb_schema_fault(run, MEMBRANE_EINVAL, "more than %d schemas inside one another", MAX_DEPTH) == 0;
    const mb_schema_resource *own = mb_schema_resource_at(run, schema);
    if (own) f->resource = own;
    if (!begin_marks(run, f)) return false;
    run->depth++;
    bool ok = keywords(run, f) && !run->fault;
    run->depth--;
    end_marks(f, ok);
    return ok;
}

bool mb_schema_enter(mb_schema_run *run, mb_schema_frame *f, const mb_schema_resource *resource,
                     const mb_json *schema) {
    mb_schema_frame inner = {.parent = f, .resource = resource, .schema = schema, .value = f->value};
    return fits(run, &inner);
}

bool mb_schema_here(mb_schema_run *run, mb_schema_frame *f, const mb_json *schema) {
    return mb_schema_enter(run, f, f->resource, schema);
}

bool mb_schema_member(mb_schema_run *run, mb_schema_frame *f, const mb_json *schema, const mb_json *member) {
    mb_schema_frame inner = {.parent = f,
                             .resource = f->resource,
                             .schema = schema,
                             .value = member,
                             .key = member->key,
                             .key_len = member->key_len,
                             .step = MB_STEP_KEY};
    return fits(run, &inner);
}

bool mb_schema_item(mb_schema_run *run, mb_schema_frame *f, const mb_json *schema, size_t index) {
    mb_schema_frame inner = {.parent = f,
                             .resource = f->resource,
                             .schema = schema,
                             .value = &f->value->children[index],
                             .index = index,
                             .step = MB_STEP_INDEX};
    return fits(run, &inner);
}

bool mb_schema_name(mb_schema_run *run, mb_schema_frame *f, const mb_json *schema, const mb_json *member) {
    mb_json name = {.type = MB_JSON_STRING, .str = member->key, .len = member->key_len};
    mb_schema_frame inner = {.parent = f,
                             .resource = f->resource,
                             .schema = schema,
                             .value = &name,
                             .key = member->key,
                             .key_len = member->key_len,
                             .step = MB_STEP_NAME};
    return fits(run, &inner);
}

const mb_json *mb_schema_find(const mb_json *object, const char *key, size_t len) {
    if (!mb_json_is(object, MB_JSON_OBJECT)) return NULL;
    for (const mb_json *m = object->children + object->count; m-- > object->children;)
        if (m->key_len == len && memcmp(m->key, key, len) == 0) return m;
    return NULL;
}

// ---- a whole check -------------------------------------------------------------------------------------------------

static void end(mb_schema_run *run) {
    const char *text;
    void *pattern;
    for (size_t at = 0; mb_map_each(&run->patterns, &at, &text, &pattern);) mb_pattern_free(pattern);
    mb_map_free(&run->patterns);
    mb_arena_free(&run->arena);
}

int mb_schema_check(const mb_json *schema, const mb_json *value, mb_buf *why) {
    mb_schema_run run = {.why = why};
    bool ok = true;
    if (!schema) return 0;
    if (why) mb_buf_reset(why);
    if (mb_schema_index(&run, schema)) {
        mb_schema_frame f = {.resource = mb_schema_resource_at(&run, schema), .schema = schema, .value = value};
        ok = fits(&run, &f);
    }
    end(&run);
    return run.fault ? run.fault : ok ? 0 : MEMBRANE_ESCHEMA;
}
