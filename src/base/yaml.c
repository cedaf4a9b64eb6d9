// SPDX-License-Identifier: MIT
// libyaml's events into our tree. Finished values wait on a stack; when a container ends, its values move from the top
// of the stack into one block of the arena and the container itself takes their place:
//
//     values   … | key: v | key: v | key: v |   ──end of mapping──▶   … | {…}
//                └── the open container's ──┘
// Aliases share the anchored value's children, so they cost nothing here; but whoever walks the tree meets them again,
// which is why nodes are counted as they are walked.
#include "base/yaml.h"

#include <stdio.h>
#include <string.h>
#include <yaml.h>

#include "base/alloc.h"
#include "base/json_parts.h"
#include "base/limits.h"
#include "base/map.h"

typedef struct level { // an open container
    size_t first;      // of its values
    size_t nodes;      // how many there were before it
    uint32_t height;   // of its highest child
    bool is_mapping;
    const char *anchor;
    const char *key; // a key that waits for its value
    size_t key_len;
    uint32_t key_line;
    mb_json self; // its own key, type and line
} level;

typedef struct anchor {
    const char *name;
    mb_json value;
    size_t nodes;
    uint32_t height;
} anchor;

typedef struct loader {
    yaml_parser_t yaml;
    mb_arena *arena;
    const char *name, *text;
    size_t len;
    membrane_error **err;
    mb_json *values;
    size_t count, room;
    anchor *anchors;
    size_t anchor_count, anchor_room;
    size_t nodes;  // as a walker would meet them
    uint32_t line; // of the event at hand
    int depth;
    level levels[MB_LIMIT_JSON_DEPTH];
} loader;

static int fail(loader *l, size_t line, const char *what) {
    return mb_error_set(l->err, MEMBRANE_ECONFIG, "%s:%zu: %s", l->name, line, what);
}

// ---- values --------------------------------------------------------------------------------------------------------

static bool make_room(void **items, size_t *room, size_t count, size_t size) {
    if (count < *room) return true;
    size_t wanted = *room ? *room * 2 : 32;
    void *more = mb_realloc(*items, wanted * size);
    if (!more) return false;
    *items = more;
    *room = wanted;
    return true;
}

static int remember(loader *l, const char *name, const mb_json *value, size_t nodes, uint32_t height) {
    if (!name) return 0;
    if (!make_room((void **)&l->anchors, &l->anchor_room, l->anchor_count, sizeof *l->anchors))
        return mb_error_no_memory(l->err);
    l->anchors[l->anchor_count++] = (anchor){name, *value, nodes, height};
    return 0;
}

// The finished value becomes a child of the open container.
static int push(loader *l, mb_json value, uint32_t height) {
    level *in = l->depth ? &l->levels[l->depth - 1] : NULL;
    if (!make_room((void **)&l->values, &l->room, l->count, sizeof *l->values)) return mb_error_no_memory(l->err);
    value.key = in && in->is_mapping ? in->key : NULL;
    value.key_len = value.key ? (uint32_t)in->key_len : 0;
    if (value.key) value.line = in->key_line; // a member stands where its key does
    if (in) {
        in->key = NULL;
        if (height > in->height) in->height = height;
    }
    l->values[l->count++] = value;
    return 0;
}

static int count_nodes(loader *l, size_t more) {
    l->nodes += more;
    return l->nodes > MB_LIMIT_YAML_NODES ? fail(l, l->line, "more values than a configuration may hold") : 0;
}

// ---- scalars -------------------------------------------------------------------------------------------------------

static const struct {
    const char *text;
    mb_json_type type;
    bool value;
} WORDS[] = {
    {"", MB_JSON_NULL, 0},          {"~", MB_JSON_NULL, 0},         {"null", MB_JSON_NULL, 0},
    {"Null", MB_JSON_NULL, 0},      {"NULL", MB_JSON_NULL, 0},      {"true", MB_JSON_BOOL, true},
    {"True", MB_JSON_BOOL, true},   {"TRUE", MB_JSON_BOOL, true},   {"false", MB_JSON_BOOL, false},
    {"False", MB_JSON_BOOL, false}, {"FALSE", MB_JSON_BOOL, false},
};

// What a plain scalar means; a string where it means nothing else. The text has a NUL behind it.
static void resolve(mb_json *v, const char *text, size_t len) {
    for (size_t i = 0; i < MB_COUNT(WORDS); i++) {
        if (strlen(WORDS[i].text) != len || memcmp(WORDS[i].text, text, len) != 0) continue;
        v->type = WORDS[i].type;
        v->boolean = WORDS[i].value;
        return;
    }
    if (mb_json_number(text, len, v)) return;
    v->type = MB_JSON_STRING;
    v->str = text;
    v->len = len;
}

