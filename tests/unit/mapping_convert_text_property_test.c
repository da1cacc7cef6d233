/* Plain text renders as its sender wrote it: for generated texts and all texts of the corpus, what a reader sees of the
 * CommonMark is the text again. What may differ is said here, and nothing else:
 *
 * - blanks at line ends, and what does not show (an empty line may have blanks); tabs are the blanks they stand for
 * - several empty lines in a row are one; beside quotes, lists, code, rules and signatures one may appear or go
 * - ">" marks are quotes, but not where it stands before "From " only, or nowhere less than thrice; a line of three or more "-", "_", "*", "=" or "~" is a rule
 * - items of lists begin with a bullet or "1.", whichever bullet or bracket was typed; their indentation is the list's
 * - "```" around code does not show
 *
 * POSTERN_SEED repeats a run, POSTERN_ROUNDS says how many texts of each kind (2,000). POSTERN_PAIRS names a file to
 * which texts and their CommonMark are written, each behind its length, for another judge (tests/e2e/test_render.py). */
#include <ctype.h>
#include <dirent.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/strbuf.h"
#include "base/xmalloc.h"
#include "mapping/convert_charset.h"
#include "mapping/convert_commonmark.h"
#include "mapping/convert_input.h"
#include "mapping/convert_limits.h"
#include "mapping/convert_markdown.h"
#include "mapping/convert_markdown_events.h"
#include "mapping/convert_mime_scan.h"
#include "mapping/convert_text.h"
#include "mapping/convert_text_columns.h"
#include "mapping/convert_transfer.h"
#include "mapping/convert_utf8.h"
#include "tests/unit/mapping_convert_text_alphabets.h"

enum { MAX = 4 << 20, TAB = 8 };

#define BULLET "\x02" /* unlike "-" no part of a rule */

/* ---- what a reader sees ---- */

struct list_level {
    bool is_numbered;
    unsigned number;
};

struct view {
    struct strbuf out;  /* lines: quote marks, a blank, the text */
    struct strbuf line; /* the current one */
    unsigned quotes;
    struct list_level lists[64];
    size_t list_depth;
    bool has_lists;
    bool has_blocks; /* other than paragraphs */
    bool has_markup; /* nothing in plain text may become that */
    bool in_code;
    bool at_item;
};

static void end_view_line(struct view *view)
{
    while (view->line.len > 0 && strchr(" \n", view->line.data[view->line.len - 1]))
        strbuf_truncate(&view->line, view->line.len - 1);
    if (view->line.len > 0) {
        for (unsigned i = 0; i < view->quotes; i++)
            strbuf_add_char(&view->out, '>');
        strbuf_add_char(&view->out, ' ');
        strbuf_add(&view->out, view->line.data, view->line.len);
        strbuf_add_char(&view->out, '\n');
    }
    strbuf_clear(&view->line);
}

static void begin_view_line(struct view *view)
{
    if (!view->at_item)
        return;
    view->at_item = false;
    struct list_level *list = &view->lists[view->list_depth - 1];
    if (list->is_numbered)
        strbuf_add_fmt(&view->line, "%u. ", list->number++);
    else
        strbuf_add_str(&view->line, BULLET " ");
}

static void on_enter(void *ctx, enum markdown_node node, const struct markdown_detail *detail)
{
    struct view *view = ctx;
    if (node < MARKDOWN_EM)
        end_view_line(view);
    switch (node) {
    case MARKDOWN_QUOTE:
        view->quotes++;
        view->has_blocks = true;
        break;
    case MARKDOWN_BULLETS:
    case MARKDOWN_NUMBERS:
        assert_true(view->list_depth < 64);
        view->lists[view->list_depth++] = (struct list_level){ node == MARKDOWN_NUMBERS, detail->number };
        view->has_lists = view->has_blocks = true;
        break;
    case MARKDOWN_ITEM:
        view->at_item = true;
        break;
    case MARKDOWN_RULE:
        begin_view_line(view);
        strbuf_add_str(&view->line, "---");
        end_view_line(view);
        view->has_blocks = true;
        break;
    case MARKDOWN_CODE_BLOCK:
        view->in_code = view->has_blocks = true;
        break;
    case MARKDOWN_PARAGRAPH:
        strbuf_add_char(&view->out, '\n'); /* an empty line, compared where there are only paragraphs */
        break;
    case MARKDOWN_LINK:
        break;
    case MARKDOWN_HEADING:
    case MARKDOWN_TABLE:
    case MARKDOWN_ROW:
    case MARKDOWN_HEAD_CELL:
    case MARKDOWN_CELL:
    case MARKDOWN_EM:
    case MARKDOWN_STRONG:
    case MARKDOWN_STRIKE:
    case MARKDOWN_IMAGE:
    case MARKDOWN_CODE:
    case MARKDOWN_NODE_COUNT:
        view->has_markup = true;
        break;
    }
}

