// SPDX-License-Identifier: MIT
// Names inside a schema: one walk over all places that hold schemas finds every $id and anchor and looks at the
// keywords' shapes; references are then resolved each time they are met. Nothing outside the document is ever fetched.
#include <string.h>

#include "base/limits.h"
#include "base/schema_parts.h"

// ---- shapes --------------------------------------------------------------------------------------------------------

static bool is_schema(const mb_json *v) { return mb_json_is(v, MB_JSON_OBJECT) || mb_json_is(v, MB_JSON_BOOL); }

static bool all_of(const mb_json *v, bool (*is)(const mb_json *)) {
    for (uint32_t i = 0; i < v->count; i++)
        if (!is(&v->children[i])) return false;
    return true;
}

static bool is_text(const mb_json *v) { return v->type == MB_JSON_STRING; }
static bool is_names(const mb_json *v) { return v->type == MB_JSON_ARRAY && all_of(v, is_text); }
static bool is_names_or_schema(const mb_json *v) { return is_names(v) || is_schema(v); }
static bool is_number(const mb_json *v) { return mb_json_is_number(v) || v->type == MB_JSON_NUMTEXT; }

static bool is_type(const mb_json *v) {
    static const char TYPES[] = " null boolean integer number string array object ";
    const char *at = v->type == MB_JSON_STRING && v->len && !strchr(v->str, ' ') ? strstr(TYPES, v->str) : NULL;
    return at && at[-1] == ' ' && at[v->len] == ' ';
}

static const char *expected(const mb_schema_keyword *k, const mb_json *v) {
    bool list = v->type == MB_JSON_ARRAY, object = v->type == MB_JSON_OBJECT;
    switch (k->shape) {
    case MB_SHAPE_SCHEMA: return is_schema(v) ? NULL : "a schema";
    case MB_SHAPE_SCHEMAS: return list && v->count && all_of(v, is_schema) ? NULL : "a list of schemas";
    case MB_SHAPE_EITHER: return is_schema(v) || (list && all_of(v, is_schema)) ? NULL : "a schema";
    case MB_SHAPE_MAP: return object && all_of(v, is_schema) ? NULL : "an object of schemas";
    case MB_SHAPE_DEPENDS: return object && all_of(v, is_names_or_schema) ? NULL : "an object of schemas or name lists";
    case MB_SHAPE_LISTS: return object && all_of(v, is_names) ? NULL : "an object of name lists";
    case MB_SHAPE_NAMES: return is_names(v) ? NULL : "a list of names";
    case MB_SHAPE_TYPES:
        return is_type(v) || (list && v->count && all_of(v, is_type)) ? NULL : "a type or a list of types";
    case MB_SHAPE_LIST: return list ? NULL : "a list";
    case MB_SHAPE_TEXT: return is_text(v) ? NULL : "a text";
    case MB_SHAPE_NUMBER: return is_number(v) ? NULL : "a number";
    case MB_SHAPE_POSITIVE: return is_number(v) && mb_schema_number(v) > 0 ? NULL : "a number above 0";
    case MB_SHAPE_COUNT:
        return is_number(v) && mb_schema_is_whole(v) && mb_schema_number(v) >= 0 ? NULL : "a whole number from 0";
    case MB_SHAPE_BOOL: return v->type == MB_JSON_BOOL ? NULL : "true or false";
    default: return NULL;
    }
}

bool mb_schema_has_shape(mb_schema_run *run, const mb_schema_keyword *keyword, const mb_json *v) {
    const char *wanted = expected(keyword, v);
    if (wanted)
        mb_schema_fault(run, MEMBRANE_EINVAL, "%s must be %s, is %s", keyword->name, wanted, mb_json_type_name(v));
    return wanted == NULL;
}

// ---- the walk ------------------------------------------------------------------------------------------------------

static const struct dialect {
    const char *uri;
    bool draft7;
} DIALECTS[] = {
    {"https://json-schema.org/draft/2020-12/schema", false}, {"https://json-schema.org/draft/2019-09/schema", false},
    {"http://json-schema.org/draft-07/schema", true},        {"http://json-schema.org/draft-06/schema", true},
    {"http://json-schema.org/draft-04/schema", true},
};

static bool read_dialect(mb_schema_run *run, const mb_json *name, bool *draft7) {
    const char *text = mb_json_str(name), *colon = text ? strstr(text, "://") : NULL;
    if (!name) return true;
    for (size_t i = 0; colon && i < sizeof DIALECTS / sizeof *DIALECTS; i++) {
        const char *uri = strstr(DIALECTS[i].uri, "://");
        size_t len = strlen(uri);
        *draft7 = DIALECTS[i].draft7;
        if (strncmp(colon, uri, len) == 0 && (colon[len] == '\0' || strcmp(colon + len, "#") == 0)) return true;
    }
    return mb_schema_fault(run, MEMBRANE_EINVAL, "$schema must be draft 7 or 2020-12, is %.200s",
                           text ? text : "no text") == 0;
}

