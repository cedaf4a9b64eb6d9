// SPDX-License-Identifier: MIT
// The keywords, one function each, and the table of all of them. A function is asked only when its keyword has the
// shape that the table gives; it answers true for values of a kind that it does not speak of.
#include <string.h>

#include "base/alloc.h"
#include "base/schema_parts.h"

// ---- any value -----------------------------------------------------------------------------------------------------

static bool is_number(const mb_json *v) { return mb_json_is_number(v) || v->type == MB_JSON_NUMTEXT; }

static bool has_type(const mb_json *v, const mb_json *name) {
    const char *type = mb_json_str(name);
    if (!type) return false;
    if (strcmp(type, "number") == 0) return is_number(v);
    if (strcmp(type, "integer") == 0) return is_number(v) && mb_schema_is_whole(v);
    return !is_number(v) && strcmp(type, mb_json_type_name(v)) == 0;
}

static bool check_type(mb_schema_run *run, mb_schema_frame *f, const mb_json *types) {
    char names[80] = "";
    if (types->type == MB_JSON_STRING)
        return has_type(f->value, types) || mb_schema_no(run, f, f->value, "must be of type %s", types->str);
    for (uint32_t i = 0; i < types->count; i++)
        if (has_type(f->value, &types->children[i])) return true;
    for (uint32_t i = 0; i < types->count && strlen(names) < 60; i++) {
        if (i) strcat(names, " or ");
        strncat(names, mb_json_str(&types->children[i]) ? types->children[i].str : "?", 10);
    }
    return mb_schema_no(run, f, f->value, "must be of type %s", names);
}

static bool check_const(mb_schema_run *run, mb_schema_frame *f, const mb_json *value) {
    if (mb_schema_equal(run, f->value, value)) return true;
    return mb_schema_no(run, f, f->value, "must be the one value that the schema names");
}

static bool check_enum(mb_schema_run *run, mb_schema_frame *f, const mb_json *values) {
    for (uint32_t i = 0; i < values->count; i++)
        if (mb_schema_equal(run, f->value, &values->children[i])) return true;
    return mb_schema_no(run, f, f->value, "must be one of the %u values that the schema names", values->count);
}

// ---- numbers -------------------------------------------------------------------------------------------------------

static bool check_multiple(mb_schema_run *run, mb_schema_frame *f, const mb_json *n) {
    if (!is_number(f->value) || mb_schema_is_multiple(f->value, n)) return true;
    return mb_schema_no(run, f, f->value, "must be a multiple of %g", (double)mb_schema_number(n));
}

static bool check_maximum(mb_schema_run *run, mb_schema_frame *f, const mb_json *n) {
    if (!is_number(f->value) || mb_schema_number(f->value) <= mb_schema_number(n)) return true;
    return mb_schema_no(run, f, f->value, "must be at most %g", (double)mb_schema_number(n));
}

static bool check_minimum(mb_schema_run *run, mb_schema_frame *f, const mb_json *n) {
    if (!is_number(f->value) || mb_schema_number(f->value) >= mb_schema_number(n)) return true;
    return mb_schema_no(run, f, f->value, "must be at least %g", (double)mb_schema_number(n));
}

static bool check_above(mb_schema_run *run, mb_schema_frame *f, const mb_json *n) {
    if (!is_number(f->value) || mb_schema_number(f->value) > mb_schema_number(n)) return true;
    return mb_schema_no(run, f, f->value, "must be more than %g", (double)mb_schema_number(n));
}

static bool check_below(mb_schema_run *run, mb_schema_frame *f, const mb_json *n) {
    if (!is_number(f->value) || mb_schema_number(f->value) < mb_schema_number(n)) return true;
    return mb_schema_no(run, f, f->value, "must be less than %g", (double)mb_schema_number(n));
}

// ---- strings -------------------------------------------------------------------------------------------------------

static size_t characters(const mb_json *text) {
    size_t n = 0;
    for (size_t i = 0; i < text->len; i++) n += ((unsigned char)text->str[i] & 0xC0) != 0x80;
    return n;
}

