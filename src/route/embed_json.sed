# SPDX-License-Identifier: MIT
# providers.json as a C file: each line is a string literal.
s/\\/\\\\/g
s/"/\\"/g
s/^ *//
s/^/"/
s/$/\\n"/
1i\
extern const char mb_providers_json[];\
const char mb_providers_json[] =
$a\
;
