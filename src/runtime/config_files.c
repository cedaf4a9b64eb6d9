// SPDX-License-Identifier: MIT
// Which files count, in rising order of weight: /etc/membrane, the user's folder, the project's .membrane (only once
// its path and hash are trusted). A file may be config.yaml or config.json; both is an error, since one would be
// forgotten.
#include <unistd.h>

#include "base/alloc.h"
#include "base/file.h"
#include "base/limits.h"
#include "runtime/config_check.h"
#include "runtime/trust.h"

// There are at most five: MB_CONFIG_FILES_MAX is never reached.
static int note_file(mb_config *config, const char *level, const char *path, const char *state, membrane_error **err) {
    const char *kept = mb_arena_strdup(&config->arena, path);
    if (!kept) return mb_error_no_memory(err);
    config->files[config->file_count++] = (mb_config_file){level, kept, state}; // numbers begin at 1; 0 is "no file"
    return 0;
}

int mb_config_read_file(mb_config *config, const char *level, const char *path, bool must_exist, const mb_json **tree,
                        membrane_error **err) {
    mb_buf text = MB_BUF(MB_LIMIT_CONFIG);
    const mb_json *parsed;
    bool is_absent = !must_exist && access(path, F_OK) != 0;
    int code = note_file(config, level, path, is_absent ? "absent" : "read", err);
    if (code || is_absent) return code;
    code = mb_file_read(path, &text, err);
    if (code == 0)
        code = mb_config_parse(&config->arena, path, mb_buf_text(&text), text.len, (uint32_t)config->file_count,
                               &parsed, err);
    mb_buf_free(&text);
    if (code) return code;
    *tree = mb_config_merge(&config->arena, *tree, parsed);
    return *tree ? 0 : mb_error_no_memory(err);
}

// Reads FOLDER/config.yaml or FOLDER/config.json, whichever is there.
static int read_folder(mb_config *config, const char *level, const char *folder, const mb_json **tree,
                       membrane_error **err) {
    const char *yaml = mb_arena_printf(&config->arena, "%s/config.yaml", folder);
    const char *json = mb_arena_printf(&config->arena, "%s/config.json", folder);
    if (!yaml || !json) return mb_error_no_memory(err);
    bool has_json = access(json, F_OK) == 0;
    if (has_json && access(yaml, F_OK) == 0)
        return mb_error_set(err, MEMBRANE_ECONFIG, "%s and config.json are both there: keep one", yaml);
    return mb_config_read_file(config, level, has_json ? json : yaml, false, tree, err);
}

static int read_project(mb_config *config, const char *project_dir, const mb_json **tree, membrane_error **err) {
    char *path = NULL;
    bool trusted = false;
    int code = mb_trust_find(project_dir, &path, err);
    if (code || !path) return code;
    code = mb_trust_check(path, &trusted, err);
    if (code == 0 && trusted)
        code = mb_config_read_file(config, "project", path, true, tree, err);
    else if (code == 0) {
        code = note_file(config, "project", path, "not trusted", err);
        mb_config_warn(config, "%s is passed over until `membrane config trust` was run", path);
    }
    mb_free(path);
    return code;
}

int mb_config_user_files(mb_config *config, const char *project_dir, const mb_json **tree, membrane_error **err) {
    char *user_dir;
    int code = mb_trust_user_dir(&user_dir, err);
    if (code == 0) code = read_folder(config, "system", "/etc/membrane", tree, err);
    if (code == 0 && user_dir) code = read_folder(config, "user", user_dir, tree, err);
    if (code == 0) code = read_project(config, project_dir, tree, err);
    mb_free(user_dir);
    return code;
}