static bool at_least(size_t n, const mb_json *limit) { return (long double)n >= mb_schema_number(limit); }
static bool at_most(size_t n, const mb_json *limit) { return (long double)n <= mb_schema_number(limit); }

static bool check_max_length(mb_schema_run *run, mb_schema_frame *f, const mb_json *n) {
    if (f->value->type != MB_JSON_STRING || at_most(characters(f->value), n)) return true;
    return mb_schema_no(run, f, f->value, "must be at most %g characters long", (double)mb_schema_number(n));
}

static bool check_min_length(mb_schema_run *run, mb_schema_frame *f, const mb_json *n) {
    if (f->value->type != MB_JSON_STRING || at_least(characters(f->value), n)) return true;
    return mb_schema_no(run, f, f->value, "must be at least %g characters long", (double)mb_schema_number(n));
}

static bool check_pattern(mb_schema_run *run, mb_schema_frame *f, const mb_json *pattern) {
    if (f->value->type != MB_JSON_STRING) return true;
    if (mb_schema_matches(run, pattern->str, pattern->len, f->value->str, f->value->len)) return true;
    return mb_schema_no(run, f, f->value, "must match the pattern %.200s", pattern->str);
}

// ---- arrays --------------------------------------------------------------------------------------------------------

static bool check_max_items(mb_schema_run *run, mb_schema_frame *f, const mb_json *n) {
    if (f->value->type != MB_JSON_ARRAY || at_most(f->value->count, n)) return true;
    return mb_schema_no(run, f, f->value, "must have at most %g items", (double)mb_schema_number(n));
}

static bool check_min_items(mb_schema_run *run, mb_schema_frame *f, const mb_json *n) {
    if (f->value->type != MB_JSON_ARRAY || at_least(f->value->count, n)) return true;
    return mb_schema_no(run, f, f->value, "must have at least %g items", (double)mb_schema_number(n));
}

static bool check_unique(mb_schema_run *run, mb_schema_frame *f, const mb_json *wanted) {
    size_t a = 0, b = 0;
    if (!wanted->boolean || f->value->type != MB_JSON_ARRAY || mb_schema_are_unique(run, f->value, &a, &b)) return true;
    return mb_schema_no(run, f, NULL, "items %zu and %zu must differ", a, b);
}

static bool items_from(mb_schema_run *run, mb_schema_frame *f, const mb_json *schema, size_t from) {
    for (size_t i = from; i < f->value->count; i++) {
        if (!mb_schema_item(run, f, schema, i)) return false;
        mb_schema_mark(f, i);
    }
    return true;
}

static bool items_each(mb_schema_run *run, mb_schema_frame *f, const mb_json *schemas) {
    for (size_t i = 0; i < schemas->count && i < f->value->count; i++) {
        if (!mb_schema_item(run, f, &schemas->children[i], i)) return false;
        mb_schema_mark(f, i);
    }
    return true;
}

static bool check_prefix_items(mb_schema_run *run, mb_schema_frame *f, const mb_json *schemas) {
    return f->value->type != MB_JSON_ARRAY || items_each(run, f, schemas);
}

// A list is draft 7's way to say prefixItems; schemas without $schema still have it.
static bool check_items(mb_schema_run *run, mb_schema_frame *f, const mb_json *items) {
    if (f->value->type != MB_JSON_ARRAY) return true;
    if (items->type == MB_JSON_ARRAY) return items_each(run, f, items);
    const mb_json *prefix = f->resource->draft7 ? NULL : mb_json_get(f->schema, "prefixItems");
    return items_from(run, f, items, mb_json_is(prefix, MB_JSON_ARRAY) ? prefix->count : 0);
}

static bool check_additional_items(mb_schema_run *run, mb_schema_frame *f, const mb_json *schema) {
    const mb_json *items = mb_json_get(f->schema, "items");
    if (f->value->type != MB_JSON_ARRAY || !mb_json_is(items, MB_JSON_ARRAY)) return true;
    return items_from(run, f, schema, items->count);
}

