// SPDX-License-Identifier: MIT
// The answer without a model, down to the byte; its sentences, its words, and texts made to be expensive.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "route/extractive.h"
#include "route/sentences.h"
#include "route/words.h"
#include "unit.h"

// ---- sentences -----------------------------------------------------------------------------------------------------

// All sentences as "LINE|TEXT\n"; static.
static const char *split(const char *name, const char *text, size_t len) {
    static mb_buf out;
    mb_buf_free(&out);
    out = MB_BUF(1 << 26);
    mb_sentence s;
    for (mb_sentences all = mb_sentences_of(name, text, len); mb_sentences_next(&all, &s);) {
        mb_buf_putf(&out, "%u|", s.line);
        mb_buf_put(&out, s.text, s.len);
        mb_buf_putc(&out, '\n');
    }
    return mb_buf_text(&out);
}

static void splits(const char *text, const char *want) { ck_assert_str_eq(split("a.md", text, strlen(text)), want); }

START_TEST(sentences_know_their_lines) {
    splits("One. Two!\nThree? Four", "1|One.\n1|Two!\n2|Three?\n2|Four\n");
    splits("It runs\nover lines. And\n\non.", "1|It runs\nover lines.\n2|And\n4|on.\n");
    splits("Ends.  \nNext. \n", "1|Ends.\n2|Next.\n");
    splits("\r\n\r\nA line.\r\nB.\r\n", "3|A line.\n4|B.\n");
    splits("", "");
    splits("...", "1|...\n");
    splits("你好。再见！", "1|你好。\n1|再见！\n");
    splits("He said \"go.\" She (too.) went.", "1|He said \"go.\"\n1|She (too.)\n1|went.\n");
}
END_TEST

START_TEST(shortened_words_and_numbers_do_not_end_a_sentence) {
    splits("Use e.g. this, i.e. that. Or not.", "1|Use e.g. this, i.e. that.\n1|Or not.\n");
    splits("(e.g. here) it is 3.5 now. Mr. X agrees.", "1|(e.g. here) it is 3.5 now.\n1|Mr. X agrees.\n");
    splits("See No. 5. No. That is all.", "1|See No. 5.\n1|No.\n1|That is all.\n");
    splits("J. Smith wrote llama.cpp. It runs.", "1|J. Smith wrote llama.cpp.\n1|It runs.\n");
}
END_TEST

START_TEST(markdown_is_understood) {
    splits("# A title. Really\ntext goes on\n## Two\nmore", "1|A title. Really\n2|text goes on\n3|Two\n4|more\n");
    splits("- one\n- two is\n  long\n* three. four\n1. five", "1|one\n2|two is\n  long\n4|three.\n4|four\n5|five\n");
    splits("Title\n=====\nText\n---\n***\n", "1|Title\n3|Text\n");
    splits("| a | b |\n|---|:-:|\n| c | d |\n", "1|| a | b |\n3|| c | d |\n");
    splits("> quoted text. more\n> of it.", "1|quoted text.\n1|more\n> of it.\n");
    splits("Do:\n\n```sh\ncd x; ls\n# run. it\n\nmake\n```\nDone.",
           "1|Do:\n4|cd x; ls\n5|# run. it\n7|make\n9|Done.\n");
    splits("~~~~\n```\n~~~\na\n~~~~\nb", "2|```\n3|~~~\n4|a\n6|b\n");
    splits("```\nnever closed", "2|never closed\n");
}
END_TEST

START_TEST(every_line_of_a_program_is_a_sentence) {
    const char *text = "int a = 1;\nint b; // one. two\n";
    ck_assert_str_eq(split("x.C", text, strlen(text)), "1|int a = 1;\n2|int b; // one. two\n");
}
END_TEST

START_TEST(long_runs_are_cut_between_words) {
    char text[20000], *p = text;
    for (int i = 0; i < 2500; i++) p += sprintf(p, "word%d ", i % 10);
    mb_sentences all = mb_sentences_of(NULL, text, (size_t)(p - text));
    mb_sentence s;
    for (int i = 0; mb_sentences_next(&all, &s); i++) {
        ck_assert_uint_le(s.len, MB_SENTENCE_BYTES + 200);
        ck_assert(s.text[0] == 'w' && s.text[s.len - 1] != ' ');
    }
    for (size_t i = 0; i + 3 < sizeof text; i += 3) memcpy(text + i, "\xE4\xBD\xA0", 3);
    all = mb_sentences_of(NULL, text, sizeof text / 3 * 3);
    while (mb_sentences_next(&all, &s)) ck_assert_msg(s.text[0] == '\xE4' || s.len < 3, "a character was cut");
}
END_TEST