static const mb_schema_resource *add_resource(mb_schema_run *run, const char *uri, const mb_json *schema, bool draft7) {
    mb_schema_resource *r = mb_arena_zalloc(&run->arena, sizeof *r);
    if (!r || !uri) {
        mb_schema_fault(run, MEMBRANE_ENOMEM, "out of memory");
        return NULL;
    }
    *r = (mb_schema_resource){run->resources, uri, schema, draft7};
    read_dialect(run, mb_json_get(schema, "$schema"), &r->draft7);
    run->resources = r;
    if (!run->document) run->document = r;
    return run->fault ? NULL : r;
}

static bool add_anchor(mb_schema_run *run, const mb_schema_resource *resource, const mb_json *name, const char *text,
                       const mb_json *schema, bool is_dynamic) {
    mb_schema_anchor *a = mb_arena_zalloc(&run->arena, sizeof *a);
    if (!a) return mb_schema_fault(run, MEMBRANE_ENOMEM, "out of memory") == 0;
    *a = (mb_schema_anchor){run->anchors, resource, name, text, schema, is_dynamic};
    run->anchors = a;
    return true;
}

// The names that a schema gives itself. Returns the resource that it stands in.
static const mb_schema_resource *names(mb_schema_run *run, const mb_json *schema, const mb_schema_resource *in) {
    const mb_json *id = mb_json_get(schema, "$id"), *name;
    bool draft7 = in && in->draft7, is_root = !in;
    if (is_root) read_dialect(run, mb_json_get(schema, "$schema"), &draft7);
    if (draft7 && mb_json_get(schema, "$ref")) id = NULL;
    const char *text = mb_json_str(id), *hash = text ? strchr(text, '#') : NULL;
    if (is_root || (text && hash != text))
        in =
            add_resource(run, text ? mb_schema_uri(&run->arena, in ? in->uri : "", text, id->len) : "", schema, draft7);
    if (!in) return NULL;
    if (draft7 && hash && hash[1] && !add_anchor(run, in, id, hash + 1, schema, false)) return NULL;
    if (in->draft7) return in;
    if ((name = mb_json_get(schema, "$anchor")) && mb_json_str(name))
        if (!add_anchor(run, in, name, name->str, schema, false)) return NULL;
    if ((name = mb_json_get(schema, "$dynamicAnchor")) && mb_json_str(name))
        if (!add_anchor(run, in, name, name->str, schema, true)) return NULL;
    return in;
}

static bool walk(mb_schema_run *run, const mb_json *schema, const mb_schema_resource *in, int depth);

static bool walk_all(mb_schema_run *run, const mb_json *list, const mb_schema_resource *in, int depth) {
    for (uint32_t i = 0; i < list->count; i++)
        if (!walk(run, &list->children[i], in, depth)) return false;
    return true;
}

// Keywords of the other draft are not looked at: there they are only text.
static bool walk(mb_schema_run *run, const mb_json *schema, const mb_schema_resource *in, int depth) {
    if (depth > MB_LIMIT_JSON_DEPTH) return mb_schema_fault(run, MEMBRANE_EINVAL, "it is nested too deep") == 0;
    if (schema->type != MB_JSON_OBJECT) return true; // lists of names among dependencies; booleans
    if (!(in = names(run, schema, in))) return false;
    for (const mb_json *m = schema->children; m < schema->children + schema->count; m++) {
        const mb_schema_keyword *k = mb_schema_keyword_of(m->key);
        if (!k || (k->draft != MB_IN_BOTH && (k->draft == MB_IN_7) != in->draft7)) continue;
        if (!mb_schema_charge(run, 1) || !mb_schema_has_shape(run, k, m)) return false;
        run->tracks |= k->is_late;
        bool is_one = k->shape == MB_SHAPE_SCHEMA || (k->shape == MB_SHAPE_EITHER && m->type != MB_JSON_ARRAY);
        bool holds = is_one || k->shape == MB_SHAPE_SCHEMAS || k->shape == MB_SHAPE_EITHER ||
                     k->shape == MB_SHAPE_MAP || k->shape == MB_SHAPE_DEPENDS;
        if (holds && !(is_one ? walk(run, m, in, depth + 1) : walk_all(run, m, in, depth + 1))) return false;
    }
    return true;
}

bool mb_schema_index(mb_schema_run *run, const mb_json *schema) {
    if (schema->type != MB_JSON_OBJECT) return add_resource(run, "", schema, false) != NULL;
    return walk(run, schema, NULL, 0);
}

const mb_schema_resource *mb_schema_resource_at(const mb_schema_run *run, const mb_json *schema) {
    if (schema == run->document->schema) return run->document;
    if (run->resources == run->document || !mb_json_get(schema, "$id")) return NULL;
    for (const mb_schema_resource *r = run->resources; r; r = r->next)
        if (r->schema == schema) return r;
    return NULL;
}

// ---- references ----------------------------------------------------------------------------------------------------