static bool check_contains(mb_schema_run *run, mb_schema_frame *f, const mb_json *schema) {
    const mb_json *min = f->resource->draft7 ? NULL : mb_json_get(f->schema, "minContains");
    const mb_json *max = f->resource->draft7 ? NULL : mb_json_get(f->schema, "maxContains");
    size_t n = 0;
    if (f->value->type != MB_JSON_ARRAY) return true;
    run->quiet++;
    for (size_t i = 0; i < f->value->count && !run->fault; i++) {
        if (!mb_schema_item(run, f, schema, i)) continue;
        n++;
        mb_schema_mark(f, i);
    }
    run->quiet--;
    if (min ? !at_least(n, min) : n == 0)
        return mb_schema_no(run, f, NULL, "only %zu items fit the schema of contains", n);
    return !max || at_most(n, max) || mb_schema_no(run, f, NULL, "too many items fit the schema of contains: %zu", n);
}

static bool check_unevaluated_items(mb_schema_run *run, mb_schema_frame *f, const mb_json *schema) {
    if (f->value->type != MB_JSON_ARRAY) return true;
    for (size_t i = 0; i < f->value->count; i++) {
        if (mb_schema_is_marked(f, i)) continue;
        if (!mb_schema_item(run, f, schema, i)) return false;
        mb_schema_mark(f, i);
    }
    return true;
}

// ---- objects -------------------------------------------------------------------------------------------------------

static bool check_max_properties(mb_schema_run *run, mb_schema_frame *f, const mb_json *n) {
    if (f->value->type != MB_JSON_OBJECT || at_most(f->value->count, n)) return true;
    return mb_schema_no(run, f, f->value, "must have at most %g members", (double)mb_schema_number(n));
}

static bool check_min_properties(mb_schema_run *run, mb_schema_frame *f, const mb_json *n) {
    if (f->value->type != MB_JSON_OBJECT || at_least(f->value->count, n)) return true;
    return mb_schema_no(run, f, f->value, "must have at least %g members", (double)mb_schema_number(n));
}

static bool has_all(mb_schema_run *run, mb_schema_frame *f, const mb_json *names, const char *because) {
    for (uint32_t i = 0; i < names->count; i++) {
        const mb_json *name = &names->children[i];
        if (!mb_schema_charge(run, f->value->count / 16 + 1)) return false;
        if (name->type != MB_JSON_STRING || mb_schema_find(f->value, name->str, name->len)) continue;
        if (because) return mb_schema_no(run, f, NULL, "\"%.100s\" is missing beside \"%.100s\"", name->str, because);
        return mb_schema_no(run, f, NULL, "\"%.100s\" is missing", name->str);
    }
    return true;
}

static bool check_required(mb_schema_run *run, mb_schema_frame *f, const mb_json *names) {
    return f->value->type != MB_JSON_OBJECT || has_all(run, f, names, NULL);
}

static bool check_properties(mb_schema_run *run, mb_schema_frame *f, const mb_json *properties) {
    if (f->value->type != MB_JSON_OBJECT) return true;
    for (size_t i = 0; i < f->value->count; i++) {
        const mb_json *m = &f->value->children[i], *schema = mb_schema_find(properties, m->key, m->key_len);
        if (!mb_schema_charge(run, properties->count / 16 + 1)) return false;
        if (!schema) continue;
        if (!mb_schema_member(run, f, schema, m)) return false;
        mb_schema_mark(f, i);
    }
    return true;
}

static bool check_pattern_properties(mb_schema_run *run, mb_schema_frame *f, const mb_json *patterns) {
    if (f->value->type != MB_JSON_OBJECT) return true;
    for (size_t i = 0; i < f->value->count; i++) {
        const mb_json *m = &f->value->children[i];
        for (const mb_json *p = patterns->children; p < patterns->children + patterns->count; p++) {
            bool matches = mb_schema_matches(run, p->key, p->key_len, m->key, m->key_len);
            if (run->fault || (matches && !mb_schema_member(run, f, p, m))) return false;
            if (matches) mb_schema_mark(f, i);
        }
    }
    return true;
}

