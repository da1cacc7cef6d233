/* attachment_rule.h - what files a mapping lets in, and whether a file is one of them
 *
 * Pure: no I/O. A rule is "yes" (every file), "no" (none), or a list of extensions (".pdf") and media types ("image/png",
 * "image" with a star for all pictures). An extension that is known stands for its type: ".jpg" lets ".jpeg" in too.
 *
 * A file is let in when what its name says is in the list, and what its first octets say as well: they must be of the
 * format that its name promises, or of one that is in the list itself (a JPEG picture called "x.png", where all pictures
 * are let in). A file whose name has no extension is judged by its content alone. Of an extension that is not known
 * (".dwg") any content will do that is no program.
 */
#pragma once
#include "gateway/attachment_kind.h"

struct attachment_rule;
struct strbuf;

#define ATTACHMENT_RULE_ALL "yes" /* as stored: nobody needs to look at any file */

enum { ATTACHMENT_RULE_MAX = 1000, ATTACHMENT_RULE_ITEMS_MAX = 50 }; /* octets as given and as normalised; items */

/* From what an administrator says, or the database has. NULL: the reason is added to error_out, one line. Free it. */
struct attachment_rule *attachment_rule_new(const char *text, struct strbuf *error_out)
    __attribute__((warn_unused_result));
void attachment_rule_free(struct attachment_rule **rule);
/* Small letters, usual names, nothing twice, ", " between items: the form that is stored and shown. */
const char *attachment_rule_text(const struct attachment_rule *rule);
bool attachment_rule_is_open(const struct attachment_rule *rule); /* "yes": nobody needs to look at any file */

/* One file of a mail. */
struct attachment_file {
    const char *name; /* as the member would get it, without prefix */
    char extension[ATTACHMENT_EXTENSION_MAX + 1];
    const struct attachment_type *type; /* of extension; NULL: not known */
    enum attachment_format format;
};
/* start: as attachment_format_find(). name is not copied. */
struct attachment_file attachment_file_make(const char *name, const void *start, size_t len);

enum attachment_verdict {
    ATTACHMENT_ALLOWED,
    ATTACHMENT_NO_FILES,      /* the rule lets none in */
    ATTACHMENT_NOT_LISTED,    /* what its name says is not in the list */
    ATTACHMENT_OTHER_CONTENT, /* it is something else than its name says, and that is not in the list */
};
/* *by_out: the item that lets it in; "" when the verdict is another one. The rule's. */
enum attachment_verdict attachment_rule_judge(const struct attachment_rule *rule, const struct attachment_file *file,
                                              const char **by_out);
