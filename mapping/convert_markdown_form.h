/* convert_markdown_form.h - forms as events of the CommonMark parser: lists of fields, tables of values
 *
 * Internal to mapping/convert_markdown*.
 */
#pragma once

struct convert_markdown_filled;
struct markdown_events;
struct tmtp_form;

/* The fields that are to be filled in. */
void markdown_form_show_blank(const struct markdown_events *events, void *ctx, const struct tmtp_form *form);
/* A paragraph that says what it is, and the table. */
void markdown_form_show_filled(const struct markdown_events *events, void *ctx,
                               const struct convert_markdown_filled *filled);