static bool is_named(mb_schema_run *run, const mb_schema_frame *f, const mb_json *m) {
    const mb_json *properties = mb_json_get(f->schema, "properties");
    const mb_json *patterns = mb_json_get(f->schema, "patternProperties");
    if (!mb_schema_charge(run, properties ? properties->count / 16 + 1 : 1)) return true;
    if (mb_schema_find(properties, m->key, m->key_len)) return true;
    for (uint32_t i = 0; mb_json_is(patterns, MB_JSON_OBJECT) && i < patterns->count; i++) {
        const mb_json *p = &patterns->children[i];
        if (mb_schema_matches(run, p->key, p->key_len, m->key, m->key_len)) return true;
    }
    return false;
}

static bool check_additional(mb_schema_run *run, mb_schema_frame *f, const mb_json *schema) {
    if (f->value->type != MB_JSON_OBJECT) return true;
    for (size_t i = 0; i < f->value->count && !run->fault; i++) {
        if (is_named(run, f, &f->value->children[i])) continue;
        if (!mb_schema_member(run, f, schema, &f->value->children[i])) return false;
        mb_schema_mark(f, i);
    }
    return true;
}

static bool check_unevaluated(mb_schema_run *run, mb_schema_frame *f, const mb_json *schema) {
    if (f->value->type != MB_JSON_OBJECT) return true;
    for (size_t i = 0; i < f->value->count; i++) {
        if (mb_schema_is_marked(f, i)) continue;
        if (!mb_schema_member(run, f, schema, &f->value->children[i])) return false;
        mb_schema_mark(f, i);
    }
    return true;
}

static bool check_names(mb_schema_run *run, mb_schema_frame *f, const mb_json *schema) {
    if (f->value->type != MB_JSON_OBJECT) return true;
    for (uint32_t i = 0; i < f->value->count; i++)
        if (!mb_schema_name(run, f, schema, &f->value->children[i])) return false;
    return true;
}

// dependencies, and the two keywords that it has become: each member speaks if the object has one of its name.
static bool check_dependencies(mb_schema_run *run, mb_schema_frame *f, const mb_json *dependencies) {
    if (f->value->type != MB_JSON_OBJECT) return true;
    for (const mb_json *d = dependencies->children; d < dependencies->children + dependencies->count; d++) {
        if (!mb_schema_charge(run, f->value->count / 16 + 1)) return false;
        if (!mb_schema_find(f->value, d->key, d->key_len)) continue;
        if (d->type == MB_JSON_ARRAY ? !has_all(run, f, d, d->key) : !mb_schema_here(run, f, d)) return false;
    }
    return true;
}

// ---- schemas in place ----------------------------------------------------------------------------------------------

static bool check_all(mb_schema_run *run, mb_schema_frame *f, const mb_json *schemas) {
    for (uint32_t i = 0; i < schemas->count; i++)
        if (!mb_schema_here(run, f, &schemas->children[i])) return false;
    return true;
}

// How many fit; stops at `enough` unless somebody wants to know what each has evaluated.
static size_t fitting(mb_schema_run *run, mb_schema_frame *f, const mb_json *schemas, size_t enough) {
    size_t n = 0;
    run->quiet++;
    for (uint32_t i = 0; i < schemas->count && !run->fault && (n < enough || run->tracks); i++)
        n += mb_schema_here(run, f, &schemas->children[i]);
    run->quiet--;
    return n;
}

static bool check_any(mb_schema_run *run, mb_schema_frame *f, const mb_json *schemas) {
    if (fitting(run, f, schemas, 1) > 0) return true;
    return mb_schema_no(run, f, f->value, "must fit one of the %u schemas of anyOf", schemas->count);
}

static bool check_one(mb_schema_run *run, mb_schema_frame *f, const mb_json *schemas) {
    size_t n = fitting(run, f, schemas, 2);
    if (n == 1) return true;
    return mb_schema_no(run, f, f->value, "must fit exactly one of the %u schemas of oneOf, fits %s", schemas->count,
                        n ? "several" : "none");
}