static const struct {
    const char *tag;
    unsigned types; // one bit for each mb_json_type that it may stand before
} TAGS[] = {
    {YAML_NULL_TAG, 1u << MB_JSON_NULL},
    {YAML_BOOL_TAG, 1u << MB_JSON_BOOL},
    {YAML_INT_TAG, 1u << MB_JSON_INT | 1u << MB_JSON_UINT | 1u << MB_JSON_NUMTEXT},
    {YAML_FLOAT_TAG, 1u << MB_JSON_INT | 1u << MB_JSON_UINT | 1u << MB_JSON_DOUBLE | 1u << MB_JSON_NUMTEXT},
    {YAML_STR_TAG, 1u << MB_JSON_STRING},
    {YAML_SEQ_TAG, 1u << MB_JSON_ARRAY},
    {YAML_MAP_TAG, 1u << MB_JSON_OBJECT},
};

static int check_tag(loader *l, const char *tag, const mb_json *v) {
    for (size_t i = 0; tag && i < MB_COUNT(TAGS); i++)
        if (strcmp(tag, TAGS[i].tag) == 0 && TAGS[i].types & 1u << v->type) return 0;
    if (!tag || strcmp(tag, "!") == 0) return 0;
    return mb_error_set(l->err, MEMBRANE_ECONFIG, "%s:%u: the tag '%s' is not known here", l->name, l->line, tag);
}

static int on_scalar(loader *l, const yaml_event_t *e) {
    const char *tag = (const char *)e->data.scalar.tag, *name = (const char *)e->data.scalar.anchor;
    size_t len = e->data.scalar.length;
    char *text = mb_arena_strndup(l->arena, (const char *)e->data.scalar.value, len);
    level *in = l->depth ? &l->levels[l->depth - 1] : NULL;
    mb_json v = {.type = MB_JSON_STRING, .line = l->line, .str = text, .len = len};
    if (!text || (name && !(name = mb_arena_strdup(l->arena, name)))) return mb_error_no_memory(l->err);
    bool is_text = tag && (strcmp(tag, YAML_STR_TAG) == 0 || strcmp(tag, "!") == 0);
    if (e->data.scalar.style == YAML_PLAIN_SCALAR_STYLE || tag) {
        if (!is_text) resolve(&v, text, len);
    }
    int status = check_tag(l, tag, &v);
    if (status == 0) status = count_nodes(l, 1);
    if (status == 0) status = remember(l, name, &v, 1, 0);
    if (status != 0) return status;
    if (!in || !in->is_mapping || in->key) return push(l, v, 0);
    in->key = text; // keys are text, whatever they look like
    in->key_len = len;
    in->key_line = l->line;
    return 0;
}

// ---- containers ----------------------------------------------------------------------------------------------------

static int needs_text_key(loader *l) {
    level *in = l->depth ? &l->levels[l->depth - 1] : NULL;
    return in && in->is_mapping && !in->key ? fail(l, l->line, "a key must be text") : 0;
}

static int on_start(loader *l, bool is_mapping, const char *tag, const char *name) {
    int status = needs_text_key(l);
    if (status == 0 && l->depth == MB_LIMIT_JSON_DEPTH) status = fail(l, l->line, "too many levels of nesting");
    if (status == 0) status = count_nodes(l, 1);
    if (status != 0) return status;
    if (name && !(name = mb_arena_strdup(l->arena, name))) return mb_error_no_memory(l->err);
    level *in = &l->levels[l->depth++];
    *in = (level){.first = l->count, .nodes = l->nodes - 1, .is_mapping = is_mapping, .anchor = name};
    in->self.type = is_mapping ? MB_JSON_OBJECT : MB_JSON_ARRAY;
    in->self.line = l->line;
    return check_tag(l, tag, &in->self);
}

static int repeated(loader *l, const mb_json *member) {
    return mb_error_set(l->err, MEMBRANE_ECONFIG, "%s:%u: the key '%s' stands twice", l->name, member->line,
                        member->key);
}

static int check_keys(loader *l, const mb_json *members, size_t count) {
    mb_map seen = {0};
    int status = 0;
    for (size_t i = 0; i < count && status == 0; i++) {
        if (strlen(members[i].key) != members[i].key_len)
            status = fail(l, members[i].line, "a key holds a NUL");
        else if (mb_map_has(&seen, members[i].key))
            status = repeated(l, &members[i]);
        else if (!mb_map_put(&seen, members[i].key, l))
            status = mb_error_no_memory(l->err);
    }
    mb_map_free(&seen);
    return status;
}