static int hex(char c) {
    if (c >= '0' && c <= '9') return c - '0';
    c |= 0x20;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

// A fragment without its percent signs.
static char *decoded(mb_arena *arena, const char *text, size_t len, size_t *ret_len) {
    char *out = mb_arena_strndup(arena, text, len);
    size_t n = 0;
    if (!out) return NULL;
    for (size_t i = 0; i < len; i++) {
        bool escape = text[i] == '%' && i + 2 < len && hex(text[i + 1]) >= 0 && hex(text[i + 2]) >= 0;
        out[n++] = escape ? (char)(hex(text[i + 1]) << 4 | hex(text[i + 2])) : text[i];
        i += escape ? 2 : 0;
    }
    out[n] = '\0';
    *ret_len = n;
    return out;
}

// One step of a JSON pointer; the token is decoded in place.
static const mb_json *step(const mb_json *v, char *token, size_t len) {
    size_t n = 0, index = 0;
    for (size_t i = 0; i < len; i++) {
        bool escape = token[i] == '~' && i + 1 < len && (token[i + 1] == '0' || token[i + 1] == '1');
        token[n++] = escape ? (token[i + 1] == '0' ? '~' : '/') : token[i];
        i += escape;
    }
    if (v->type == MB_JSON_OBJECT) return mb_schema_find(v, token, n);
    for (size_t i = 0; i < n; i++) {
        if (token[i] < '0' || token[i] > '9' || index > 100000000) return NULL;
        index = index * 10 + (size_t)(token[i] - '0');
    }
    return n ? mb_json_at(v, index) : NULL;
}

static const mb_json *at_pointer(const mb_schema_run *run, char *pointer, size_t len, const mb_schema_resource **in) {
    const mb_json *v = (*in)->schema;
    for (size_t at = 0; v && at < len;) {
        char *token = pointer + at + 1, *end = memchr(token, '/', len - at - 1);
        size_t n = end ? (size_t)(end - token) : len - at - 1;
        v = step(v, token, n);
        const mb_schema_resource *own = v && v->type == MB_JSON_OBJECT ? mb_schema_resource_at(run, v) : NULL;
        if (own) *in = own;
        at += n + 1;
    }
    return v;
}

static const mb_schema_anchor *anchor_in(mb_schema_run *run, const mb_schema_resource *in, const char *name, size_t len,
                                         bool dynamic_only) {
    for (const mb_schema_anchor *a = run->anchors; a; a = a->next) {
        if (!mb_schema_charge(run, 1)) return NULL;
        if (a->resource == in && (a->is_dynamic || !dynamic_only) && strlen(a->text) == len &&
            memcmp(a->text, name, len) == 0)
            return a;
    }
    return NULL;
}

static const mb_schema_resource *resource_of(mb_schema_run *run, const mb_schema_resource *from, const char *ref,
                                             size_t len) {
    if (len == 0) return from;
    const char *uri = mb_schema_uri(&run->arena, from->uri, ref, len);
    if (!uri) mb_schema_fault(run, MEMBRANE_ENOMEM, "out of memory");
    for (const mb_schema_resource *r = run->resources; uri && r && mb_schema_charge(run, 1 + len / 16); r = r->next)
        if (strcmp(r->uri, uri) == 0) return r;
    return NULL;
}

// The outermost schema in force that has this dynamic anchor too.
static const mb_schema_anchor *outermost(mb_schema_run *run, const mb_schema_frame *f, const mb_schema_anchor *found) {
    size_t len = strlen(found->text);
    const mb_schema_resource *last = NULL;
    for (; f; f = f->parent) {
        const mb_schema_anchor *a = f->resource != last ? anchor_in(run, f->resource, found->text, len, true) : NULL;
        if (a) found = a;
        last = f->resource;
    }
    return found;
}

const mb_json *mb_schema_resolve(mb_schema_run *run, const mb_schema_frame *f, const mb_json *ref, bool is_dynamic,
                                 const mb_schema_resource **ret_resource) {
    const char *hash = memchr(ref->str, '#', ref->len);
    size_t before = hash ? (size_t)(hash - ref->str) : ref->len, len = 0;
    const mb_schema_resource *in = resource_of(run, f->resource, ref->str, before);
    const mb_json *found = NULL;
    if (!mb_schema_charge(run, 10 + ref->len / 8)) return NULL;
    char *fragment = in && hash ? decoded(&run->arena, hash + 1, ref->len - before - 1, &len) : NULL;
    if (in && hash && !fragment) {
        mb_schema_fault(run, MEMBRANE_ENOMEM, "out of memory");
    } else if (in && (len == 0 || *fragment == '/')) {
        found = at_pointer(run, fragment, len, &in);
    } else if (in) {
        const mb_schema_anchor *a = anchor_in(run, in, fragment, len, false);
        if (a && is_dynamic && a->is_dynamic) a = outermost(run, f, a);
        if (a) found = a->schema;
        if (a) in = a->resource;
    }
    if (!found)
        mb_schema_fault(run, MEMBRANE_EINVAL, "%.200s names nothing in it (other documents are not fetched)", ref->str);
    *ret_resource = in;
    return found;
}