static bool fits_quietly(mb_schema_run *run, mb_schema_frame *f, const mb_json *schema) {
    run->quiet++;
    bool ok = mb_schema_here(run, f, schema);
    run->quiet--;
    return ok;
}

static bool check_not(mb_schema_run *run, mb_schema_frame *f, const mb_json *schema) {
    return !fits_quietly(run, f, schema) || mb_schema_no(run, f, f->value, "must not fit the schema of not");
}

static bool check_if(mb_schema_run *run, mb_schema_frame *f, const mb_json *schema) {
    bool ok = fits_quietly(run, f, schema);
    const mb_json *next = mb_json_get(f->schema, ok ? "then" : "else");
    return !next || mb_schema_here(run, f, next);
}

static bool follow(mb_schema_run *run, mb_schema_frame *f, const mb_json *ref, bool is_dynamic) {
    const mb_schema_resource *resource = NULL;
    const mb_json *schema = mb_schema_resolve(run, f, ref, is_dynamic, &resource);
    return schema && mb_schema_enter(run, f, resource, schema);
}

static bool check_ref(mb_schema_run *run, mb_schema_frame *f, const mb_json *ref) { return follow(run, f, ref, false); }

static bool check_dynamic_ref(mb_schema_run *run, mb_schema_frame *f, const mb_json *ref) {
    return follow(run, f, ref, true);
}

// $recursiveRef and friends: what asserts something and is not known here must not pass for fulfilled.
static bool check_foreign(mb_schema_run *run, mb_schema_frame *f, const mb_json *keyword) {
    (void)f;
    return mb_schema_fault(run, MEMBRANE_EINVAL, "\"%s\" is no keyword of draft 7 or 2020-12", keyword->key) == 0;
}

// ---- the table, sorted by name -------------------------------------------------------------------------------------

