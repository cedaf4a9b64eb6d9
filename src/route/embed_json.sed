# SPDX-License-Identifier: MIT
# A JSON file as a C string: each line is a literal. The build puts the name before it and a semicolon behind.
s/\\/\\\\/g
s/"/\\"/g
s/^ *//
s/^/"/
s/$/\\n"/