// ---- words ---------------------------------------------------------------------------------------------------------

static const char *words_of(const char *text) {
    static char out[512];
    mb_word w;
    char *p = out;
    for (size_t at = 0; mb_word_next(text, strlen(text), &at, &w);)
        p += w.is_mark ? sprintf(p, "+") : sprintf(p, "%s[%.*s]", mb_word_is_stop(&w) ? "-" : "", (int)w.len, w.text);
    return out;
}

START_TEST(words_are_lower_case_and_marks_are_counted) {
    ck_assert_str_eq(words_of("How DO I, add v2.5?"), "-[how]-[do]-[i]+[add][v2]+[5]+");
    ck_assert_str_eq(words_of("don't include_usage"), "-[don]+-[t][include]+[usage]");
    ck_assert_str_eq(words_of("ÄRGER Ÿ Ångström ŠIŽ Ωμέγα ЁЖ ＡＢ"), "[ärger][ÿ][ångström][šiž][ωμέγα][ёж][ａｂ]");
    ck_assert_str_eq(words_of("东京の夜。«x» — “y”"), "[东][京]-[の][夜]++[x]+++[y]+");
    ck_assert_uint_eq(mb_word_count("One, two.", 9), 4);
    ck_assert_uint_eq(mb_word_count("\xFF\xFE", 2), 2);
    ck_assert_uint_eq(mb_word_count("", 0), 0);
}
END_TEST

// ---- answers -------------------------------------------------------------------------------------------------------

typedef struct heard {
    int pieces, stop_after; // stop_after: answer 7 at that piece
    mb_buf text;
} heard;

static int hear(void *user, const char *text, size_t len) {
    heard *h = user;
    mb_buf_put(&h->text, text, len);
    return ++h->pieces == h->stop_after ? 7 : 0;
}

static int answer(const char *request, heard *h, mb_turn *turn, membrane_error **err) {
    mb_arena arena = {0};
    const mb_json *tree = NULL;
    h->text = MB_BUF(1 << 20);
    mb_turn_init(turn, (mb_turn_sink){.user = h, .text = hear});
    int status = mb_json_parse(&arena, request, strlen(request), &tree, err);
    if (!status) status = mb_extractive_answer(tree, turn, err);
    mb_arena_free(&arena);
    return status;
}

static void says(const char *request, const char *want) {
    heard h = {0};
    mb_turn turn;
    membrane_error *err = NULL;
    int status = answer(request, &h, &turn, &err);
    ck_assert_msg(status == 0, "%s", membrane_error_message(err));
    ck_assert_str_eq(mb_buf_text(&h.text), want);
    ck_assert_str_eq(mb_buf_text(&turn.text), want);
    ck_assert_int_eq(turn.finish, MB_FINISH_STOP);
    ck_assert(turn.has_end && turn.has_finish);
    ck_assert_int_eq(turn.usage.output, (int64_t)mb_word_count(want, strlen(want)));
    mb_turn_free(&turn);
    mb_buf_free(&h.text);
}

#define HEAD "Extractive answer, no model: the sentences of the attached text that fit the question best.\n\n"
#define HOW                                                                                                            \
    "To get a model, start an engine (\"ollama serve\") or set a key such as OPENAI_API_KEY, then ask again; "         \
    "\"membrane doctor\" says what it finds.\n"

START_TEST(the_best_sentences_come_in_reading_order_with_file_and_line) {
    says(
        "{\"messages\":[{\"role\":\"user\",\"content\":[{\"type\":\"text\",\"text\":\"Where do the cats sleep?\"},"
        "{\"type\":\"document\",\"name\":\"pets.md\",\"text\":\"# Pets\\n\\nDogs bark. All\\ncats sleep in baskets. Where the "
        "dogs are, we do not know.\\nMost cats purr.\\n\"}]}]}",
        HEAD "All cats sleep in baskets. (pets.md:3)\nMost cats purr. (pets.md:5)\n");
}
END_TEST

START_TEST(tool_results_are_named_after_their_tool) {
    says(
        "{\"messages\":[{\"role\":\"user\",\"content\":\"weather paris\"},{\"role\":\"assistant\",\"content\":null,"
        "\"tool_calls\":[{\"id\":\"c1\",\"type\":\"function\",\"function\":{\"name\":\"get_weather\",\"arguments\":\"{}\"}}]},"
        "{\"role\":\"tool\",\"tool_call_id\":\"c1\",\"content\":\"Paris: sunny. Rome: rain.\"}]}",
        HEAD "Paris: sunny. (get_weather:1)\n");
}
END_TEST

