// SPDX-License-Identifier: MIT
// What the files of base/schema share among themselves; nobody else includes this. A run is one check of one value. Its
// frames are the schemas that are being applied, the newest first by way of parent: they are the dynamic scope, and the
// steps between them are the path of the value for a message.
#ifndef MB_BASE_SCHEMA_PARTS_H
#define MB_BASE_SCHEMA_PARTS_H

#include "base/map.h"
#include "base/schema.h"

// A schema with an identity of its own ($id), the whole document included.
typedef struct mb_schema_resource {
    struct mb_schema_resource *next;
    const char *uri; // without a fragment; "" where the document has no name
    const mb_json *schema;
    bool draft7;
} mb_schema_resource;

typedef struct mb_schema_anchor {
    struct mb_schema_anchor *next;
    const mb_schema_resource *resource;
    const mb_json *name;
    const char *text; // of the name
    const mb_json *schema;
    bool is_dynamic;
} mb_schema_anchor;

typedef struct mb_schema_run {
    mb_arena arena;
    mb_schema_resource *resources;
    const mb_schema_resource *document; // the last of them
    mb_schema_anchor *anchors;
    mb_map patterns; // of mb_pattern, by their text
    bool tracks;     // some keyword asks what others have evaluated
    mb_buf *why;
    int quiet; // inside an alternative: a failure there is no reason yet
    int depth;
    long steps;
    int fault; // 0, MEMBRANE_EINVAL or MEMBRANE_ENOMEM: the check is over
} mb_schema_run;

typedef struct mb_schema_frame {
    const struct mb_schema_frame *parent;
    const mb_schema_resource *resource;
    const mb_json *schema, *value;
    const char *key; // the value is this member of the parent's, …
    size_t key_len;
    size_t index;                                                         // … or this item, …
    enum { MB_STEP_NONE, MB_STEP_KEY, MB_STEP_NAME, MB_STEP_INDEX } step; // … or the name of the member
    unsigned char *seen; // a bit for each member or item that has been evaluated here; NULL where nobody asks
} mb_schema_frame;

typedef struct mb_schema_keyword {
    const char *name;
    enum {
        MB_SHAPE_ANY,
        MB_SHAPE_SCHEMA,  // an object or a boolean
        MB_SHAPE_SCHEMAS, // a list of them
        MB_SHAPE_EITHER,  // one or a list
        MB_SHAPE_MAP,     // an object of them
        MB_SHAPE_DEPENDS, // an object of schemas or lists of names
        MB_SHAPE_LISTS,   // an object of lists of names
        MB_SHAPE_NAMES,   // a list of texts
        MB_SHAPE_TYPES,   // a text or a list of them
        MB_SHAPE_LIST,
        MB_SHAPE_TEXT,
        MB_SHAPE_NUMBER,
        MB_SHAPE_POSITIVE, // a number above 0
        MB_SHAPE_COUNT,    // a whole number from 0
        MB_SHAPE_BOOL,
    } shape;
    enum { MB_IN_BOTH, MB_IN_7, MB_IN_2020 } draft;
    bool is_late; // needs to know what the others have evaluated
    bool (*check)(mb_schema_run *run, mb_schema_frame *f, const mb_json *keyword); // NULL: asserts nothing by itself
} mb_schema_keyword;

// schema.c
bool mb_schema_charge(mb_schema_run *run, size_t steps); // false: the work has become too much
int mb_schema_fault(mb_schema_run *run, int code, const char *format, ...) __attribute__((format(printf, 3, 4)));
// Says why a value does not fit; false, so that a check can return it. A value is added to the text as ", is …".
bool mb_schema_no(mb_schema_run *run, const mb_schema_frame *f, const mb_json *value, const char *format, ...)
    __attribute__((format(printf, 4, 5)));
bool mb_schema_here(mb_schema_run *run, mb_schema_frame *f, const mb_json *schema); // the same value, in place
bool mb_schema_enter(mb_schema_run *run, mb_schema_frame *f, const mb_schema_resource *resource, const mb_json *schema);
bool mb_schema_member(mb_schema_run *run, mb_schema_frame *f, const mb_json *schema, const mb_json *member);
bool mb_schema_item(mb_schema_run *run, mb_schema_frame *f, const mb_json *schema, size_t index);
bool mb_schema_name(mb_schema_run *run, mb_schema_frame *f, const mb_json *schema, const mb_json *member);
void mb_schema_mark(mb_schema_frame *f, size_t index);
bool mb_schema_is_marked(const mb_schema_frame *f, size_t index);
const mb_json *mb_schema_find(const mb_json *object, const char *key, size_t len);

// schema_check.c
const mb_schema_keyword *mb_schema_keyword_of(const char *name);

// schema_value.c
long double mb_schema_number(const mb_json *v); // any number, also one that fits no type
bool mb_schema_is_whole(const mb_json *v);
bool mb_schema_is_multiple(const mb_json *v, const mb_json *of);
bool mb_schema_equal(mb_schema_run *run, const mb_json *a, const mb_json *b);
bool mb_schema_are_unique(mb_schema_run *run, const mb_json *list, size_t *ret_a, size_t *ret_b);

// schema_pattern.c
void mb_schema_from_ecma(mb_buf *out, const char *regex, size_t len, const char **ret_wrong); // into PCRE2's syntax
bool mb_schema_matches(mb_schema_run *run, const char *regex, size_t regex_len, const char *text, size_t len);

// schema_ref.c
bool mb_schema_index(mb_schema_run *run, const mb_json *schema); // resources, anchors, and the keywords' shapes
bool mb_schema_has_shape(mb_schema_run *run, const mb_schema_keyword *keyword, const mb_json *v);
const mb_schema_resource *mb_schema_resource_at(const mb_schema_run *run, const mb_json *schema);
// The schema that a reference means, and the resource it stands in. NULL after a fault.
const mb_json *mb_schema_resolve(mb_schema_run *run, const mb_schema_frame *f, const mb_json *ref, bool is_dynamic,
                                 const mb_schema_resource **ret_resource);

// schema_uri.c
char *mb_schema_uri(mb_arena *arena, const char *base, const char *ref, size_t len); // RFC 3986 §5.2, no fragment

#endif
