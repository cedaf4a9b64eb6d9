// SPDX-License-Identifier: MIT
// The first pass counts sentences, words and how many sentences hold each word of the question; the second one knows
// then what each sentence is worth and keeps the best few. So nothing is kept of the rest, however long it is.
#include "route/extractive.h"

#include <math.h>
#include <string.h>

#include "base/alloc.h"
#include "route/sentences.h"
#include "route/words.h"

enum { TERMS = 128, SLOTS = 512 }; // a question's different words; slots: a power of two, well above

typedef struct term {
    mb_word word;
    uint32_t sentences; // that hold it
    uint32_t here;      // how often it stands in the sentence at hand
    double idf;
} term;

typedef struct question {
    term terms[TERMS];
    size_t count;
    uint16_t slots[SLOTS];   // index + 1, by the word's hash
    double sentences, words; // of all texts
} question;

typedef struct candidate {
    double score;
    mb_sentence sentence;
    const char *file;
    uint64_t place; // in reading order
} candidate;

typedef struct best {
    candidate at[MB_EXTRACTIVE_SENTENCES]; // best first
    size_t count;
} best;

// ---- the conversation's texts --------------------------------------------------------------------------------------

typedef struct source {
    const mb_json *messages;
    uint32_t message, part;
    const char *file;
    const mb_json *text; // a string
    bool is_tool;
} source;

// The name of the tool whose call this message answers.
static const char *tool_name(const mb_json *messages, const mb_json *message) {
    const char *name = mb_json_get_str(message, "name"), *id = mb_json_get_str(message, "tool_call_id");
    for (const mb_json *m = message; !name && id && m-- > messages->children;) {
        const mb_json *calls = mb_json_get(m, "tool_calls");
        for (uint32_t i = 0; calls && i < calls->count; i++)
            if (mb_json_str_is(mb_json_get(&calls->children[i], "id"), id))
                return mb_json_get_str(mb_json_get(&calls->children[i], "function"), "name");
        if (calls) break; // results follow their calls at once
    }
    return name ? name : "tool";
}

// Whether part (a part object, or a message's whole content) is a text to answer from; fills the source's file and
// text.
static bool use_part(source *s, const mb_json *message, const mb_json *part) {
    bool is_tool = mb_json_str_is(mb_json_get(message, "role"), "tool");
    const char *type = mb_json_get_str(part, "type");
    bool is_document = type && strcmp(type, "document") == 0;
    s->text = part->type == MB_JSON_STRING ? part : mb_json_get(part, "text");
    if (!mb_json_is(s->text, MB_JSON_STRING) || (!is_document && !is_tool)) return false;
    s->file = is_document ? mb_json_get_str(part, "name") : tool_name(s->messages, message);
    if (!s->file) s->file = "document";
    s->is_tool = !is_document;
    return true;
}

static bool next_source(source *s) {
    for (; s->messages && s->message < s->messages->count; s->message++, s->part = 0) {
        const mb_json *message = &s->messages->children[s->message], *content = mb_json_get(message, "content");
        if (mb_json_is(content, MB_JSON_STRING) && s->part++ == 0 && use_part(s, message, content)) return true;
        if (!mb_json_is(content, MB_JSON_ARRAY)) continue;
        while (s->part < content->count)
            if (use_part(s, message, &content->children[s->part++])) return true;
    }
    return false;
}

// ---- the question --------------------------------------------------------------------------------------------------

static uint32_t slot_of(const mb_word *w) {
    uint32_t h = 2166136261u;
    for (size_t i = 0; i < w->len; i++) h = (h ^ (unsigned char)w->text[i]) * 16777619u;
    return (h ^ h >> 15) & (SLOTS - 1);
}

static term *find_term(question *q, const mb_word *w, uint32_t *ret_slot) {
    uint32_t i = slot_of(w);
    for (; q->slots[i]; i = (i + 1) & (SLOTS - 1)) {
        term *t = &q->terms[q->slots[i] - 1];
        if (t->word.len == w->len && memcmp(t->word.text, w->text, w->len) == 0) return t;
    }
    *ret_slot = i;
    return NULL;
}

