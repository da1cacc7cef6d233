/* web_words.h - what pages share that list things and act on them: the words of a verb, addresses with a query, links to what a text
 * names, what is said after an act
 */
#pragma once
#include "gateway/web.h"
#include "gateway/web_html.h"
#include <stddef.h>

enum { WEB_WORDS_MAX = 32 };

/* The words of one verb. All are borrowed. */
struct web_words {
    const char *words[WEB_WORDS_MAX + 1];
    size_t count;
};
/* Begins with verb and sub-verb (NULL: none). */
struct web_words web_words_of(const char *verb, const char *sub);
void web_words_option(struct web_words *words, const char *name, const char *value); /* NULL or "": left out */
/* From here on nothing is an option: for what comes from outside. After all options. */
void web_words_add(struct web_words *words, const char *word);
struct web_order web_words_order(const struct web_words *words); /* valid as long as words */

/* An address of ours with what stands behind the "?": values that are NULL or "" are left out. */
void web_words_query(struct strbuf *address, const char *name, const char *value);
/* The value of a field of the form; NULL when it is "" or not there. */
const char *web_words_given(const struct web_visit *visit, const char *name);

/* To the story of an entry ("in17"). */
void web_words_entry(struct web_html *html, const char *id);
/* What an act was about, as the audit log has it, with a link to it if it has a page: "mapping 17", "member Alice Member", "in42". */
void web_words_object(struct web_html *html, const char *object);
/* A sentence, with links where it names a mapping or an entry. It may be of anybody: such a link goes to a page of ours. */
void web_words_linked(struct web_html *html, const char *text);

/* First in a form with several buttons and a field for text: Enter in that field presses the first button, and that is to do
 * nothing. It is neither seen nor reached by Tab; its act is "none". */
void web_words_no_default(struct web_html *html);
/* What a POST with an act that is not known is answered. */
const char *web_words_unknown_act(const struct web_visit *visit);

/* Ends a POST that did the same to several: goes to `path`, and says how many were `done` ("released"), and what was refused. */
void web_words_tell(struct web_visit *visit, const char *path, const char *done, const struct web_result *results,
                    size_t count);