static void on_leave(void *ctx, enum markdown_node node, const struct markdown_detail *detail)
{
    struct view *view = ctx;
    (void)detail;
    if (node < MARKDOWN_EM)
        end_view_line(view);
    if (node == MARKDOWN_QUOTE)
        view->quotes--;
    else if (node == MARKDOWN_BULLETS || node == MARKDOWN_NUMBERS)
        view->list_depth--;
    else if (node == MARKDOWN_CODE_BLOCK)
        view->in_code = false;
}

static void on_text(void *ctx, const char *text, size_t len)
{
    struct view *view = ctx;
    for (size_t i = 0; i < len; i++) {
        if (text[i] == '\n' && view->in_code) {
            end_view_line(view);
            continue;
        }
        begin_view_line(view);
        strbuf_add_char(&view->line, text[i]);
    }
}

static void on_break(void *ctx)
{
    end_view_line(ctx);
}

/* ---- what was written ---- */

static void add_visible(struct strbuf *out, const char *text, size_t len)
{
    size_t column = 0;
    for (size_t i = 0; i < len;) {
        uint32_t code;
        size_t n = convert_utf8_char(text + i, len - i, &code);
        size_t wide = code == '\t' ? TAB - column % TAB : 0;
        if (code == 0xA0 || code == '\t')
            for (size_t k = 0; k < (wide > 0 ? wide : 1); k++)
                strbuf_add_char(out, ' ');
        else
            strbuf_add(out, text + i, n > 0 ? n : 1);
        column += wide > 0 ? wide : convert_text_width(code);
        i += n > 0 ? n : 1;
    }
    while (out->len > 0 && out->data[out->len - 1] == ' ')
        strbuf_truncate(out, out->len - 1);
}

static bool is_rule(const char *text)
{
    char rule = text[strspn(text, " ")];
    const char set[] = { rule, ' ', '\0' };
    size_t count = 0;
    for (const char *c = text; *c; c++)
        count += *c == rule;
    return rule && strchr("-_*=~", rule) && strspn(text, set) == strlen(text) && count >= (rule == '~' ? 4 : 3);
}

static bool is_fence(const char *text)
{
    size_t n = strspn(text, *text == '~' ? "~" : "`");
    return n >= 3 && (*text == '`' || n == 3) &&
           strspn(text + n, "abcdefghijklmnopqrstuvwxyz0123456789+-_.# ") == strlen(text + n);
}

/* The same for both sides: marker and indentation of what may be an item; rules; fences gone. loose: lists are there. */
static void add_canonical(struct strbuf *out, const char *marks, const char *text, bool loose)
{
    if (is_fence(text))
        return;
    if (is_rule(text))
        text = "---";
    const char *at = loose ? text + strspn(text, " ") : text;
    if (*at == '\0')
        return;
    strbuf_add_str(out, marks);
    strbuf_add_char(out, ' ');
    size_t digits = strspn(at, "0123456789");
    bool is_item = loose && ((digits == 0 && strchr("-*+" BULLET, *at) && at[1] == ' ') ||
                             (digits > 0 && at[digits] && strchr(".)", at[digits]) && at[digits + 1] == ' '));
    if (is_item) {
        if (digits > 0)
            strbuf_add(out, at, digits);
        strbuf_add_str(out, digits > 0 ? ". " : "- ");
        add_canonical(out, "", at + digits + 1 + strspn(at + digits + 1, " "), loose);
        return;
    }
    strbuf_add_str(out, at);
    strbuf_add_char(out, '\n');
}