static void add_terms(question *q, const mb_json *text) {
    mb_word w;
    uint32_t slot;
    if (!mb_json_is(text, MB_JSON_STRING)) return;
    for (size_t at = 0; q->count < TERMS && mb_word_next(text->str, text->len, &at, &w);) {
        if (w.is_mark || mb_word_is_stop(&w) || find_term(q, &w, &slot)) continue;
        q->terms[q->count] = (term){.word = w};
        q->slots[slot] = (uint16_t)++q->count;
    }
}

static bool add_content(question *q, const mb_json *content) {
    bool said = mb_json_is(content, MB_JSON_STRING);
    add_terms(q, content);
    for (uint32_t i = 0; mb_json_is(content, MB_JSON_ARRAY) && i < content->count; i++)
        if (mb_json_str_is(mb_json_get(&content->children[i], "type"), "text")) {
            add_terms(q, mb_json_get(&content->children[i], "text"));
            said = true;
        }
    return said;
}

// The last message of the user's that says something; files alone are no question.
static void read_question(question *q, const mb_json *request) {
    const mb_json *messages = mb_json_get(request, "messages");
    add_terms(q, mb_json_get(request, "prompt"));
    for (uint32_t i = messages ? messages->count : 0; i-- > 0;) {
        const mb_json *m = &messages->children[i];
        if (mb_json_str_is(mb_json_get(m, "role"), "user") && add_content(q, mb_json_get(m, "content"))) return;
    }
}

// ---- ranking -------------------------------------------------------------------------------------------------------

// Counts the question's words in a sentence into their terms; *ret_touched gets which. Returns the sentence's words.
static size_t count_terms(question *q, const mb_sentence *s, term **ret_touched, size_t *ret_count) {
    mb_word w;
    uint32_t slot;
    size_t words = 0, touched = 0;
    for (size_t at = 0; mb_word_next(s->text, s->len, &at, &w);) {
        if (w.is_mark) continue;
        words++;
        term *t = find_term(q, &w, &slot);
        if (!t) continue;
        if (t->here++ == 0) ret_touched[touched++] = t;
    }
    *ret_count = touched;
    return words;
}

static void learn(question *q, const mb_json *messages) {
    term *touched[TERMS];
    size_t n;
    for (source from = {.messages = messages}; next_source(&from);) {
        mb_sentence s;
        mb_sentences all = mb_sentences_of(from.is_tool ? NULL : from.file, from.text->str, from.text->len);
        while (mb_sentences_next(&all, &s)) {
            q->words += (double)count_terms(q, &s, touched, &n);
            q->sentences++;
            for (size_t i = 0; i < n; i++) touched[i]->sentences++, touched[i]->here = 0;
        }
    }
    for (size_t i = 0; i < q->count; i++) {
        double with = q->terms[i].sentences;
        q->terms[i].idf = log(1 + (q->sentences - with + 0.5) / (with + 0.5));
    }
}

// BM25 with k1 = 1.2; b = 0.4, since the lengths of sentences say less than those of documents.
static double score(question *q, const mb_sentence *s) {
    term *touched[TERMS];
    size_t n;
    double words = (double)count_terms(q, s, touched, &n), sum = 0;
    double norm = 1.2 * (1 - 0.4 + 0.4 * words * q->sentences / q->words);
    for (size_t i = 0; i < n; i++) {
        double here = touched[i]->here;
        sum += touched[i]->idf * here * 2.2 / (here + norm);
        touched[i]->here = 0;
    }
    return sum;
}

static bool same_text(const mb_sentence *a, const mb_sentence *b) {
    return a->len == b->len && memcmp(a->text, b->text, a->len) == 0;
}

// The earlier one of two that are worth the same, and of two that say the same.
static void keep(best *b, const candidate *c) {
    size_t at = b->count;
    while (at > 0 && b->at[at - 1].score < c->score) at--;
    for (size_t i = 0; i < at; i++)
        if (same_text(&b->at[i].sentence, &c->sentence)) return;
    if (at == MB_EXTRACTIVE_SENTENCES) return;
    if (b->count < MB_EXTRACTIVE_SENTENCES) b->count++;
    memmove(&b->at[at + 1], &b->at[at], (b->count - 1 - at) * sizeof *b->at);
    b->at[at] = *c;
}

