// SPDX-License-Identifier: MIT
// Tool names on wires that allow few characters. The wire name of a tool depends only on the list of tools, so that the
// decoder finds the way back from the same list.
#include <stdio.h>
#include <string.h>

#include "route/write.h"

static bool fits(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '-';
}

static bool is_wire_name(const char *name) {
    size_t len = strlen(name);
    if (len == 0 || len > MB_WIRE_NAME_MAX) return false;
    while (*name && fits(*name)) name++;
    return *name == '\0';
}

static const char *name_at(const mb_json *tools, uint32_t i) {
    return mb_json_get_str(mb_json_get(&tools->children[i], "function"), "name");
}

static void plain_name(const char *name, size_t max, char ret[MB_WIRE_NAME_MAX + 1]) {
    size_t len = strnlen(name, max);
    for (size_t i = 0; i < len; i++) ret[i] = fits(name[i]) ? name[i] : '_';
    ret[len] = '\0';
}

static void hashed_name(const char *name, char ret[MB_WIRE_NAME_MAX + 1]) {
    uint32_t hash = 2166136261u; // FNV-1a
    for (const char *p = name; *p; p++) hash = (hash ^ (unsigned char)*p) * 16777619u;
    plain_name(name, MB_WIRE_NAME_MAX - 9, ret);
    size_t len = strlen(ret);
    snprintf(ret + len, MB_WIRE_NAME_MAX + 1 - len, "_%08x", (unsigned)hash);
}

void mb_tool_wire_name(const mb_json *tools, const char *name, char ret[MB_WIRE_NAME_MAX + 1]) {
    plain_name(name, MB_WIRE_NAME_MAX, ret);
    if (is_wire_name(name)) return;
    for (uint32_t i = 0; tools && i < tools->count; i++) {
        char other[MB_WIRE_NAME_MAX + 1];
        const char *other_name = name_at(tools, i);
        if (!other_name || strcmp(other_name, name) == 0) continue;
        plain_name(other_name, MB_WIRE_NAME_MAX, other);
        if (strcmp(other, ret) != 0) continue;
        hashed_name(name, ret);
        return;
    }
}

const char *mb_tool_own_name(const mb_json *tools, const char *wire_name) {
    const char *found = NULL;
    for (uint32_t i = 0; tools && i < tools->count; i++) {
        char own[MB_WIRE_NAME_MAX + 1];
        const char *name = name_at(tools, i);
        if (!name) continue;
        if (strcmp(name, wire_name) == 0) return NULL;
        plain_name(name, MB_WIRE_NAME_MAX - 9, own); // how the wire name begins, with a hash or without
        if (found || is_wire_name(name) || strncmp(own, wire_name, strlen(own)) != 0) continue;
        mb_tool_wire_name(tools, name, own);
        if (strcmp(own, wire_name) == 0) found = name;
    }
    return found;
}

int mb_tool_map_names(mb_decode *d) {
    const mb_json *tools = mb_json_get(d->ask->request, "tools");
    for (size_t i = 0; tools && i < d->turn->call_count; i++) {
        mb_tool_call *call = &d->turn->calls[i];
        const char *own = call->name ? mb_tool_own_name(tools, call->name) : NULL;
        if (!own) continue;
        call->name = mb_arena_strdup(&d->turn->arena, own);
        if (!call->name) return MEMBRANE_ENOMEM;
    }
    return 0;
}

int mb_tool_names_check(const mb_json *tools, membrane_error **err) {
    for (uint32_t i = 0; tools && i < tools->count; i++) {
        const char *name = name_at(tools, i);
        char own[MB_WIRE_NAME_MAX + 1], other[MB_WIRE_NAME_MAX + 1];
        if (!name || is_wire_name(name)) continue;
        mb_tool_wire_name(tools, name, own);
        plain_name(name, MB_WIRE_NAME_MAX, other);
        if (strcmp(own, other) == 0) continue; // without a hash it is like no other
        for (uint32_t j = 0; j < tools->count; j++) {
            const char *other_name = j == i ? NULL : name_at(tools, j);
            if (!other_name) continue;
            mb_tool_wire_name(tools, other_name, other);
            if (strcmp(own, other) == 0)
                return mb_error_set(err, MEMBRANE_EINVAL, "tools: \"%s\" and \"%s\" would both be called \"%s\"", name,
                                    other_name, own);
        }
    }
    return 0;
}