/* Flowed lines that belong together, as in RFC 3676; other lines as they are. Returns where the next begins. */
static const char *take_line(const char *at, bool has_prompts, bool is_flowed, bool is_delsp, struct strbuf *marks,
                             struct strbuf *text)
{
    strbuf_clear(marks);
    strbuf_clear(text);
    for (bool goes_on = true; goes_on && *at;) {
        const char *start = at;
        size_t depth = 0;
        while (*at == '>' && !has_prompts && depth < CONVERT_QUOTE_DEPTH_MAX) {
            depth++;
            at++;
            if (at[0] == ' ' && at[1] == '>')
                at++;
        }
        if (*at == ' ' && (is_flowed || depth > 0))
            at++;
        size_t len = strcspn(at, "\n");
        bool is_blank = convert_text_is_blank(at, len);
        bool is_signature = len == 2 ? memcmp(at, "--", 2) == 0 : len == 3 && memcmp(at, "-- ", 3) == 0;
        if (text->len > 0 && (marks->len != depth || is_blank || is_signature))
            return start;
        while (marks->len < depth)
            strbuf_add_char(marks, '>');
        goes_on = is_flowed && len > 0 && at[len - 1] == ' ' && !is_signature && !is_blank;
        strbuf_add(text, at, len - (goes_on && is_delsp));
        at += len + (at[len] == '\n');
    }
    return at;
}

/* What reads the same on both sides; loose: indentation and markers of lists don't count. */
static void canonical_source(struct strbuf *out, const char *clean, bool is_flowed, bool is_delsp, bool loose)
{
    struct strbuf marks, text, seen;
    strbuf_init(&marks, MAX);
    strbuf_init(&text, MAX);
    strbuf_init(&seen, MAX);
    bool has_prompts = true;   /* ">>> " of an interpreter, and no other mark */
    bool has_only_from = true; /* ">From ", and no other mark */
    for (const char *at = clean; *at; at += strcspn(at, "\n"), at += *at == '\n') {
        if (*at == '>' && (strncmp(at, ">>>", 3) != 0 || (at[3] && !strchr(" \n", at[3]))))
            has_prompts = false;
        if (*at == '>' && strncmp(at, ">From ", 6) != 0)
            has_only_from = false;
    }
    for (const char *at = clean; *at;) {
        at += has_only_from && *at == '>';
        at = take_line(at, has_prompts, is_flowed, is_delsp, &marks, &text);
        strbuf_clear(&seen);
        if (!convert_text_is_blank(text.data, text.len))
            add_visible(&seen, text.data, text.len);
        add_canonical(out, marks.data, seen.data, loose);
    }
    strbuf_free(&marks);
    strbuf_free(&text);
    strbuf_free(&seen);
}

static void canonical_view(struct strbuf *out, const char *view, bool loose)
{
    struct strbuf seen, marks;
    strbuf_init(&seen, MAX);
    strbuf_init(&marks, MAX);
    for (const char *at = view; *at;) {
        size_t len = strcspn(at, "\n");
        strbuf_clear(&seen);
        strbuf_clear(&marks);
        size_t depth = strspn(at, ">");
        if (len > depth) {
            strbuf_add(&marks, at, depth);
            add_visible(&seen, at + depth + 1, len - depth - 1);
        }
        if (!convert_text_is_blank(seen.data, seen.len))
            add_canonical(out, marks.data, seen.data, loose);
        at += len + (at[len] == '\n');
    }
    strbuf_free(&seen);
    strbuf_free(&marks);
}

/* ---- the judge ---- */

enum verdict { SAME, DIFFERENT, MARKUP, TOO_LONG };

static struct view view_of(const char *commonmark, enum verdict *verdict_out)
{
    struct view view = { 0 };
    strbuf_init(&view.out, (size_t)MAX * 4);
    strbuf_init(&view.line, (size_t)MAX * 4);
    const struct markdown_events events = { on_enter, on_leave, on_text, on_break, &view.out };
    int result = markdown_parse(commonmark, strlen(commonmark), NULL, &events, &view);
    *verdict_out = result != 1 ? TOO_LONG : view.has_markup ? MARKUP : SAME;
    end_view_line(&view);
    strbuf_free(&view.line);
    return view;
}

/* Paragraphs are where empty lines were: compared when there is nothing else. */
static bool has_same_paragraphs(const char *clean, const char *view)
{
    size_t written = 0, seen = 0;
    bool in_paragraph = false;
    for (const char *at = clean; *at;) {
        size_t len = strcspn(at, "\n");
        bool is_blank = convert_text_is_blank(at, len);
        bool is_signature = len == 2 ? memcmp(at, "--", 2) == 0 : len == 3 && memcmp(at, "-- ", 3) == 0;
        written += !is_blank && (!in_paragraph || is_signature);
        in_paragraph = !is_blank;
        at += len + (at[len] == '\n');
    }
    for (const char *at = view; *at; at++)
        seen += *at == '\n' && (at == view || at[-1] == '\n');
    return written == seen;
}