static void rank(question *q, const mb_json *messages, best *ret) {
    candidate c = {.place = 0};
    for (source from = {.messages = messages}; next_source(&from);) {
        mb_sentences all = mb_sentences_of(from.is_tool ? NULL : from.file, from.text->str, from.text->len);
        for (c.file = from.file; mb_sentences_next(&all, &c.sentence); c.place++) {
            c.score = score(q, &c.sentence);
            if (c.score > 0) keep(ret, &c);
        }
    }
    for (size_t i = 1; i < ret->count; i++) // reading order
        for (size_t j = i; j > 0 && ret->at[j - 1].place > ret->at[j].place; j--) {
            candidate swap = ret->at[j];
            ret->at[j] = ret->at[j - 1];
            ret->at[j - 1] = swap;
        }
}

// ---- saying it -----------------------------------------------------------------------------------------------------

typedef struct voice {
    mb_turn *turn;
    int64_t said, most; // tokens; most: -1 for no limit
    int status;
} voice;

// Says it, or as much as max_tokens leaves room for.
static void say(voice *v, const char *text, size_t len) {
    mb_word w;
    size_t at = 0, end = len;
    while (v->status == 0 && v->turn->finish == MB_FINISH_NONE) {
        size_t before = at;
        if (!mb_word_next(text, len, &at, &w)) break;
        if (v->said == v->most) {
            end = before;
            mb_turn_finish(v->turn, MB_FINISH_LENGTH, "length");
            break;
        }
        v->said++;
    }
    if (v->status == 0 && (end < len || v->turn->finish == MB_FINISH_NONE))
        v->status = mb_turn_text(v->turn, text, end);
}

static void say_line(voice *v, const char *text) {
    if (v->turn->finish == MB_FINISH_NONE) say(v, text, strlen(text));
}

// On one line: the breaks inside it, with a quotation's marks behind them, become a space.
static void put_sentence(mb_buf *out, const mb_sentence *s) {
    bool gap = false, new_line = false;
    for (size_t i = 0; i < s->len; i++) {
        char c = s->text[i];
        bool is_gap = c == ' ' || (unsigned char)c < ' ' || c == 0x7F || (new_line && c == '>');
        new_line = c == '\n' || (new_line && is_gap);
        if (!is_gap && gap && out->len > 0) mb_buf_putc(out, ' ');
        if (!is_gap) mb_buf_putc(out, c);
        gap = is_gap;
    }
}

static void put_file(mb_buf *out, const char *file) {
    for (; *file; file++) mb_buf_putc(out, (unsigned char)*file < ' ' || *file == 0x7F ? ' ' : *file);
}

static void say_candidate(voice *v, const candidate *c) {
    mb_buf line = MB_BUF(16384);
    if (v->turn->finish != MB_FINISH_NONE) return;
    put_sentence(&line, &c->sentence);
    mb_buf_puts(&line, " (");
    put_file(&line, c->file);
    mb_buf_putf(&line, ":%u)\n", c->sentence.line);
    if (!mb_buf_ok(&line))
        v->status = v->status ? v->status : MEMBRANE_ENOMEM;
    else
        say(v, mb_buf_text(&line), line.len);
    mb_buf_free(&line);
}

static const char HOW_TO_GET_A_MODEL[] =
    "To get a model, start an engine (\"ollama serve\") or set a key such as OPENAI_API_KEY, then ask again; "
    "\"membrane doctor\" says what it finds.\n";

static void say_nothing_found(voice *v, const question *q) {
    if (q->sentences == 0)
        say_line(v, "Extractive answer, no model: there is nothing to answer from, because no text file was attached "
                    "and no tool gave a result.\n");
    else if (q->count == 0)
        say_line(
            v,
            "Extractive answer, no model: there is nothing to answer, because the question holds no word to look for.\n");
    else
        say_line(v, "Extractive answer, no model: there is nothing to answer from, because no sentence of the attached "
                    "text shares a word with the question.\n");
    say_line(v, HOW_TO_GET_A_MODEL);
}

