/* web_words.h - what pages share that list things and act on them: the words of a verb, addresses with a query, links to what a text
 * names, what is said after an act
 */
#pragma once
#include "gateway/web.h"
#include "gateway/web_html.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

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
void web_words_set(struct web_words *words, const char *name, const char *value); /* an option whose value may be "" */
struct web_order web_words_order(const struct web_words *words);                  /* valid as long as words */
/* web_run() of this verb alone. */
void web_words_run(struct web_visit *visit, const struct web_words *words, web_done *done, void *ctx);
/* And of the verb for each of so many names, which come behind the words; at most WEB_ORDERS_MAX. */
void web_words_run_each(struct web_visit *visit, const struct web_words *words, const char *const *names, size_t count,
                        web_done *done, void *ctx);

/* An address of ours with what stands behind the "?": values that are NULL or "" are left out. */
void web_words_query(struct strbuf *address, const char *name, const char *value);
/* The page of one: folder ("/members/") is ours, name may come from anywhere. The caller frees it. */
char *web_words_page(const char *folder, const char *name) __attribute__((warn_unused_result));
/* The value of a field of the form; NULL when it is "" or not there. */
const char *web_words_given(const struct web_visit *visit, const char *name);

/* To the story of an entry ("in17"). */
void web_words_entry(struct web_html *html, const char *id);
void web_words_mapping(struct web_html *html, int64_t id); /* "17", to its page; a request is a mapping */
void web_words_group(struct web_html *html, const char *gid);
/* What an act was about, as the audit log has it, with a link to it if it has a page: "mapping 17", "member Alice Member", "in42". */
void web_words_object(struct web_html *html, const char *object);
/* A sentence, with links where it names a mapping or an entry. It may be of anybody: such a link goes to a page of ours. */
void web_words_linked(struct web_html *html, const char *text);

/* First in a form with several buttons and a field for text: Enter in that field presses the first button, and that is to do
 * nothing. It is neither seen nor reached by Tab; its act is "none". */
void web_words_no_default(struct web_html *html);
/* What a POST with an act that is not known is answered. */
const char *web_words_unknown_act(const struct web_visit *visit);

/* Ends a POST: goes to the page of one, which says flash. */
void web_words_go(struct web_visit *visit, const char *folder, const char *name, bool good, const char *flash);
/* Ends a POST that did the same to several: goes to `path`, and says how many were `done` ("released"), and what was refused. */
void web_words_tell(struct web_visit *visit, const char *path, const char *done, const struct web_result *results,
                    size_t count);