static enum verdict judge(const char *text, size_t len, const char *commonmark, bool is_flowed, bool is_delsp)
{
    enum verdict verdict;
    struct view view = view_of(commonmark, &verdict);
    struct strbuf clean, written, seen;
    strbuf_init(&clean, len * 3 + 1);
    strbuf_init(&written, (size_t)MAX * 8);
    strbuf_init(&seen, (size_t)MAX * 8);
    convert_text_clean(&clean, text, len);
    canonical_source(&written, clean.data, is_flowed, is_delsp, view.has_lists);
    canonical_view(&seen, view.out.data, view.has_lists);
    if (verdict == SAME && strcmp(written.data, seen.data) != 0)
        verdict = DIFFERENT;
    bool has_quotes = *clean.data == '>' || strstr(clean.data, "\n>");
    if (verdict == SAME && !view.has_blocks && !is_flowed && !has_quotes &&
        !has_same_paragraphs(clean.data, view.out.data))
        verdict = DIFFERENT;
    if (verdict == DIFFERENT)
        print_error("written:\n%sseen:\n%s", written.data, seen.data);
    strbuf_free(&view.out);
    strbuf_free(&clean);
    strbuf_free(&written);
    strbuf_free(&seen);
    return verdict;
}

static char *to_commonmark(const char *text, size_t len, bool is_flowed, bool is_delsp)
{
    struct strbuf out;
    strbuf_init(&out, (size_t)MAX * 8);
    struct commonmark_writer *writer = commonmark_writer_new(&out);
    const struct convert_text_format format = { is_flowed, is_delsp };
    convert_text_write(writer, text, len, &format, NULL);
    commonmark_writer_free(&writer);
    assert_true(strbuf_ok(&out));
    return strbuf_detach(&out);
}

/* For the other judge: fixed texts, whose marks are all in the lines themselves. */
static void write_pair(const char *text, size_t len, const char *commonmark)
{
    const char *path = getenv("POSTERN_PAIRS");
    FILE *file = path ? fopen(path, "ae") : NULL;
    if (!file)
        return;
    struct strbuf clean;
    strbuf_init(&clean, len * 3 + 1);
    convert_text_clean(&clean, text, len);
    fprintf(file, "%zu %zu\n%s%s", clean.len, strlen(commonmark), clean.data, commonmark);
    fclose(file);
    strbuf_free(&clean);
}

static bool renders_as_written(const char *text, size_t len, bool is_flowed, bool is_delsp)
{
    char *commonmark = to_commonmark(text, len, is_flowed, is_delsp);
    enum verdict verdict = judge(text, len, commonmark, is_flowed, is_delsp);
    if (!is_flowed)
        write_pair(text, len, commonmark);
    if (verdict == DIFFERENT || verdict == MARKUP)
        print_error("%s of:\n%s\nas:\n%s\n", verdict == MARKUP ? "markup" : "another text", text, commonmark);
    free(commonmark);
    return verdict == SAME || verdict == TOO_LONG;
}