static void say_answer(voice *v, const question *q, const best *found) {
    if (found->count == 0) {
        say_nothing_found(v, q);
        return;
    }
    say_line(v, "Extractive answer, no model: the sentences of the attached text that fit the question best.\n\n");
    for (size_t i = 0; i < found->count && v->status == 0; i++) say_candidate(v, &found->at[i]);
}

// ---- the whole -----------------------------------------------------------------------------------------------------

static int64_t count_input(const mb_json *v) {
    int64_t sum = 0;
    const mb_json *messages = mb_json_get(v, "messages"), *prompt = mb_json_get(v, "prompt");
    if (mb_json_is(prompt, MB_JSON_STRING)) sum += (int64_t)mb_word_count(prompt->str, prompt->len);
    for (uint32_t i = 0; messages && i < messages->count; i++) {
        const mb_json *content = mb_json_get(&messages->children[i], "content");
        if (mb_json_is(content, MB_JSON_STRING)) sum += (int64_t)mb_word_count(content->str, content->len);
        for (uint32_t p = 0; mb_json_is(content, MB_JSON_ARRAY) && p < content->count; p++) {
            const mb_json *text = mb_json_get(&content->children[p], "text");
            if (mb_json_is(text, MB_JSON_STRING)) sum += (int64_t)mb_word_count(text->str, text->len);
        }
    }
    return sum;
}

// What the request asks for that only a model can do; NULL if nothing.
static const char *beyond_us(const mb_json *request) {
    const char *format = mb_json_get_str(mb_json_get(request, "response_format"), "type");
    const mb_json *choice = mb_json_get(request, "tool_choice");
    if (format && strcmp(format, "text") != 0) return "response_format";
    if (mb_json_str_is(choice, "required") || mb_json_is(choice, MB_JSON_OBJECT)) return "tool_choice";
    return NULL;
}

static int refuse(const mb_json *request, mb_turn *turn, membrane_error **err) {
    const char *kind = mb_json_get_str(request, "kind"), *field = beyond_us(request);
    if (kind && strcmp(kind, "chat") != 0 && strcmp(kind, "completion") != 0) {
        mb_error_set(err, MEMBRANE_EUNSUPPORTED,
                     "builtin/extractive answers questions; it cannot do a request of kind %s", kind);
    } else if (!field) {
        return 0;
    } else if (mb_json_bool(mb_json_get(request, "drop_unsupported"), false)) {
        mb_turn_warn(turn, "builtin/extractive ignores %s", field);
        return 0;
    } else {
        mb_error_set(err, MEMBRANE_EUNSUPPORTED, "%s: builtin/extractive cannot do this", field);
    }
    if (err) mb_error_hint(*err, "name a model (-m provider/model), or start a local engine");
    return MEMBRANE_EUNSUPPORTED;
}

int mb_extractive_answer(const mb_json *request, mb_turn *turn, membrane_error **err) {
    int status = refuse(request, turn, err);
    if (status) return status;
    question *q = mb_calloc(1, sizeof *q);
    if (!q) return mb_error_no_memory(err);
    best found = {.count = 0};
    const mb_json *messages = mb_json_get(request, "messages");
    read_question(q, request);
    learn(q, messages);
    rank(q, messages, &found);
    voice v = {.turn = turn, .most = mb_json_int(mb_json_get(request, "max_tokens"), -1)};
    turn->model = "extractive";
    say_answer(&v, q, &found);
    mb_free(q);
    if (v.status) return v.status == MEMBRANE_ENOMEM ? mb_error_no_memory(err) : v.status;
    turn->usage =
        (mb_usage){.input = count_input(request), .cached = 0, .cache_write = 0, .output = v.said, .reasoning = 0};
    if (turn->finish == MB_FINISH_NONE) mb_turn_finish(turn, MB_FINISH_STOP, "stop");
    turn->has_end = true;
    return mb_turn_end(turn);
}