START_TEST(the_last_question_counts_and_earlier_files_are_still_there) {
    says(
        "{\"messages\":[{\"role\":\"user\",\"content\":[{\"type\":\"document\",\"name\":\"a\\nb\",\"text\":\"Red apples. Green "
        "pears. Green pears.\"},{\"type\":\"text\",\"text\":\"apples?\"}]},{\"role\":\"assistant\",\"content\":\"yes, apples\"},"
        "{\"role\":\"user\",\"content\":\"And PEARS?\"}]}",
        HEAD "Green pears. (a b:1)\n");
}
END_TEST

START_TEST(at_most_five_sentences_are_given) {
    heard h = {0};
    mb_turn turn;
    mb_buf request = MB_BUF(1 << 20);
    mb_buf_puts(&request, "{\"messages\":[{\"role\":\"user\",\"content\":[{\"type\":\"text\",\"text\":\"x fox\"},"
                          "{\"type\":\"document\",\"name\":\"f\",\"text\":\"");
    for (int i = 0; i < 40; i++) mb_buf_putf(&request, "The fox %d%s.\\n", i, i > 33 ? " x" : "");
    mb_buf_puts(&request, "\"}]}]}");
    ck_assert_int_eq(answer(mb_buf_text(&request), &h, &turn, NULL), 0);
    ck_assert_str_eq(mb_buf_text(&h.text), HEAD "The fox 34 x. (f:35)\nThe fox 35 x. (f:36)\nThe fox 36 x. (f:37)\n"
                                                "The fox 37 x. (f:38)\nThe fox 38 x. (f:39)\n");
    ck_assert_int_eq(h.pieces, 6); // it streams
    mb_buf_free(&request);
    mb_buf_free(&h.text);
    mb_turn_free(&turn);
}
END_TEST

START_TEST(it_says_when_there_is_nothing_to_answer_from) {
    says(
        "{\"messages\":[{\"role\":\"user\",\"content\":\"Why is the sky blue?\"}]}",
        "Extractive answer, no model: there is nothing to answer from, because no text file was attached and no tool gave a "
        "result.\n" HOW);
    says(
        "{\"kind\":\"completion\",\"prompt\":\"Once upon\"}",
        "Extractive answer, no model: there is nothing to answer from, because no text file was attached and no tool gave a "
        "result.\n" HOW);
    says(
        "{\"messages\":[{\"role\":\"user\",\"content\":[{\"type\":\"text\",\"text\":\"Why is the sky blue?\"},"
        "{\"type\":\"document\",\"name\":\"f\",\"text\":\"Why is the grass green?\"}]}]}",
        "Extractive answer, no model: there is nothing to answer from, because no sentence of the attached text shares a word "
        "with the question.\n" HOW);
    says(
        "{\"messages\":[{\"role\":\"user\",\"content\":[{\"type\":\"text\",\"text\":\"What is this?\"},"
        "{\"type\":\"document\",\"name\":\"f\",\"text\":\"What is it?\"}]}]}",
        "Extractive answer, no model: there is nothing to answer, because the question holds no word to look for.\n" HOW);
}
END_TEST

#define PETS(more)                                                                                                     \
    "{\"messages\":[{\"role\":\"user\",\"content\":[{\"type\":\"text\",\"text\":\"cats\"},"                            \
    "{\"type\":\"document\",\"name\":\"p\",\"text\":\"Cats purr.\"}]}]" more "}"

START_TEST(max_tokens_cuts_it_short) {
    heard h = {0};
    mb_turn turn;
    ck_assert_int_eq(answer(PETS(",\"max_tokens\":4"), &h, &turn, NULL), 0);
    ck_assert_str_eq(mb_buf_text(&h.text), "Extractive answer, no");
    ck_assert_int_eq(turn.finish, MB_FINISH_LENGTH);
    ck_assert_int_eq(turn.usage.output, 4);
    ck_assert_int_eq(turn.usage.input, 4); // cats, Cats, purr, the point
    mb_buf_free(&h.text);
    mb_turn_free(&turn);
}
END_TEST