static int on_end(loader *l) {
    level *in = &l->levels[l->depth - 1];
    size_t count = l->count - in->first;
    mb_json self = in->self, *own = count ? &l->values[in->first] : NULL;
    int status = in->is_mapping ? check_keys(l, own, count) : 0;
    if (status != 0) return status;
    mb_json *children = mb_arena_alloc(l->arena, count * sizeof *children); // below the limit on nodes: no overflow
    if (!children) return mb_error_no_memory(l->err);
    if (count) memcpy(children, own, count * sizeof *children);
    self.count = (uint32_t)count;
    self.children = children;
    l->count = in->first;
    l->depth--;
    status = remember(l, in->anchor, &self, l->nodes - in->nodes, in->height + 1);
    return status != 0 ? status : push(l, self, in->height + 1);
}

static int on_alias(loader *l, const char *name) {
    int status = needs_text_key(l);
    if (status != 0) return status;
    for (size_t i = l->anchor_count; i-- > 0;) {
        const anchor *a = &l->anchors[i];
        if (strcmp(a->name, name) != 0) continue; // the last one of that name counts
        if (l->depth + a->height > MB_LIMIT_JSON_DEPTH) return fail(l, l->line, "too many levels of nesting");
        status = count_nodes(l, a->nodes);
        return status != 0 ? status : push(l, a->value, a->height);
    }
    return mb_error_set(l->err, MEMBRANE_ECONFIG, "%s:%u: nothing before this has the anchor '%s'", l->name, l->line,
                        name);
}

// ---- the stream ----------------------------------------------------------------------------------------------------

static int syntax_error(loader *l) {
    const yaml_parser_t *y = &l->yaml;
    size_t line = y->problem_mark.line + 1;
    if (y->error == YAML_MEMORY_ERROR) return mb_error_no_memory(l->err);
    if (y->error == YAML_READER_ERROR) { // knows the byte only
        line = 1;
        for (size_t i = 0; i < y->problem_offset && i < l->len; i++) line += l->text[i] == '\n';
    }
    return fail(l, line, y->problem ? y->problem : "this is not YAML");
}

static int on_event(loader *l, const yaml_event_t *e) {
    switch (e->type) {
    case YAML_SCALAR_EVENT: return on_scalar(l, e);
    case YAML_ALIAS_EVENT: return on_alias(l, (const char *)e->data.alias.anchor);
    case YAML_MAPPING_START_EVENT:
        return on_start(l, true, (const char *)e->data.mapping_start.tag, (const char *)e->data.mapping_start.anchor);
    case YAML_SEQUENCE_START_EVENT:
        return on_start(l, false, (const char *)e->data.sequence_start.tag,
                        (const char *)e->data.sequence_start.anchor);
    case YAML_MAPPING_END_EVENT:
    case YAML_SEQUENCE_END_EVENT: return on_end(l);
    case YAML_DOCUMENT_START_EVENT: return l->count ? fail(l, l->line, "a second document; only one is read") : 0;
    default: return 0;
    }
}

static int load(loader *l) {
    for (bool at_end = false; !at_end;) {
        yaml_event_t event;
        if (!yaml_parser_parse(&l->yaml, &event)) return syntax_error(l);
        l->line = (uint32_t)event.start_mark.line + 1;
        at_end = event.type == YAML_STREAM_END_EVENT;
        int status = on_event(l, &event);
        yaml_event_delete(&event);
        if (status != 0) return status;
    }
    return 0;
}

int mb_yaml_parse(mb_arena *arena, const char *name, const char *text, size_t len, const mb_json **ret,
                  membrane_error **err) {
    loader *l = mb_calloc(1, sizeof *l); // the levels are too large for a caller's stack
    mb_json *root = mb_arena_zalloc(arena, sizeof *root);
    int status;
    if (!l || !root || !yaml_parser_initialize(&l->yaml)) {
        mb_free(l);
        return mb_error_no_memory(err);
    }
    l->arena = arena;
    l->name = name;
    l->text = text;
    l->len = len;
    l->err = err;
    yaml_parser_set_input_string(&l->yaml, (const unsigned char *)text, len);
    status = load(l);
    if (status == 0) {
        if (l->count) *root = l->values[0];
        *ret = root;
    }
    yaml_parser_delete(&l->yaml);
    mb_free(l->values);
    mb_free(l->anchors);
    mb_free(l);
    return status;
}
