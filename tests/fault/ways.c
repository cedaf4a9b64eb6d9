// SPDX-License-Identifier: MIT
#include "ways.h"

#define ANSWER  "Hello from here."
#define PARTIAL "Hello from "
#define FIRST   "Hello "
#define O       FAULT_OPENAI
#define L       FAULT_OLLAMA
#define ALL     FAULT_ALL
#define SSE     FAULT_SSE
// Figures may still come behind the finish: only the end of the connection is the end.
#define OPEN_END (FAULT_GEMINI | FAULT_BEDROCK)

#define FINE                                                                                                           \
    { 0, 0, "", ANSWER, NULL }
#define FINE_WITH(json)                                                                                                \
    { 0, 0, "", "", json }
#define FAILS(code, kept)                                                                                              \
    { MEMBRANE_E##code, 0, "", kept, NULL }
#define EITHER(a, b, kept)                                                                                             \
    { MEMBRANE_E##a, MEMBRANE_E##b, "", kept, NULL }
#define OR_FINE(code)                                                                                                  \
    { MEMBRANE_E##code, WAY_OR_FINE, "", "", NULL }
#define LATE(phase, kept)                                                                                              \
    { MEMBRANE_ETIMEOUT, 0, phase, kept, NULL }
#define IN_TIME(code)                                                                                                  \
    { MEMBRANE_E##code, 0, "idle", "", NULL }
#define NOT_ASKED                                                                                                      \
    { -1, 0, "", "", NULL }
#define NUL_TEXT "Hello fr\\u0000om here."
#define FINE_AS(text)                                                                                                  \
    { 0, 0, "", text, NULL }
#define BOTH(...) __VA_ARGS__, __VA_ARGS__

// clang-format off
const way WAYS[] = {
    {"good", ALL, BOTH(FINE), "what all others are held against"},

    // cut and reset: a stream keeps its text; whole bodies are all or nothing; without a header there was no answer
    {"cut-before", ALL, BOTH(FAILS(CONNECT, "")), "closed before a byte of the answer"},
    {"cut-header", ALL, BOTH(FAILS(CONNECT, "")), "half a header, then closed"},
    {"cut-length", ALL, FAILS(TRUNCATED, PARTIAL), FAILS(RESPONSE, ""), "fewer bytes than Content-Length says"},
    {"cut-chunk", ALL, FAILS(TRUNCATED, PARTIAL), FAILS(RESPONSE, ""), "closed inside a chunk"},
    {"cut-close", ALL, FAILS(TRUNCATED, PARTIAL), FAILS(RESPONSE, ""), "closed where closing is the end of the body"},
    {"reset-before", ALL, BOTH(FAILS(CONNECT, "")), "reset before the header"},
    {"reset-header", ALL, BOTH(FAILS(CONNECT, "")), "reset in the header"},
    {"reset-after-header", ALL, FAILS(TRUNCATED, ""), FAILS(RESPONSE, ""), "reset between the header and the body"},
    {"reset-mid", ALL, FAILS(TRUNCATED, PARTIAL), FAILS(RESPONSE, ""), "reset in the body"},
    {"no-last-chunk", ALL, FINE, FAILS(RESPONSE, ""), "all bytes but the last chunk's: a stream knows its own end"},

    // lengths and chunks
    {"length-small", ALL, FAILS(TRUNCATED, ""), FAILS(RESPONSE, ""), "more bytes than Content-Length says"},
    {"length-is---5", ALL, BOTH(EITHER(CONNECT, RESPONSE, "")), "a negative Content-Length"},
    {"length-is--many", ALL, BOTH(EITHER(CONNECT, RESPONSE, "")), "a Content-Length that is no number"},
    {"length-is--99999999999999999999", ALL, BOTH(FINE), "a Content-Length past 64 bits: the connection's end counts"},
    {"lengths-two", ALL, BOTH(FAILS(RESPONSE, "")), "two Content-Lengths that differ: not to be believed (RFC 9112, 6.3)"},
    {"length-and-chunked", ALL, BOTH(FINE), "Content-Length beside chunks, which count (RFC 9112, 6.3)"},
    {"length-0", ALL, FAILS(TRUNCATED, ""), FAILS(RESPONSE, ""), "the length 0 before a body"},
    {"chunk-absurd", ALL, FAILS(TRUNCATED, PARTIAL), FAILS(RESPONSE, ""), "a chunk's size past 64 bits"},
    {"chunk-negative", ALL, FAILS(TRUNCATED, PARTIAL), FAILS(RESPONSE, ""), "a chunk's size below nothing"},
    {"chunk-no-end", ALL, FAILS(TRUNCATED, PARTIAL), FAILS(RESPONSE, ""), "a chunk longer than its size"},
    {"chunk-size-endless", ALL, FAILS(TRUNCATED, PARTIAL), FAILS(RESPONSE, ""), "4 MB of digits as a chunk's size"},
    {"chunk-extensions", ALL, BOTH(FINE), "chunk extensions are skipped"},
    {"chunks-of-one", ALL, BOTH(FINE), "each byte a chunk"},
    {"bytewise", ALL, BOTH(FINE), "each byte a segment"},
    {"trailers", ALL, BOTH(FINE), "trailers change nothing"},

    // headers
    {"headers-10000", ALL, BOTH(EITHER(CONNECT, RESPONSE, "")), "10,000 header lines"},
    {"header-1mb", ALL, BOTH(EITHER(CONNECT, RESPONSE, "")), "a header line of 1 MB"},
    {"header-endless", ALL, BOTH(EITHER(CONNECT, RESPONSE, "")), "a header without an end"},
    {"header-nul", ALL, BOTH(EITHER(CONNECT, RESPONSE, "")), "NUL in a header"},
    {"header-folded", ALL, BOTH(FINE), "a header over two lines, as once was allowed"},
    {"status-line--text", ALL, BOTH(EITHER(CONNECT, RESPONSE, "")), "a status that is no number"},
    {"status-line--version", ALL, BOTH(EITHER(CONNECT, RESPONSE, "")), "HTTP/9.9"},
    {"status-line--big", ALL, BOTH(EITHER(CONNECT, RESPONSE, "")), "a status of five digits"},
    {"status-line--zero", ALL, BOTH(EITHER(CONNECT, RESPONSE, "")), "the status 000"},
    {"status-line--none", ALL, BOTH(EITHER(CONNECT, RESPONSE, "")), "another protocol's status line"},
    {"status-line--endless", ALL, BOTH(EITHER(CONNECT, RESPONSE, "")), "a status line of 1 MB"},
    {"http-10", ALL, BOTH(FINE), "HTTP/1.0 without a length"},
    {"http-09", ALL, BOTH(EITHER(CONNECT, RESPONSE, "")), "a body without any header"},
    {"continue-100", ALL, BOTH(FINE), "100 Continue, which nobody waits for"},
    {"continue-100--50", ALL, BOTH(FINE), "fifty of them"},
    {"hints-103", ALL, BOTH(FINE), "103 Early Hints"},
    {"continue-endless", ALL, BOTH(EITHER(CONNECT, RESPONSE, "")), "1xx for ever, as fast as it goes"},
    {"upgrade", ALL, BOTH(FAILS(RESPONSE, "")), "101: another protocol, which nobody asked for"},
    {"cookies", ALL, BOTH(FINE), "Set-Cookie, Alt-Svc, Refresh, HSTS, Location: nothing is remembered or followed"},
    {"type-none", ALL, BOTH(FINE), "no Content-Type"},
    {"type-text", ALL, BOTH(FINE), "right bytes, called text/plain"},
    {"type-json", ALL, FAILS(RESPONSE, ""), FINE, "a stream, called application/json: taken at its word"},
    {"type-png", ALL, BOTH(FAILS(RESPONSE, "")), "an image"},
    {"whole-for-stream", ALL, BOTH(FINE), "streaming was asked for and not granted"},
    {"stream-for-whole", ALL & ~L, FINE, FAILS(RESPONSE, ""), "a stream that nobody asked for"},

    // something else than an answer
    {"html", ALL, BOTH(FAILS(RESPONSE, "")), "a login page with 200"},
    {"html-unnamed", ALL, EITHER(TRUNCATED, MALFORMED, ""), FAILS(RESPONSE, ""), "a login page under the wire's own type"},
    {"empty", ALL, EITHER(TRUNCATED, RESPONSE, ""), FAILS(RESPONSE, ""), "200 without a byte"},
    {"status-204", ALL, EITHER(TRUNCATED, RESPONSE, ""), FAILS(RESPONSE, ""), "204"},
    {"bad-json", ALL, FAILS(MALFORMED, FIRST), FAILS(RESPONSE, ""), "broken JSON in a frame"},
    {"other-json", ALL, EITHER(MALFORMED, RESPONSE, ""), FAILS(RESPONSE, ""), "an array where an object belongs"},
    {"json-then-more", ALL, NOT_ASKED, FAILS(RESPONSE, ""), "something behind the body's JSON"},
    {"types-wrong", ALL & ~FAULT_COHERE, EITHER(MALFORMED, TRUNCATED, ""), FAILS(RESPONSE, ""), "every member of another type"},
    {"types-wrong", FAULT_COHERE, EITHER(STREAM, MALFORMED, ""), FAILS(RESPONSE, ""), "likewise: what has no type is an error there"},
    {"utf16", ALL, EITHER(TRUNCATED, MALFORMED, ""), FAILS(RESPONSE, ""), "UTF-16"},
    {"deep", ALL, FAILS(MALFORMED, ""), FAILS(RESPONSE, ""), "5,000 levels"},

    // compressed, though we never ask for it
    {"gzip", ALL, BOTH(FAILS(RESPONSE, "")), "called gzip, and none"},
    {"encoded--gzip", ALL, BOTH(FAILS(RESPONSE, "")), "gzip that nobody asked for"},
    {"encoded--deflate", ALL, BOTH(FAILS(RESPONSE, "")), "deflate"},
    {"encoded--br", ALL, BOTH(FAILS(RESPONSE, "")), "brotli"},
    {"encoded--zstd", ALL, BOTH(FAILS(RESPONSE, "")), "zstd"},
    {"encoded-error", ALL, BOTH(FAILS(RATE, "")), "a compressed error body: its status says enough"},
    {"transfer-gzip", ALL, BOTH(FAILS(RESPONSE, "")), "gzip as a transfer encoding, which libcurl would inflate"},

    // statuses
    {"redirect--300", ALL, BOTH(FAILS(RESPONSE, "")), "never followed: the key stays where it was meant to go"},
    {"redirect--301", ALL, BOTH(FAILS(RESPONSE, "")), "likewise"},
    {"redirect--302", ALL, BOTH(FAILS(RESPONSE, "")), "likewise"},
    {"redirect--303", ALL, BOTH(FAILS(RESPONSE, "")), "likewise"},
    {"redirect--307", ALL, BOTH(FAILS(RESPONSE, "")), "likewise"},
    {"redirect--308", ALL, BOTH(FAILS(RESPONSE, "")), "likewise"},
    {"status--304-empty", ALL, BOTH(FAILS(RESPONSE, "")), "Not Modified, without a question"},
    {"status--400-json", ALL, BOTH(FAILS(BADREQUEST, "")), "the status says it"},
    {"status--401-json", ALL, BOTH(FAILS(AUTH, "")), "likewise"},
    {"status--402-text", ALL, BOTH(FAILS(FUNDS, "")), "likewise"},
    {"status--403-html", ALL, BOTH(FAILS(PERMISSION, "")), "likewise"},
    {"status--404-empty", ALL, BOTH(EITHER(MODEL, NOTFOUND, "")), "likewise"},
    {"status--404-json", ALL, BOTH(EITHER(MODEL, NOTFOUND, "")), "likewise"},
    {"status--408-text", ALL, BOTH(EITHER(TIMEOUT, SERVER, "")), "likewise"},
    {"status--413-html", ALL, BOTH(EITHER(BADREQUEST, CONTEXT, "")), "likewise"},
    {"status--418-text", ALL, BOTH(FAILS(BADREQUEST, "")), "an unknown 4xx"},
    {"status--422-json", ALL, BOTH(FAILS(BADREQUEST, "")), "likewise"},
    {"status--429-json", ALL, BOTH(FAILS(RATE, "")), "likewise"},
    {"status--429-empty", ALL, BOTH(FAILS(RATE, "")), "likewise"},
    {"status--500-json", ALL, BOTH(FAILS(SERVER, "")), "likewise"},
    {"status--500-html", ALL, BOTH(FAILS(SERVER, "")), "likewise"},
    {"status--500-empty", ALL, BOTH(FAILS(SERVER, "")), "likewise"},
    {"status--502-html", ALL, BOTH(FAILS(GATEWAY, "")), "likewise"},
    {"status--503-text", ALL, BOTH(FAILS(OVERLOADED, "")), "likewise"},
    {"status--504-empty", ALL, BOTH(FAILS(GATEWAY, "")), "likewise"},
    {"status--529-json", ALL, BOTH(FAILS(OVERLOADED, "")), "likewise"},
    {"status--599-empty", ALL, BOTH(FAILS(SERVER, "")), "an unknown 5xx"},
    {"status--999-text", ALL, BOTH(EITHER(RESPONSE, SERVER, "")), "a status of no class"},
    {"overloaded", ALL, BOTH(FAILS(OVERLOADED, "")), "the error's own type"},
    {"challenge", ALL, BOTH(FAILS(AUTH, "")), "a challenge: no name, no password, no second request"},
    {"proxy-challenge", ALL, BOTH(EITHER(AUTH, BADREQUEST, "")), "a proxy's, where none is"},
    {"refusal-cut--429", ALL, BOTH(FAILS(RATE, "")), "an error's body is cut: the status says enough"},
    {"refusal-stall--503", ALL, BOTH(IN_TIME(OVERLOADED)), "an error's body never ends: likewise"},

    // errors inside an answer
    {"inband-error", ALL, EITHER(STREAM, SERVER, FIRST), NOT_ASKED, "an error in the stream, after text"},
    {"inband-first", ALL, EITHER(STREAM, SERVER, ""), NOT_ASKED, "an error as the first event"},
    {"inband-late", O | L, FINE, NOT_ASKED, "an error behind the end"},

    // time
    {"silent", ALL, LATE("first_token", ""), LATE("total", ""), "a stall after accept"},
    {"stall-header", ALL, LATE("first_token", ""), LATE("total", ""), "a stall in the header"},
    {"stall-body", ALL, LATE("first_token", ""), LATE("total", ""), "a stall after the header"},
    {"stall", ALL, LATE("idle", PARTIAL), LATE("idle", ""), "a stall in the body"},
    {"length-stall", ALL & ~OPEN_END, FINE, LATE("idle", ""), "the answer is there, but more was promised"},
    {"length-stall", OPEN_END, {0, 0, "idle", ANSWER, NULL}, LATE("idle", ""), "likewise"},
    {"keepalive", ALL & ~FAULT_BEDROCK, LATE("first_token", ""), LATE("total", ""), "comments for ever are no answer"},
    {"keepalive-mid", ALL & ~FAULT_BEDROCK, LATE("idle", PARTIAL), LATE("total", ""), "comments for ever after some text"},
    {"drip--20", ALL, LATE("first_token", ""), LATE("total", ""), "a frame that never ends, byte by byte"},
    {"continue-endless--20", ALL, LATE("first_token", ""), LATE("total", ""), "1xx for ever, one each 20 ms"},
    {"stall-after-finish", FAULT_FINISH_IS_END, {0, 0, "idle", ANSWER, NULL}, NOT_ASKED, "the finish, then nothing: complete by the wire's rule"},
    {"stall-after-finish", ALL & ~FAULT_FINISH_IS_END, LATE("idle", ANSWER), NOT_ASKED, "the finish without the wire's end"},
    {"open-after-done", ALL & ~OPEN_END, FINE, NOT_ASKED, "the end, and the connection stays open"},
    {"open-after-done", OPEN_END, {0, 0, "idle", ANSWER, NULL}, NOT_ASKED, "likewise, where only the connection's end is the end"},

    // around the end of a stream
    {"done-twice", ALL, FINE, NOT_ASKED, "what follows the end is not read"},
    {"after-done", ALL & ~OPEN_END, FINE, NOT_ASKED, "text and rubbish behind the end"},
    {"finish-no-done", FAULT_FINISH_IS_END, FINE, NOT_ASKED, "a finish without [DONE] is whole"},
    {"finish-no-done", ALL & ~FAULT_FINISH_IS_END, FAILS(TRUNCATED, ANSWER), NOT_ASKED, "other wires: their own end only"},
    {"finish-then-reset", FAULT_FINISH_IS_END, FINE, NOT_ASKED, "a finish, then a reset"},
    {"finish-then-reset", ALL & ~FAULT_FINISH_IS_END, FAILS(TRUNCATED, ANSWER), NOT_ASKED, "likewise without the end"},
    {"no-finish", ALL, FAILS(TRUNCATED, ANSWER), NOT_ASKED, "neither a finish nor an end"},
    {"done-no-finish", O, FINE, NOT_ASKED, "[DONE] without a finish is whole"},
    {"usage-twice", ALL & ~FAULT_BEDROCK, {0, 0, "", ANSWER, "\"input\":7"}, NOT_ASKED, "a later report counts, and only it"},
    {"two-answers", ALL, BOTH(FINE), "a second answer in the same connection is nobody's: that is dropped"},

    // the text of a stream
    {"eol--cr", SSE, FINE, NOT_ASKED, "CR ends lines"},
    {"eol--crlf", SSE | L, FINE, NOT_ASKED, "CRLF ends lines"},
    {"eol--mixed", SSE, FINE, NOT_ASKED, "all of them in one stream"},
    {"eol--none", SSE | L, FINE, NOT_ASKED, "the last event lacks its blank line"},
    {"eol--blank", SSE, FINE, NOT_ASKED, "blank lines that end nothing"},
    {"bom", SSE, FINE, NOT_ASKED, "a byte order mark"},
    {"sse-odd", SSE, FINE, NOT_ASKED, "comments, ids, retries, unknown fields, no space behind the colon"},
    {"sse-split", SSE, FINE, NOT_ASKED, "one event's data in several lines"},
    {"empty-frames--20000", ALL, FINE, NOT_ASKED, "20,000 events that say nothing"},
    {"bad-utf8", ALL & ~FAULT_BEDROCK, BOTH(FINE_AS("Hello fr\xEF\xBF\xBDom here.")), "a byte that is no UTF-8 becomes U+FFFD"},
    {"surrogate", ALL & ~FAULT_BEDROCK, BOTH(FINE_AS("Hello fr\xEF\xBF\xBDom here.")), "half a surrogate pair becomes U+FFFD"},
    {"split-character", ALL & ~FAULT_BEDROCK, BOTH(FINE_AS("Hello fr\xC3\xA9m \xF0\x9F\x98\x80.")), "a character in two chunks, a pair in two escapes"},
    {"nul-escaped", ALL & ~FAULT_BEDROCK, {0, 0, "", "Hello frhere.", NUL_TEXT}, {0, 0, "", "Hello fr", NUL_TEXT}, "U+0000 is a character as any other"},
    {"nul-raw", ALL & ~FAULT_BEDROCK, FAILS(MALFORMED, FIRST), FAILS(RESPONSE, ""), "a NUL byte is no JSON"},
    {"numbers--huge", ALL, BOTH(FINE), "figures past 64 bits are unknown, not wrong"},
    {"numbers--exponent", ALL, OR_FINE(MALFORMED), OR_FINE(RESPONSE), "1e400 is no number"},
    {"numbers--most", ALL, BOTH(FINE), "figures whose sums no 64 bits hold"},
    {"numbers--negative", ALL, BOTH(FINE), "below -2^63"},
    {"numbers--minus", ALL, BOTH(FINE), "a count below nothing"},
    {"numbers--fraction", ALL, BOTH(FINE), "seven and a half tokens"},

    // tool calls
    {"calls--3", ALL, BOTH(FINE_WITH("\"call_")), "three calls at once"},
    {"calls--5000", ALL, FAILS(MALFORMED, ""), FAILS(RESPONSE, ""), "5,000 calls at once"},
    {"call-cut", O, BOTH(FINE_WITH("\"finish\":\"length\"")), "arguments that end in the middle are told as cut"},
    {"ids-twice", ALL, BOTH(FINE_WITH("\"other\"")), "two calls with one id"},
    {"same-index", O, FINE_WITH("\"call_b\""), NOT_ASKED, "one index, another id: a new call"},
    {"id-late", O, FINE_WITH("\"call_0\""), NOT_ASKED, "the id behind the arguments"},
    {"index-odd", O, OR_FINE(MALFORMED), NOT_ASKED, "indices that no array has"},
    {"call-deep", ALL, OR_FINE(MALFORMED), OR_FINE(RESPONSE), "arguments that nest 5,000 deep"},
};
const size_t WAY_COUNT = COUNT(WAYS);

#define C(name) MEMBRANE_E##name
const bound BOUNDS[] = {
    {"line-100mb", ALL, C(MALFORMED), 0, C(RESPONSE), 0, 100, "a line of 100 MB: an event's limit is 16 MiB, a body's 64"},
    {"call-endless--100", ALL & ~L & ~FAULT_GEMINI, C(MALFORMED), C(TRUNCATED), -1, 0, 150, "arguments without an end"},
    {"call-endless--100", L | FAULT_GEMINI, C(MALFORMED), 0, -1, 0, 60, "likewise, in one event"},
    {"text-endless--100", ALL, C(MALFORMED), C(TRUNCATED), -1, 0, 400, "text without an end: the limit of 64 MiB, in the answer, the error and the result"},
    {"bomb--gzip", O | L, C(RESPONSE), 0, C(RESPONSE), 0, 20, "200 MB in a few KB of gzip: not inflated"},
    {"bomb--deflate", O | L, C(RESPONSE), 0, C(RESPONSE), 0, 20, "likewise"},
    {"bomb--br", O | L, C(RESPONSE), 0, C(RESPONSE), 0, 20, "likewise"},
    {"bomb--transfer", O | L, C(RESPONSE), 0, C(RESPONSE), 0, 20, "as a transfer encoding, which libcurl inflates by itself"},
    {"bomb--twice", O | L, C(RESPONSE), 0, C(RESPONSE), 0, 20, "a bomb in a bomb"},
    {"refusal-long", O | L, C(SERVER), 0, C(SERVER), 0, 20, "100 MB of an error: its beginning is enough"},
    {"refusal-endless", O | L, C(SERVER), 0, C(SERVER), 0, 20, "an error's body without an end"},
    {"trailers-endless", O | L, 0, C(TRUNCATED), C(RESPONSE), 0, 20, "20 MB of trailers"},
    {"header-endless", O | L, C(CONNECT), C(RESPONSE), C(CONNECT), C(RESPONSE), 20, "a header without an end"},
    {"continue-endless", O | L, C(CONNECT), C(RESPONSE), C(CONNECT), C(RESPONSE), 20, "1xx without an end"},
    {"empty-frames--100000", ALL, 0, 0, -1, 0, 20, "100,000 events that say nothing"},
};
const size_t BOUND_COUNT = COUNT(BOUNDS);
// clang-format on