// clang-format off
static const mb_schema_keyword KEYWORDS[] = {
    {"$anchor",               MB_SHAPE_TEXT,     MB_IN_2020, false, NULL},
    {"$defs",                 MB_SHAPE_MAP,      MB_IN_BOTH, false, NULL},
    {"$dynamicAnchor",        MB_SHAPE_TEXT,     MB_IN_2020, false, NULL},
    {"$dynamicRef",           MB_SHAPE_TEXT,     MB_IN_2020, false, check_dynamic_ref},
    {"$id",                   MB_SHAPE_TEXT,     MB_IN_BOTH, false, NULL},
    {"$recursiveRef",         MB_SHAPE_ANY,      MB_IN_BOTH, false, check_foreign},
    {"$ref",                  MB_SHAPE_TEXT,     MB_IN_BOTH, false, check_ref},
    {"$schema",               MB_SHAPE_TEXT,     MB_IN_BOTH, false, NULL},
    {"additionalItems",       MB_SHAPE_SCHEMA,   MB_IN_BOTH, false, check_additional_items},
    {"additionalProperties",  MB_SHAPE_SCHEMA,   MB_IN_BOTH, false, check_additional},
    {"allOf",                 MB_SHAPE_SCHEMAS,  MB_IN_BOTH, false, check_all},
    {"anyOf",                 MB_SHAPE_SCHEMAS,  MB_IN_BOTH, false, check_any},
    {"const",                 MB_SHAPE_ANY,      MB_IN_BOTH, false, check_const},
    {"contains",              MB_SHAPE_SCHEMA,   MB_IN_BOTH, false, check_contains},
    {"definitions",           MB_SHAPE_MAP,      MB_IN_BOTH, false, NULL},
    {"dependencies",          MB_SHAPE_DEPENDS,  MB_IN_BOTH, false, check_dependencies},
    {"dependentRequired",     MB_SHAPE_LISTS,    MB_IN_2020, false, check_dependencies},
    {"dependentSchemas",      MB_SHAPE_MAP,      MB_IN_2020, false, check_dependencies},
    {"disallow",              MB_SHAPE_ANY,      MB_IN_BOTH, false, check_foreign},
    {"divisibleBy",           MB_SHAPE_ANY,      MB_IN_BOTH, false, check_foreign},
    {"else",                  MB_SHAPE_SCHEMA,   MB_IN_BOTH, false, NULL},
    {"enum",                  MB_SHAPE_LIST,     MB_IN_BOTH, false, check_enum},
    {"exclusiveMaximum",      MB_SHAPE_NUMBER,   MB_IN_BOTH, false, check_below},
    {"exclusiveMinimum",      MB_SHAPE_NUMBER,   MB_IN_BOTH, false, check_above},
    {"if",                    MB_SHAPE_SCHEMA,   MB_IN_BOTH, false, check_if},
    {"items",                 MB_SHAPE_EITHER,   MB_IN_BOTH, false, check_items},
    {"maxContains",           MB_SHAPE_COUNT,    MB_IN_2020, false, NULL},
    {"maxItems",              MB_SHAPE_COUNT,    MB_IN_BOTH, false, check_max_items},
    {"maxLength",             MB_SHAPE_COUNT,    MB_IN_BOTH, false, check_max_length},
    {"maxProperties",         MB_SHAPE_COUNT,    MB_IN_BOTH, false, check_max_properties},
    {"maximum",               MB_SHAPE_NUMBER,   MB_IN_BOTH, false, check_maximum},
    {"minContains",           MB_SHAPE_COUNT,    MB_IN_2020, false, NULL},
    {"minItems",              MB_SHAPE_COUNT,    MB_IN_BOTH, false, check_min_items},
    {"minLength",             MB_SHAPE_COUNT,    MB_IN_BOTH, false, check_min_length},
    {"minProperties",         MB_SHAPE_COUNT,    MB_IN_BOTH, false, check_min_properties},
    {"minimum",               MB_SHAPE_NUMBER,   MB_IN_BOTH, false, check_minimum},
    {"multipleOf",            MB_SHAPE_POSITIVE, MB_IN_BOTH, false, check_multiple},
    {"not",                   MB_SHAPE_SCHEMA,   MB_IN_BOTH, false, check_not},
    {"oneOf",                 MB_SHAPE_SCHEMAS,  MB_IN_BOTH, false, check_one},
    {"pattern",               MB_SHAPE_TEXT,     MB_IN_BOTH, false, check_pattern},
    {"patternProperties",     MB_SHAPE_MAP,      MB_IN_BOTH, false, check_pattern_properties},
    {"prefixItems",           MB_SHAPE_SCHEMAS,  MB_IN_2020, false, check_prefix_items},
    {"properties",            MB_SHAPE_MAP,      MB_IN_BOTH, false, check_properties},
    {"propertyNames",         MB_SHAPE_SCHEMA,   MB_IN_BOTH, false, check_names},
    {"required",              MB_SHAPE_NAMES,    MB_IN_BOTH, false, check_required},
    {"then",                  MB_SHAPE_SCHEMA,   MB_IN_BOTH, false, NULL},
    {"type",                  MB_SHAPE_TYPES,    MB_IN_BOTH, false, check_type},
    {"unevaluatedItems",      MB_SHAPE_SCHEMA,   MB_IN_2020, true,  check_unevaluated_items},
    {"unevaluatedProperties", MB_SHAPE_SCHEMA,   MB_IN_2020, true,  check_unevaluated},
    {"uniqueItems",           MB_SHAPE_BOOL,     MB_IN_BOTH, false, check_unique},
};
// clang-format on

const mb_schema_keyword *mb_schema_keyword_of(const char *name) {
    size_t low = 0, high = MB_COUNT(KEYWORDS);
    while (low < high) {
        size_t middle = (low + high) / 2;
        int order = strcmp(name, KEYWORDS[middle].name);
        if (order == 0) return &KEYWORDS[middle];
        if (order < 0)
            high = middle;
        else
            low = middle + 1;
    }
    return NULL;
}