START_TEST(what_only_a_model_can_do_is_refused) {
    static const char *const REQUESTS[] = {PETS(",\"response_format\":{\"type\":\"json_object\"}"),
                                           PETS(",\"tool_choice\":\"required\""),
                                           "{\"kind\":\"embed\",\"input\":\"x\"}"};
    for (size_t i = 0; i < sizeof REQUESTS / sizeof *REQUESTS; i++) {
        heard h = {0};
        mb_turn turn;
        membrane_error *err = NULL;
        ck_assert_int_eq(answer(REQUESTS[i], &h, &turn, &err), MEMBRANE_EUNSUPPORTED);
        ck_assert_ptr_nonnull(strstr(membrane_error_message(err), "builtin/extractive"));
        membrane_error_free(err);
        mb_turn_free(&turn);
        mb_buf_free(&h.text);
    }
    says(PETS(",\"response_format\":{\"type\":\"json_object\"},\"drop_unsupported\":true"), HEAD "Cats purr. (p:1)\n");
}
END_TEST

START_TEST(a_sink_that_stops_it_is_obeyed) {
    heard h = {.stop_after = 2};
    mb_turn turn;
    ck_assert_int_eq(answer(PETS(""), &h, &turn, NULL), 7);
    ck_assert_int_eq(h.pieces, 2);
    mb_buf_free(&h.text);
    mb_turn_free(&turn);
}
END_TEST

static int answer_pets(void *user) {
    heard h = {0};
    mb_turn turn;
    membrane_error *err = NULL;
    int status = answer(user, &h, &turn, &err);
    if (!status && !mb_buf_ok(&h.text)) status = h.text.failed; // the test's own buffer
    membrane_error_free(err);
    mb_turn_free(&turn);
    mb_buf_free(&h.text);
    return status;
}

START_TEST(every_allocation_may_fail) { unit_every_allocation_fails(answer_pets, (char *)PETS("")); }
END_TEST

// Texts that would be slow if any look-ahead went to the end of a line or of the text more than a few times.
// What grew with the square of these texts would take hours: the suite's own time limit is the guard.
START_TEST(hostile_texts_cost_no_more_than_their_length) {
    static const char *const PIECES[] = {"a. ",   ".)", ">",     "#",        "- ",       "`",          "```\n",
                                         "| a ",  "\n", " ",     "1. x\n",   "Mr. ",     "\xE3\x80",   "-",
                                         "e.g. ", "x",  "\"*_`", "\xEF\xBC", "~~~\nx\n", "> - # | x\n"};
    enum { SIZE = 2 << 20 };
    char *text = malloc(SIZE + 16);
    for (size_t i = 0; i < sizeof PIECES / sizeof *PIECES; i++) {
        size_t n = strlen(PIECES[i]), len = 0;
        for (; len + n <= SIZE; len += n) memcpy(text + len, PIECES[i], n);
        mb_sentence s;
        size_t total = 0, longest = 0; // asserted once: an assertion costs more than a sentence
        for (mb_sentences all = mb_sentences_of("a.md", text, len); mb_sentences_next(&all, &s);) {
            if (s.len > longest) longest = s.len;
            total += s.len + mb_word_count(s.text, s.len);
        }
        ck_assert_uint_le(longest, MB_SENTENCE_BYTES + 203);
        ck_assert_uint_le(total, 2 * len + 2);
    }
    free(text);
}
END_TEST

static void tests(TCase *tc) {
    tcase_add_test(tc, sentences_know_their_lines);
    tcase_add_test(tc, shortened_words_and_numbers_do_not_end_a_sentence);
    tcase_add_test(tc, markdown_is_understood);
    tcase_add_test(tc, every_line_of_a_program_is_a_sentence);
    tcase_add_test(tc, long_runs_are_cut_between_words);
    tcase_add_test(tc, words_are_lower_case_and_marks_are_counted);
    tcase_add_test(tc, the_best_sentences_come_in_reading_order_with_file_and_line);
    tcase_add_test(tc, tool_results_are_named_after_their_tool);
    tcase_add_test(tc, the_last_question_counts_and_earlier_files_are_still_there);
    tcase_add_test(tc, at_most_five_sentences_are_given);
    tcase_add_test(tc, it_says_when_there_is_nothing_to_answer_from);
    tcase_add_test(tc, max_tokens_cuts_it_short);
    tcase_add_test(tc, what_only_a_model_can_do_is_refused);
    tcase_add_test(tc, a_sink_that_stops_it_is_obeyed);
    tcase_add_test(tc, every_allocation_may_fail);
    tcase_add_test(tc, hostile_texts_cost_no_more_than_their_length);
}

UNIT_MAIN("extractive", tests)
