# SPDX-License-Identifier: MIT
# A line of JSON as a C string literal.
s/\\/\\\\/g
s/"/\\"/g
s/^ *//
s/^/"/
s/$/\\n"/