static void test_renders_as_written(void **state)
{
    (void)state;
    static const char *const texts[] = {
        "plain",
        "*a* **b** _c_ __d__ ~e~ ~~f~~ `g` ``h`` <i> </i> <!-- --> &copy; &#65; ![x](y) [x](y) [x]: y [x]",
        "# h\n## h\n###### h\n####### h\n#",
        "- a\n+ b\n* c\n1. d\n2) e\n123456789. f\n1234567890. g\n-\n+\n*",
        "a\n===\nb\n---\nc\n***\nd\n___\ne\n- - -\nf\n_ _ _",
        "a | b\n--- | ---\n1 | 2",
        "|a|b|\n|---|:-:|\n|1|2|",
        "```\nfence\n```\n~~~\nfence\n~~~",
        "[a]: http\n[a]\n[^1]: foot\n[^1]",
        "back \\ slash \\\\ \\* \\\nend \\",
        "    four blanks\n\ttab",
        "a  b   c    d",
        "https://example.com/?a=b&c=d_e_f*g* http://x.example/(y)",
        "https://example.com/?a&copy;b&c=d",
        "<https://example.com> <bob@example.com> <mailto:bob@example.com>",
        ":::\n:::>\n:smile:",
        "1\\. 1\\) \\- \\# \\+",
        "end with backtick ` and star * and _",
        "a*b*c d_e_f g~h~i *a _b* c_ **a*b** ***",
        "!\n![\n]\n](\n][\n[]()",
        "&\n&;\n&#;\n&#x;\n&a;\n&amp",
        "<\n<a\n<a>\n</a>\n<?x?>\n<!x>\n<3",
        "<div>\nblock\n</div>",
        "<]1:>\n< x-:.>\n<<a:x>\n<>a:x>", /* md4c takes any character for a scheme's first */
        "`one' ``x`` y``",                /* escaping one run leaves single backticks */
        "`\n* star\n```",                 /* likewise, a fence */
        "- --\n- @",                      /* a marker and dashes are a rule */
        "+ --\n+ @",
        "[]:\n<<\\]:x\n#",                         /* a link's definition over two lines */
        "*a\n<http://example.com/long\n*a\npath>", /* md4c lets a link's destination close emphasis */
        "***\nfoo **bar",                          /* half a run that is escaped is another run */
        "\"quotes\" 'and' (brackets) {braces} $math$ $$x$$",
        "=\n==\na\n=",
        "x\n:-\ny\n:-:",
    };
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++)
        assert_true(renders_as_written(texts[i], strlen(texts[i]), false, false));
}

/* Every short combination of the characters that CommonMark knows. */
static void test_renders_all_combinations(void **state)
{
    (void)state;
    static const char alphabet[] = "a1 *_`[]()<>#-+=|~:\\!&;.\n";
    enum { LENGTH = 3, LETTERS = sizeof alphabet - 1 };
    for (unsigned n = 0; n < LETTERS * LETTERS * LETTERS; n++) {
        char text[LENGTH + 3] = { 'x' };
        unsigned rest = n;
        for (size_t i = 1; i <= LENGTH; i++, rest /= LETTERS)
            text[i] = alphabet[rest % LETTERS];
        text[LENGTH + 1] = 'y';
        assert_true(renders_as_written(text, LENGTH + 2, false, false));
        assert_true(renders_as_written(text + 1, LENGTH + 1, false, false)); /* the same at the start of a line */
        assert_true(renders_as_written(text + 1, LENGTH, false, false));     /* and at the end */
    }
}

/* ---- generated texts ---- */

static uint64_t random_state;

static unsigned pick(unsigned below)
{
    random_state = random_state * 6364136223846793005u + 1442695040888963407u;
    return (unsigned)(random_state >> 33) % below;
}

static void make_text(struct strbuf *text, const char *const pieces[], size_t count, unsigned most, const char *between)
{
    strbuf_clear(text);
    for (unsigned n = 1 + pick(most); n > 0; n--) {
        strbuf_add_str(text, pieces[pick((unsigned)count)]);
        if (n > 1)
            strbuf_add_str(text, pick(6) == 0 ? "\n" : between);
    }
}

static void run_generated(const char *const pieces[], size_t count, unsigned most, const char *between)
{
    const char *seed = getenv("POSTERN_SEED");
    const char *wanted = getenv("POSTERN_ROUNDS");
    random_state = seed ? strtoull(seed, NULL, 10) : 1;
    unsigned long rounds = wanted ? strtoul(wanted, NULL, 10) : 2000;
    struct strbuf text;
    strbuf_init(&text, MAX);
    for (unsigned long i = 0; i < rounds; i++) {
        uint64_t state = random_state;
        make_text(&text, pieces, count, most, between);
        unsigned format = pick(8);
        if (!renders_as_written(text.data, text.len, format == 0 || format == 1, format == 1))
            fail_msg("round %lu, POSTERN_SEED=%llu repeats it as the first", i, (unsigned long long)state);
    }
    strbuf_free(&text);
}

static void test_marks(void **state)
{
    (void)state;
    run_generated(text_signs, sizeof text_signs / sizeof *text_signs, 14, "");
}

static void test_words(void **state)
{
    (void)state;
    run_generated(text_words, sizeof text_words / sizeof *text_words, 12, " ");
}

static void test_words_run_together(void **state)
{
    (void)state;
    run_generated(text_words, sizeof text_words / sizeof *text_words, 6, "");
}

