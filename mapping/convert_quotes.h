/* convert_quotes.h - several people's words in one mail: a forwarded thread
 *
 * Each text is quoted under a line of ours that says who wrote it and when, and followed by one that names what was attached.
 * Texts are untrusted: each is rendered by itself, so that nothing that is left open in one reaches the next, and stands
 * in a quotation of its own, so that no line in it can pass for one of ours. Internal to mapping/convert*.
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>

struct strbuf;

struct convert_out_quote {
    const char *intro, *outro; /* ours: one line of clean UTF-8; outro "" for none */
    size_t offset, size;       /* of the text (CommonMark) in the content; size 0: just the lines */
};

/* Appends all of them. plain: without rendering, as they were written. How many could not be rendered (too long, too deep) and
 * stand there as they were written is added to *unrendered. */
void convert_quotes_to_text(struct strbuf *out, const char *content, const struct convert_out_quote *quotes,
                            size_t count, bool plain, size_t *unrendered);
/* One of them under a text, or within a document, that is there already. */
void convert_quotes_add_text(struct strbuf *out, const char *content, const struct convert_out_quote *quote, bool plain,
                             size_t *unrendered);
void convert_quotes_add_html(struct strbuf *out, const char *content, const struct convert_out_quote *quote, bool plain,
                             size_t *unrendered);
/* A whole document. */
void convert_quotes_to_html(struct strbuf *out, const char *content, const struct convert_out_quote *quotes,
                            size_t count, bool plain, size_t *unrendered);
