/* convert_html_entity.h - references to characters in HTML ("&amp;", "&#8364;")
 *
 * All names of the living standard. Numbers from 128 to 159 mean windows-1252, as everywhere; numbers of control
 * characters and of nothing become U+FFFD. Pure functions. Internal to mapping/convert*.
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct strbuf;

/* text begins with "&". Appends what the reference means and returns its length; 0 when it is none. Old names may lack
 * their semicolon, except in attributes. */
size_t convert_html_entity_decode(struct strbuf *out, const char *text, size_t len, bool in_attribute);

/* Appends text with all references in it replaced. */
void convert_html_entity_add_text(struct strbuf *out, const char *text, size_t len, bool in_attribute);

/* Appends what the name ("amp", without marks) means; false when it is unknown. */
bool convert_html_entity_add(struct strbuf *out, const char *name, size_t len);