static void test_lines(void **state)
{
    (void)state;
    run_generated(text_lines, sizeof text_lines / sizeof *text_lines, 10, "\n");
}

/* ---- the corpus ---- */

static void collect(const void *data, size_t len, void *ctx)
{
    strbuf_add(ctx, data, len);
}

/* NOLINTNEXTLINE(misc-no-recursion): as deep as the mail's multiparts */
static unsigned judge_parts(struct convert_charsets *charsets, const struct convert_part *part, const char *name)
{
    unsigned wrong = 0;
    for (size_t i = 0; i < part->child_count; i++)
        wrong += judge_parts(charsets, part->children[i], name);
    if (part->child_count > 0 || !convert_part_is(part, "text", "plain"))
        return wrong;
    struct strbuf bytes, text;
    strbuf_init(&bytes, MAX);
    strbuf_init(&text, MAX);
    convert_transfer_decode(part->about.encoding, part->content, part->content_len, NULL, collect, &bytes);
    convert_charset_decode(charsets, part->about.charset, bytes.data, bytes.len, &text);
    bool is_same =
        strbuf_ok(&text) && renders_as_written(text.data, text.len, part->about.is_flowed, part->about.is_delsp);
    if (!is_same)
        print_error("%s\n", name);
    strbuf_free(&bytes);
    strbuf_free(&text);
    return wrong + !is_same;
}

static unsigned judge_mail(struct convert_charsets *charsets, const char *name)
{
    struct strbuf path, mail;
    strbuf_init(&path, 4096);
    strbuf_init(&mail, (size_t)64 << 20);
    strbuf_add_fmt(&path, POSTERN_SOURCE_DIR "/tests/corpora/in/%s", name);
    FILE *file = fopen(path.data, "rbe");
    assert_non_null(file);
    char piece[65536];
    for (size_t n; (n = fread(piece, 1, sizeof piece, file)) > 0;)
        strbuf_add(&mail, piece, n);
    fclose(file);
    struct convert_input input = convert_input_of(mail.data, mail.len);
    const char *error;
    struct convert_part *root = convert_mime_scan(charsets, &input, &error);
    unsigned wrong = root ? judge_parts(charsets, root, name) : 0;
    convert_part_free(&root);
    strbuf_free(&path);
    strbuf_free(&mail);
    return wrong;
}

static void test_corpus(void **state)
{
    (void)state;
    struct convert_charsets *charsets = convert_charsets_new();
    DIR *dir = opendir(POSTERN_SOURCE_DIR "/tests/corpora/in");
    assert_non_null(dir);
    unsigned wrong = 0;
    unsigned count = 0;
    for (const struct dirent *entry; (entry = readdir(dir));) {
        if (strlen(entry->d_name) > 4 && strcmp(entry->d_name + strlen(entry->d_name) - 4, ".eml") == 0) {
            wrong += judge_mail(charsets, entry->d_name);
            count++;
        }
    }
    closedir(dir);
    convert_charsets_free(&charsets);
    assert_int_equal(wrong, 0);
    assert_in_range(count, 90, 10000);
}

/* A judge that sees nothing would agree with everything. */
static void test_missing_escapes_are_seen(void **state)
{
    (void)state;
    static const char *const texts[] = { "*bold*",    "_it_",   "`code`", "~~no~~", "[a](b)",     "a\\*b",
                                         "x &amp; y", "# x\n#", "a\n===", "- ",     "<http://a>b" };
    unsigned seen = 0;
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        char *commonmark = to_commonmark(texts[i], strlen(texts[i]), false, false);
        size_t n = 0;
        for (const char *c = commonmark; *c; c++) {
            if (*c != '\\')
                commonmark[n++] = *c;
        }
        commonmark[n] = '\0';
        seen += judge(texts[i], strlen(texts[i]), commonmark, false, false) != SAME;
        free(commonmark);
    }
    assert_in_range(seen, 7, sizeof texts / sizeof *texts);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_renders_as_written),
        cmocka_unit_test(test_renders_all_combinations),
        cmocka_unit_test(test_marks),
        cmocka_unit_test(test_words),
        cmocka_unit_test(test_words_run_together),
        cmocka_unit_test(test_lines),
        cmocka_unit_test(test_corpus),
        cmocka_unit_test(test_missing_escapes_are_seen),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
